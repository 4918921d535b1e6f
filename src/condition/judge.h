/* The judge: hands what the streams show to the conditions, in the order of time, and tells which
 * of them have become true. It knows no clock: time is what its caller has seen up to, so that a
 * capture and a replay decide alike. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "capture/board.h"
#include "plan/condition.h"

struct judge;

/* Who listens: called for each condition that became true, in the order of time. */
typedef void judge_fired(void *arg, const struct verdict *verdict);

/* Before N conditions, whose progress goes to PROGRESS. Its counts of hits are in shared memory: a
 * process that takes over from one that was killed goes on with them. *ret is the caller's. */
int judge_create(struct judge **ret, struct condition *conditions, size_t n,
		 struct progress *progress, struct err *e);

/* NULL is fine. */
void judge_free(struct judge *judge);

/* Of a capture that began at START (boot clock), from SINCE on: all that only one process remembers
 * is empty. */
int judge_begin(struct judge *judge, uint64_t start, uint64_t since, judge_fired *fired, void *arg,
		struct err *e);

/* A record that this selector selects. All that is earlier, of all streams, has been told; one that
 * is earlier than the last is taken to be of its time. */
void judge_see(struct judge *judge, const struct selector *s, const struct observation *o);

/* All records of before NOW have been told. */
void judge_reach(struct judge *judge, uint64_t now);

/* The time that judge_reach has to come past for something to change without a record; UINT64_MAX
 * for none. Never too late, maybe too early. */
uint64_t judge_due(const struct judge *judge);

/* From here on C, and what it is a part of, is not looked at any more: WHY goes to the progress. */
void judge_disable(struct judge *judge, const struct condition *c, const char *why);

/* Brings the progress up to date, beyond the hits. */
void judge_tell(struct judge *judge);

/* Records of a stream are lost, somewhere before TO. */
void judge_hole(struct judge *judge, enum stream stream, uint64_t to);

/* For conditions. */

/* Counts a hit at TIME; true if that is the one that makes C true: judge_fire then. */
bool judge_hit(struct condition *c, uint64_t time);
void judge_fire(struct condition *c, struct verdict *verdict);

/* The time from which on it counts. */
uint64_t judge_armed(const struct condition *c);

/* Whether something that C looks for may have been lost at or after SINCE. */
bool judge_missed(const struct condition *c, uint64_t since);
