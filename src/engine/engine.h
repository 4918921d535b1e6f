/* The engine: walks a capture through its stages. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "capture/about.h"
#include "capture/capture.h"
#include "process/console.h"

struct engine;

/* What a capture is made from. All of it has to outlive the engine. */
struct engine_request {
	struct plan *plan;       /* probed against this host */
	struct tracing *tracing; /* NULL if the plan needs none */
	struct state *state;     /* fresh, or adopted by recover; the engine removes or leaves it */
	const struct about *about;
	struct console *console;
	struct luatest
		*tests;    /* the recipe's, with a process that runs them; NULL if it has none */
	uint64_t max_time; /* ns */
	const char *ends;  /* what ends it, for the start's line */
	const char *conflicts; /* what could hold up a freeze, a line each; NULL: nobody asks */
	void (*armed)(void *arg,
		      const char *id); /* called once when it records; NULL: nobody asks */
	void *armed_arg;
	struct trial
		*trial; /* nothing ends it and nothing is kept, it is measured; NULL: neither */
};

/* What became of a capture. */
struct engine_result {
	enum exit_code exit; /* how the program shall exit */
	bool fired;          /* by a stop condition, and not by hand */
	char bundle[4400];   /* its path */
};

/* The whole way: arm, start, watch, halt, save, convert, seal; of a trial arm, start, watch, undo.
 * An error is returned when there is no bundle: before the event nothing is left behind, after it
 * the sentence says how to go on. */
int engine_run(const struct engine_request *rq, struct engine_result *result, struct err *e);

/* The second half, for an interrupted capture whose state was adopted: halt, save, convert, seal.
 */
int engine_recover(const struct engine_request *rq, struct engine_result *result, struct err *e);
