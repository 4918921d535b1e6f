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
#include "recipe/script_request.h"

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

/* The constructors that recipes have, with their fields, as the part of a manual page in man(7).
 * The caller frees it. */
int script_reference(char **ret, struct err *e);
