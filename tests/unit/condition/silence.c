/* What stays away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ownjudge.h"

static void silence_counts_from_the_first_one_seen(void **state)
{
	struct bench *b = *state;

	begin(b, "{'type':'silence','name':'c','at':'r.lua:1','over':100,'of':{" EVENT "}}");
	judge_reach(b->judge, 5000);
	assert_int_equal(b->n, 0);
	assert_int_equal(judge_due(b->judge), UINT64_MAX);
	see(b, 0, 5000, 1, 0);
	see(b, 0, 5100, 1, 0); /* at the last moment */
	judge_reach(b->judge, 5101);
	assert_int_equal(judge_due(b->judge), 5200);
	judge_reach(b->judge, 5200);
	assert_int_equal(b->n, 0);
	judge_reach(b->judge, 5201);
	assert_int_equal(b->n, 1);
	assert_int_equal(b->fired[0].time, 5200);
	assert_false(b->fired[0].uncertain);
	judge_reach(b->judge, 9000);
	assert_int_equal(b->n, 1);
}

static void silence_can_count_from_the_start(void **state)
{
	struct bench *b = *state;

	begin(b,
	      "{'type':'silence','name':'c','at':'r.lua:1','over':100,'from':'start','of':{" EVENT
	      "}}");
	judge_reach(b->judge, START + 101);
	assert_int_equal(b->n, 1);
	assert_int_equal(b->fired[0].time, START + 100);
}

/* Seen by the next record alone, without anybody asking between. */
static void a_late_record_does_not_hide_a_silence(void **state)
{
	struct bench *b = *state;

	begin(b, "{'type':'silence','name':'c','at':'r.lua:1','over':100,'of':{" EVENT "}}");
	see(b, 0, 5000, 1, 0);
	see(b, 0, 5101, 1, 0);
	assert_int_equal(b->n, 1);
	assert_int_equal(b->fired[0].time, 5100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		JUDGE_TEST(silence_counts_from_the_first_one_seen),
		JUDGE_TEST(silence_can_count_from_the_start),
		JUDGE_TEST(a_late_record_does_not_hide_a_silence),
	};

	return cmocka_run_group_tests_name("silence", tests, NULL, NULL);
}
