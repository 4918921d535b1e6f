/* What tracer itself looks at for conditions, as one stream: files, paths and tasks again and
 * again, the kernel's pressure, lines of logs. A reading has the time at which it came in. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "log/follower.h"
#include "plan/plan.h"

struct readings;
struct pollfd;

/* For each selector of the plan that is for readings, with root's privileges; *ret stays NULL if
 * there is none. *ret is the caller's, also where some could not be opened: then E says which
 * first. */
int readings_open(struct readings **ret, const struct plan *plan, enum follow follow,
		  struct err *e);

/* NULL is fine. */
void readings_close(struct readings *r);

/* What to wait for: appends to FDS, which has room for one more than there are selectors, and keeps
 * looking there for what poll has said. Returns how many. */
size_t readings_fds(struct readings *r, struct pollfd *fds);

/* Takes in what there is now, NOW being the boot clock, and asks for what is due. */
void readings_look(struct readings *r, uint64_t now);

/* Whether something may have been missed since the last call: a log could not be followed in time.
 */
bool readings_missed(struct readings *r);

/* Why not all of it can be looked at any more; NULL as long as it can. */
const char *readings_fault(const struct readings *r);

/* When the next one is due. */
uint64_t readings_due(const struct readings *r);

/* The oldest, and whose it is; NULL if there is none. It is valid until readings_take. */
const struct observation *readings_peek(const struct readings *r, const struct selector **selector);
void readings_take(struct readings *r);

/* None of before this time will come. */
uint64_t readings_seen(const struct readings *r);
