/* A trial: a capture that is armed as always and runs for a while, but that nothing ends, and that
 * keeps nothing. It tells what the plan would cost on this host and how far its rings would reach.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "capture/board.h"
#include "capture/capture.h"
#include "engine/workers.h"
#include "plan/source.h"

#define TRIAL_MARK "trial" /* in the state directory: nothing of it is kept, also by recover */

struct trial {
	uint64_t length;    /* ns that it is to take */
	uint64_t took;      /* ns that it took: the user can end it */
	struct board board; /* the live figures at its end; what came before it is not counted */
	uint64_t cpu_ns;    /* that its own processes have used in that time */
	uint64_t event_ns;  /* what an event costs here where it happens; 0: not known */
	/* while it runs: */
	struct board before;
	uint64_t began;
	uint64_t cpu_before;
};

/* Before the start: marks the state directory, and measures in an instance of its own what a record
 * costs. */
int trial_prepare(struct trial *trial, struct capture *c, struct err *e);

/* Around the time that counts. */
void trial_begin(struct trial *trial, const struct workers *workers);
void trial_end(struct trial *trial, const struct workers *workers);

/* For how long the ring of a source reaches back at the rate of the trial, ns; UINT64_MAX: for
 * longer than it will ever take; 0: nothing is known. */
uint64_t trial_reach(const struct trial *trial, const struct source *s);
