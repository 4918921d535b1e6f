/* The way of records from the streams to the judge: in their order, those whose selector has a test
 * only if they pass it. Where there are tests, records wait here until they make a batch, or until
 * there are no more for now. */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "condition/judge.h"
#include "recipe/luatest.h"

struct testqueue;

/* To JUDGE. TESTS is NULL where no selector has one; COMMS is saved_cmdlines, -1 if there is none.
 * *ret is the caller's. */
int testqueue_create(struct testqueue **ret, struct judge *judge, struct luatest *tests, int comms,
		     struct err *e);

/* NULL is fine. */
void testqueue_free(struct testqueue *q);

/* As judge_see and judge_reach. */
void testqueue_see(struct testqueue *q, const struct selector *s, const struct observation *o);
void testqueue_reach(struct testqueue *q, uint64_t now);
