/* Events that count by themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ownjudge.h"

static void hits_count_within_a_sliding_time(void **state)
{
	struct bench *b = *state;

	begin(b, "{" EVENT ",'name':'c','hits':3,'within':100}");
	see(b, 0, 1000, 1, 0);
	see(b, 0, 1090, 1, 0);
	see(b, 0, 1101, 1, 0); /* the first is 101 old */
	assert_int_equal(b->n, 0);
	see(b, 0, 1190, 7, 8);
	assert_int_equal(b->n, 1);
	assert_int_equal(b->fired[0].time, 1190);
	assert_int_equal(b->fired[0].pid, 77);
	assert_int_equal(b->fired[0].cpu, 1);
	assert_non_null(strstr(b->fired[0].text, "which=7"));
	assert_int_equal(b->progress.seen, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		JUDGE_TEST(hits_count_within_a_sliding_time),
	};

	return cmocka_run_group_tests_name("seen", tests, NULL, NULL);
}
