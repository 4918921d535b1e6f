/* What a recipe with fsfreeze_safe promises: from the start until the thaw nothing is opened that
 * could wait for a file system that is frozen. */
#pragma once

#include "err.h"
#include "plan.h"

/* Refuses, with its place in the recipe, what could not keep that. For this host. */
int freezesafe_check(const struct plan *plan, struct err *e);
