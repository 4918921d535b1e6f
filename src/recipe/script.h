/* The script process: a recipe and its arguments in, a plan out.
 *
 * Lua runs in a process of its own that can only compute. It asks the engine for what it may have
 * (a module's text, whether an event exists) and sends one result. A watchdog kills it if that
 * takes too long. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "recipe/script_file.h"

struct luatest;

struct script_request {
	const char *recipe_path;
	int n_args;
	const char *const *args;
	const char *version; /* of this program: "1.0" */
	const char *kernel;  /* its release: "6.1.0-18-amd64" */
	uint32_t n_cpus;
	bool (*has_event)(void *ctx, const char *event); /* "SYSTEM:NAME"; called in the engine */
	void *ctx;
	uint32_t timeout_ms;         /* the script's own time until the result; 0: 2 s */
	bool locked;                 /* the memory of a process that runs tests */
	const struct luatest *tests; /* NULL, or who wants the recipe's tests run: the process goes
					on with that behind the plan */
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

/* A process that runs the recipe's tests, for who has rq->tests: the recipe is run once more, and
 * has to give PLAN. *ret is the caller's. */
struct script;
int script_start_tests(struct script **ret, const struct script_request *rq, const char *plan,
		       struct err *e);

/* Ends the process, whatever it does. NULL is fine. */
void script_end(struct script *script);

/* Makes what comes from a script fit for a terminal: UTF-8 without control characters but the end
 * of a line. */
void script_clean(char *text);

/* The constructors that recipes have, with their fields, as the part of a manual page in man(7).
 * The caller frees it. */
int script_reference(char **ret, struct err *e);
