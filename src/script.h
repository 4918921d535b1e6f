/* The script process: a recipe and its arguments in, a plan out.
 *
 * Lua runs in a process of its own that can only compute. It asks the engine for what it may have
 * (a module's text, whether an event exists) and sends one result. A watchdog kills it if that
 * takes too long. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "script_file.h"

struct script_request {
	const char *recipe_path;
	int n_args;
	const char *const *args;
	const char *version; /* of this program: "1.0" */
	const char *kernel;  /* its release: "6.1.0-18-amd64" */
	uint32_t n_cpus;
	bool (*has_event)(void *ctx, const char *event); /* "SYSTEM:NAME"; called in the engine */
	void *ctx;
	uint32_t timeout_ms; /* the script's own time until the result; 0: 2 s */
};

struct script_result {
	char *plan;                /* canonical JSON */
	struct script_file *files; /* all that was loaded, as it was loaded: the recipe first, then
				      its modules */
	size_t n_files;
};

/* Turns a recipe into a plan: start, serve, end. What the recipe or its arguments have wrong is
 * EXIT_USAGE; the sentence may then be followed by the recipe's usage, on lines of its own. */
int script_plan(const struct script_request *rq, struct script_result *ret, struct err *e);

/* Frees what the result owns. */
void script_result_clear(struct script_result *result);

/* The steps of script_plan, for a script that lives on. */
struct script;

/* Reads the recipe and forks the process; RQ must outlive it, and may be NULL where it is for the
 * library alone. *ret is the caller's. */
int script_start(struct script **ret, const struct script_request *rq, struct err *e);

/* Answers what the process asks until it sends its result. *ret is the caller's. */
int script_serve(struct script *script, char **ret, struct err *e);

/* Ends the process, whatever it does. NULL is fine. */
void script_end(struct script *script);

/* The constructors that recipes have, with their fields, as the part of a manual page in man(7).
 * The caller frees it. */
int script_reference(char **ret, struct err *e);
