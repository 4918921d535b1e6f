/* One capture after the other, as the recipe's max_bundles, cooldown and max_disk want it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/launch.h"

/* The bundles of this run, oldest first. */
struct repeat {
	uint64_t until; /* boot clock: the time limit of all of them */
	char **bundles;
	size_t n;
	uint64_t made; /* also those that were removed again */
};

/* After a capture: whether there is to be another one. Then it has made room for its bundle,
 * waited, and prepared it anew; the plan is the same. A sentence on the console says why not if
 * that is not what was asked for. */
bool repeat_again(struct repeat *repeat, const struct launch *l,
		  const struct engine_result *result);

void repeat_free(struct repeat *repeat);
