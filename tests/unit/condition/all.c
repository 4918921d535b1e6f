/* Conditions that have to come true all of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ownjudge.h"

#define PART(name) "{" EVENT ",'name':'" name "'}"
#define ALL(rest)                                                                          \
	"{'type':'all','name':'c','at':'r.lua:1','of':[" PART("a") "," PART("b") "," PART( \
		"d") "]" rest "}"

static void all_come_in_any_order(void **state)
{
	struct bench *b = *state;

	begin(b, ALL(""));
	see_part(b, 2, 2000, 1);
	see_part(b, 2, 2001, 1);
	see_part(b, 0, 9000, 1);
	assert_int_equal(b->n, 0);
	see_part(b, 1, 99000, 1);
	assert_int_equal(b->n, 1);
	assert_int_equal(b->fired[0].time, 99000);
	assert_string_equal(b->fired[0].condition->name, "c");
	see_part(b, 1, 99001, 1); /* it begins anew */
	assert_int_equal(b->n, 1);
}

static void all_within_a_time_are_near_each_other(void **state)
{
	struct bench *b = *state;

	begin(b, ALL(",'within':100"));
	see_part(b, 0, 2000, 1);
	see_part(b, 1, 2090, 1);
	see_part(b, 2, 2101, 1); /* the first is 101 old */
	assert_int_equal(b->n, 0);
	see_part(b, 0, 2190, 1);
	assert_int_equal(b->n, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		JUDGE_TEST(all_come_in_any_order),
		JUDGE_TEST(all_within_a_time_are_near_each_other),
	};

	return cmocka_run_group_tests_name("all", tests, NULL, NULL);
}
