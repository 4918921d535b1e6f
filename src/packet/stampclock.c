#include "packet/stampclock.h"

#include "base/units.h"

#define STEP                                                                                      \
	NS_PER_MS /* a wall clock that is this far from where it should be was set; a daemon only \
		     slews it */
#define SETTLE NS_PER_S /* how long after that stamps are kept in order by force */

static uint64_t stamp_boot(const struct anchor *anchor, uint64_t wall_ns)
{
	return anchor->boot + (wall_ns - anchor->wall_ns);
}

int64_t stampclock_set(struct stampclock *clock, const struct anchor *now)
{
	int64_t step = (int64_t)(stamp_boot(&clock->anchor, now->wall_ns) - now->boot);
	bool is_step = clock->anchor.boot && (step > (int64_t)STEP || step < -(int64_t)STEP);

	if (is_step) {
		clock->before = clock->anchor;
		clock->stepped = true;
		clock->settled = now->boot + SETTLE;
	}
	clock->anchor = *now;
	return is_step ? step : 0;
}

/* Stamps from before the clock was set come first: as long as the old relation gives a time that
 * can be, neither before an earlier stamp's nor in the future, it holds. Small steps leave some
 * doubt, so that for a while a stamp does not go behind the newest. */
uint64_t stampclock_boot(struct stampclock *clock, uint64_t wall_ns, uint64_t now)
{
	uint64_t boot = stamp_boot(&clock->anchor, wall_ns);

	if (clock->stepped) {
		uint64_t old = stamp_boot(&clock->before, wall_ns);

		clock->stepped = old + STEP >= clock->newest && old <= now;
		if (clock->stepped)
			boot = old;
	}
	if (boot < clock->newest && clock->anchor.boot < clock->settled)
		boot = clock->newest;
	if (boot > clock->newest)
		clock->newest = boot;
	return boot;
}

void stampclock_caught_up(struct stampclock *clock)
{
	clock->stepped = false;
}
