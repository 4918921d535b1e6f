/* What a recipe with fsfreeze_safe promises: from the start until the thaw nothing is opened that
 * could wait for a file system that is frozen. */
#pragma once

#include "err.h"
#include "options.h"
#include "plan.h"

/* Refuses what could not keep that, with its place in the recipe. For this host. */
int freezesafe_check(const struct plan *plan, const struct options *options, struct err *e);
