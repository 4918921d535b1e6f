/* What a recipe with fsfreeze_safe promises: from the start until the thaw nothing is opened that
 * could wait for a file system that is frozen. */
#pragma once

#include "base/err.h"
#include "plan/plan.h"
#include "prepare/options.h"

/* Refuses what could not keep that, with its place in the recipe. For this host. */
int freezesafe_check(const struct plan *plan, const struct options *options, struct err *e);
