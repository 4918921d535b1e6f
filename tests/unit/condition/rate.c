/* So many in a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ownjudge.h"

#define RATE(rest) "{'type':'rate','name':'c','at':'r.lua:1','per':100,'of':{" EVENT "}" rest "}"

static void more_than_so_many_in_a_time(void **state)
{
	struct bench *b = *state;

	begin(b, RATE(",'above':2"));
	see(b, 0, 2000, 1, 0);
	see(b, 0, 2050, 1, 0);
	see(b, 0, 2100, 1, 0); /* the first is no longer in it */
	assert_int_equal(b->n, 0);
	see(b, 0, 2149, 1, 0);
	assert_int_equal(b->n, 1);
	assert_int_equal(b->fired[0].time, 2149);
	see(b, 0, 2150, 1, 0); /* still above: once is enough */
	assert_int_equal(b->n, 1);
	see(b, 0, 3000, 1, 0);
	see(b, 0, 3001, 1, 0);
	see(b, 0, 3002, 1, 0);
	assert_int_equal(b->n, 2);
}

static void above_it_for_so_long(void **state)
{
	struct bench *b = *state;

	begin(b, RATE(",'above':0,'hold':250"));
	see(b, 0, 2000, 1, 0);
	see(b, 0, 2099, 1, 0);
	see(b, 0, 2198, 1, 0);
	judge_reach(b->judge, 2250);
	assert_int_equal(b->n, 0);
	judge_reach(b->judge, 2251);
	assert_int_equal(b->n, 1);
	assert_int_equal(b->fired[0].time, 2250);
	see(b, 0, 4000, 1, 0);
	see(b, 0, 4090, 1, 0);
	judge_reach(b->judge, 5000); /* it ended at 4190 */
	assert_int_equal(b->n, 1);
}

static void fewer_than_so_many_in_a_time(void **state)
{
	struct bench *b = *state;

	begin(b, RATE(",'below':2"));
	see(b, 0, START + 10, 1, 0);
	see(b, 0, START + 90, 1, 0);
	see(b, 0, START + 105, 1, 0);
	assert_int_equal(b->n, 0);
	judge_reach(b->judge, START + 111);
	assert_int_equal(judge_due(b->judge), START + 190);
	judge_reach(b->judge, START + 191);
	assert_int_equal(b->n, 1);
	assert_int_equal(b->fired[0].time, START + 190);
	end(b);
	begin(b, RATE(",'below':1"));
	judge_reach(b->judge, START + 100);
	assert_int_equal(b->n, 0);
	judge_reach(b->judge, START + 101);
	assert_int_equal(b->n, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		JUDGE_TEST(more_than_so_many_in_a_time),
		JUDGE_TEST(above_it_for_so_long),
		JUDGE_TEST(fewer_than_so_many_in_a_time),
	};

	return cmocka_run_group_tests_name("rate", tests, NULL, NULL);
}
