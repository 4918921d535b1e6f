/* The {FIELD}s of the stop event that a plan asks for: whether any of its conditions can have them.
 */
#pragma once

#include "base/err.h"
#include "plan/plan.h"

/* An error for one that none can have, with the nearest that there is. Of a plan that was probed.
 */
int fields_check(const struct plan *plan, struct err *e);
