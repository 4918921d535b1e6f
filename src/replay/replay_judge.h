/* A replay: the conditions of a recipe before a judge that is shown what a bundle recorded. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "plan/plan.h"
#include "recipe/luatest.h"
#include "replay/recording.h"

#define REPLAY_SHOWN 16 /* verdicts of one condition that are kept */

/* What became of one condition. */
struct replayed {
	char missing[400];                  /* why it could not be judged, "" if it was */
	uint64_t from, to;                  /* the stretch that was looked at, boot clock */
	uint64_t n;                         /* how often it would have fired */
	struct verdict fired[REPLAY_SHOWN]; /* the first of them */
	char fault[240];                    /* what its test raised */
	char near[80];                      /* how near it was at the end, where it tells */
	char *of; /* the files, and what was not recorded of them; lines */
};

struct replay;

/* Over a recording whose host has formats; PLAN is the recipe's, decoded. TESTS runs its tests,
 * NULL if it has none. Asks the formats, fetches the files: all that the sandbox will not allow.
 * What a condition lacks is told with its result. *ret is the caller's. */
int replay_open(struct replay **ret, struct recording *recording, struct plan *plan,
		struct luatest *tests, struct err *e);

/* NULL is fine. */
void replay_close(struct replay *replay);

/* Judges condition INDEX alone, in the stretch of which all that it looks for was recorded. */
int replay_condition(struct replay *replay, uint32_t index, struct replayed *ret, struct err *e);
void replayed_clear(struct replayed *replayed);
