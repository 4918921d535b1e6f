#include "watch/testqueue.h"

#include <string.h>

#include "base/auto.h"

#define DATA_MAX (1u << 20)
#define NO_TEST UINT32_MAX

struct waiting {
	const struct selector *selector;
	struct observation o;
	uint32_t number; /* in the batch, or NO_TEST */
};

struct testqueue {
	struct judge *judge;
	struct luatest *tests;
	int comms;
	struct waiting *waiting; /* LUATEST_BATCH of them */
	size_t n, tested;
	uint8_t *data;
	size_t used;
};

int testqueue_create(struct testqueue **ret, struct judge *judge, struct luatest *tests, int comms,
		     struct err *e)
{
	struct testqueue *q = calloc(1, sizeof(*q));

	if (!q)
		return err_set(e, "no memory");
	*q = (struct testqueue) { .judge = judge, .tests = tests, .comms = comms };
	if (tests) {
		q->waiting = calloc(LUATEST_BATCH, sizeof(*q->waiting));
		q->data = malloc(DATA_MAX);
	}
	if (tests && (!q->waiting || !q->data)) {
		testqueue_free(q);
		return err_set(e, "no memory for records that wait for tests");
	}
	*ret = q;
	return 0;
}

void testqueue_free(struct testqueue *q)
{
	if (!q)
		return;
	free(q->waiting);
	free(q->data);
	free(q);
}

static bool testqueue_passes(struct testqueue *q, const struct waiting *w)
{
	enum luatest_answer answer;
	char why[sizeof(q->tests->shared->fault[0])];

	if (w->number == NO_TEST)
		return true;
	answer = luatest_answer(q->tests, w->number);
	if (answer != TEST_FAILED)
		return answer == TEST_YES;
	luatest_fault(q->tests, w->selector->test - 1, why, sizeof(why));
	judge_disable(q->judge, w->selector->owner, why);
	return false;
}

/* Without an answer, nothing that was to be tested is true, and nothing will be. */
static void testqueue_lose(struct testqueue *q, const char *why)
{
	for (size_t i = 0; i < q->n; i++)
		if (q->waiting[i].number != NO_TEST)
			judge_disable(q->judge, q->waiting[i].selector->owner, why);
}

static void testqueue_flush(struct testqueue *q)
{
	struct err e = ERR_INIT;

	if (q->tested && luatest_run(q->tests, q->comms, &e) < 0)
		testqueue_lose(q, e.text);
	for (size_t i = 0; i < q->n; i++) {
		const struct waiting *w = &q->waiting[i];

		if (w->number == NO_TEST || (e.code == 0 && testqueue_passes(q, w)))
			judge_see(q->judge, w->selector, &w->o);
	}
	q->n = q->tested = q->used = 0;
}

static bool testqueue_test(struct testqueue *q, struct waiting *w)
{
	const struct luatest_record head = { .time = w->o.time,
					     .test = w->selector->test - 1,
					     .cpu = w->o.cpu,
					     .pid = w->o.pid,
					     .size = w->o.size };

	if (!w->selector->test)
		return true;
	if (!luatest_add(q->tests, &head, w->o.data, &w->number))
		return false;
	q->tested++;
	return true;
}

/* False if there is no room: not before a flush. */
static bool testqueue_add(struct testqueue *q, const struct selector *s,
			  const struct observation *o)
{
	struct waiting *w = &q->waiting[q->n];

	if (q->n == LUATEST_BATCH || q->used + o->size > DATA_MAX)
		return false;
	*w = (struct waiting) { .selector = s, .o = *o, .number = NO_TEST };
	if (!testqueue_test(q, w))
		return false;
	memcpy(q->data + q->used, o->data, o->size);
	w->o.data = q->data + q->used;
	q->used += (o->size + 7) & ~(size_t)7;
	q->n++;
	return true;
}

void testqueue_see(struct testqueue *q, const struct selector *s, const struct observation *o)
{
	if (!q->tests) {
		judge_see(q->judge, s, o);
		return;
	}
	if (testqueue_add(q, s, o))
		return;
	testqueue_flush(q);
	testqueue_add(q, s, o);
}

void testqueue_reach(struct testqueue *q, uint64_t now)
{
	if (q->n)
		testqueue_flush(q);
	judge_reach(q->judge, now);
}
