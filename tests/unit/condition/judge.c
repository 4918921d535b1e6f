/* Conditions before a judge: the order of time, what was lost, and when they are armed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ownjudge.h"

static void a_hole_makes_it_uncertain(void **state)
{
	struct bench *b = *state;

	begin(b, "{'type':'expect','name':'c','at':'r.lua:1','within':100,'on':{" EVENT "},"
		 "'need':{" EVENT "},'key':[{'on':'who','need':'who'}]}");
	judge_hole(b->judge, STREAM_EVENTS, 1500);
	see(b, 0, 2000, 1, 5);
	judge_reach(b->judge, 2101);
	assert_int_equal(b->n, 1);
	assert_false(b->fired[0].uncertain);
	see(b, 0, 3000, 1, 5);
	judge_hole(b->judge, STREAM_PACKETS, 3050); /* not its business */
	judge_reach(b->judge, 3101);
	assert_false(b->fired[1].uncertain);
	see(b, 0, 4000, 1, 5);
	judge_hole(b->judge, STREAM_EVENTS, 4050);
	judge_reach(b->judge, 4101);
	assert_int_equal(b->n, 3);
	assert_true(b->fired[2].uncertain);
}

/* Stamps of two CPUs may be a little out of order. */
static void a_record_that_is_late_is_taken_to_be_of_the_last_ones_time(void **state)
{
	struct bench *b = *state;

	begin(b, "{" EVENT ",'name':'c','hits':2,'within':100}");
	see(b, 0, 2000, 1, 0);
	see(b, 0, 1999, 1, 0);
	assert_int_equal(b->n, 1);
	assert_int_equal(b->fired[0].time, 2000);
}

static void nothing_counts_before_it_is_armed(void **state)
{
	struct bench *b = *state;

	begin(b, "{" EVENT ",'name':'c','hits':2,'arm_after':100}");
	see(b, 0, START + 99, 1, 0);
	see(b, 0, START + 100, 1, 0);
	assert_int_equal(b->n, 0);
	see(b, 0, START + 101, 1, 0);
	assert_int_equal(b->n, 1);
}

static void what_is_armed_later_still_fires(void **state)
{
	struct bench *b = *state;

	begin(b, "{'type':'silence','name':'c','at':'r.lua:1','over':100,'arm_after':1000,'from':"
		 "'start','of':{" EVENT "}}");
	judge_reach(b->judge, START + 1000);
	assert_int_equal(b->n, 0);
	judge_reach(b->judge, START + 1001);
	assert_int_equal(b->n, 1);
	end(b);
	begin(b, "{'type':'rate','name':'c','at':'r.lua:1','per':100,'below':2,'arm_after':1000,"
		 "'of':{" EVENT "}}");
	judge_reach(b->judge, START + 1100);
	assert_int_equal(b->n, 0);
	judge_reach(b->judge, START + 1101);
	assert_int_equal(b->n, 1);
}

/* Deadlines of several parts that are told all at once come one after the other. */
static void what_is_due_comes_in_the_order_of_time(void **state)
{
	struct bench *b = *state;

	begin(b, "{'type':'sequence','name':'c','at':'r.lua:1','of':["
		 "{'type':'silence','name':'a','at':'r.lua:1','over':100,'of':{" EVENT "}},"
		 "{'type':'silence','name':'b','at':'r.lua:1','over':50,'of':{" EVENT "}}]}");
	see_part(b, 0, 2000, 1); /* due at 2100 */
	see_part(b, 1, 2040, 1); /* at 2090: before it */
	judge_reach(b->judge, 9000);
	assert_int_equal(b->n, 0);
	see_part(b, 1, 9000, 1);
	judge_reach(b->judge, 9999);
	assert_int_equal(b->n, 1);
	assert_int_equal(b->fired[0].time, 9050);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		JUDGE_TEST(a_hole_makes_it_uncertain),
		JUDGE_TEST(a_record_that_is_late_is_taken_to_be_of_the_last_ones_time),
		JUDGE_TEST(nothing_counts_before_it_is_armed),
		JUDGE_TEST(what_is_armed_later_still_fires),
		JUDGE_TEST(what_is_due_comes_in_the_order_of_time),
	};

	return cmocka_run_group_tests_name("judge", tests, NULL, NULL);
}
