/* Boot times of stamps that were taken by the wall clock, which may be set meanwhile. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

struct stampclock {
	struct anchor anchor; /* of the wall clock as it is now */
	struct anchor before; /* as it was before it was set */
	bool stepped;         /* stamps from before it was set may still come */
	uint64_t settled;     /* boot clock: from here on the last step is forgotten */
	uint64_t newest;      /* boot time so far */
};

/* How the clocks are related now; to be told before each batch of stamps. Returns by how many ns
 * the wall clock was set since the last time, 0 if it was not. */
int64_t stampclock_set(struct stampclock *clock, const struct anchor *now);

/* The boot time of a stamp. NOW (boot clock) is no earlier than the stamp was taken. */
uint64_t stampclock_boot(struct stampclock *clock, uint64_t wall_ns, uint64_t now);

/* All stamps from before the last stampclock_set have come. */
void stampclock_caught_up(struct stampclock *clock);
