/* A level: something that is true for a time, and counts once it has been for so long. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct level {
	bool on;
	bool told;      /* that it has held */
	uint64_t since; /* boot clock */
};

/* It has become true at TIME, or no longer is. */
static inline void level_on(struct level *l, uint64_t time)
{
	if (!l->on)
		*l = (struct level) { .on = true, .since = time };
}

static inline void level_off(struct level *l)
{
	l->on = false;
}

/* True once, when all before NOW is known and it has held for HOLD ns by then. */
static inline bool level_held(struct level *l, uint64_t hold, uint64_t now)
{
	if (!l->on || l->told || l->since + hold >= now)
		return false;
	return l->told = true;
}

/* What NOW has to come past for that; UINT64_MAX if it is not true now. */
static inline uint64_t level_due(const struct level *l, uint64_t hold)
{
	return l->on && !l->told ? l->since + hold : UINT64_MAX;
}
