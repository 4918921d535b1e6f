/* Which files of a bundle have what a selector looks for. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "plan/selector.h"
#include "replay/recording.h"

/* What kind of file it is found in. */
enum replay_kind { REPLAY_EVENTS, REPLAY_PACKETS, REPLAY_READINGS, REPLAY_SAMPLES, REPLAY_LOG };

struct replay_choice {
	const struct selector *selector;
	enum replay_kind kind;
	char **paths; /* one, or of packets several; NULL if there is none: */
	size_t n_paths;
	char missing[300]; /* why */
	char remark[300];  /* what of it was not recorded, "" if all was */
	bool watched;      /* it is what a condition looked at that asks for the same */
	uint32_t number;   /* then: of that selector in the recording's plan */
	uint64_t from, to; /* the window in which that was recorded, boot clock */
};

/* Prefers what a condition has looked at that asks for the same, then what was recorded of it
 * without a filter. What the choice holds is freed by replay_choice_clear. */
int replay_choose(struct replay_choice *ret, const struct recording *r, const struct selector *s,
		  struct err *e);
void replay_choice_clear(struct replay_choice *choice);
