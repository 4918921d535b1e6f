/* One capture as the engine holds it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "capture/board.h"
#include "capture/ledger.h"
#include "capture/state.h"
#include "capture/stop_record.h"
#include "recipe/luatest.h"
#include "trace/tracing.h"

/* tracing_on of one kernel ring, held by all who may have to turn it off. */
struct ring_switch {
	int fd;
	bool from_start; /* on from the start, so that finding it off means that the kernel has
			    stopped it */
};

struct plan;

struct capture {
	struct plan *plan;
	struct state *state;
	struct ledger *ledger;
	struct tracing *tracing;
	struct stop_page *stop;
	struct board *board;
	bool kernel_log;       /* the anchors tell its clock too */
	bool trial;            /* no condition ends it: what would have is counted */
	struct luatest *tests; /* the plan's, NULL if it has none; borrowed */
	struct ring_switch *switches;
	size_t n_switches;
};

/* The name of a kernel object of the capture, "tracer-ID-NAME". One that is not a source's begins
 * with a dot, which no name in a plan does. */
struct capture_name {
	char text[128];
};
struct capture_name capture_instance(const struct state *state, const char *name);

/* Holds a ring's tracing_on; takes the descriptor over. */
int capture_add_switch(struct capture *c, int fd, bool from_start, struct err *e);

/* Turns every kernel ring off; visits all and keeps the first error. Safe in any process that holds
 * them. */
int switches_off(const struct ring_switch *switches, size_t n, struct err *e);

/* Whether a ring that was on from the start is off now. */
bool switches_tripped(const struct ring_switch *switches, size_t n);
