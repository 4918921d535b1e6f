/* Conditions that have to come true one after the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ownjudge.h"

#define PART(name) "{" EVENT ",'name':'" name "'}"
#define SEQUENCE(rest)                                                                          \
	"{'type':'sequence','name':'c','at':'r.lua:1','of':[" PART("a") "," PART("b") "," PART( \
		"d") "]" rest "}"

static void a_sequence_has_its_order(void **state)
{
	struct bench *b = *state;

	begin(b, SEQUENCE(""));
	see_part(b, 1, 2000, 1);
	see_part(b, 2, 2001, 1);
	see_part(b, 0, 2002, 1);
	see_part(b, 2, 2003, 1);
	assert_int_equal(b->n, 0);
	see_part(b, 1, 2004, 1);
	see_part(b, 2, 2005, 1);
	assert_int_equal(b->n, 1);
	assert_int_equal(b->fired[0].time, 2005);
}

/* A later begin leaves more time. */
static void a_sequence_within_a_time_counts_from_its_last_begin(void **state)
{
	struct bench *b = *state;

	begin(b, SEQUENCE(",'within':100"));
	see_part(b, 0, 2000, 1);
	see_part(b, 0, 2050, 1);
	see_part(b, 1, 2100, 1);
	see_part(b, 2, 2150, 1);
	assert_int_equal(b->n, 1);
	see_part(b, 0, 3000, 1);
	see_part(b, 1, 3001, 1);
	see_part(b, 2, 3101, 1);
	assert_int_equal(b->n, 1);
}

static void a_sequence_by_a_key_is_one_for_each(void **state)
{
	struct bench *b = *state;

	begin(b, SEQUENCE(",'key':[{'on':'who','need':'who'}]"));
	see_part(b, 0, 2000, 7);
	see_part(b, 1, 2001, 8);
	see_part(b, 2, 2002, 7);
	see_part(b, 0, 2003, 8);
	see_part(b, 1, 2004, 7);
	see_part(b, 2, 2005, 8);
	assert_int_equal(b->n, 0);
	see_part(b, 2, 2006, 7);
	assert_int_equal(b->n, 1);
	assert_memory_equal(b->fired[0].text, "who=7: ", 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		JUDGE_TEST(a_sequence_has_its_order),
		JUDGE_TEST(a_sequence_within_a_time_counts_from_its_last_begin),
		JUDGE_TEST(a_sequence_by_a_key_is_one_for_each),
	};

	return cmocka_run_group_tests_name("sequence", tests, NULL, NULL);
}
