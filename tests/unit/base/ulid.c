#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/ulid.h"
#include "base/units.h"

#define MANY 2000

static int order(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void an_id_has_its_length_and_letters(void **state)
{
	char id[ULID_SIZE];

	(void)state;
	for (int i = 0; i < MANY; i++) {
		ulid_make(id, (uint64_t)i * 1000003 * NS_PER_S);
		assert_int_equal(strlen(id), 26);
		assert_int_equal(strspn(id, "0123456789ABCDEFGHJKMNPQRSTVWXYZ"), 26);
	}
}

/* As the specification has it: 1469918176385 ms are 01ARYZ6S41. */
static void its_time_is_in_front(void **state)
{
	char id[ULID_SIZE];

	(void)state;
	ulid_make(id, 1469918176385 * NS_PER_MS + 999999);
	assert_memory_equal(id, "01ARYZ6S41", 10);
	ulid_make(id, 0);
	assert_memory_equal(id, "0000000000", 10);
}

static void ids_sort_by_time(void **state)
{
	char before[ULID_SIZE], after[ULID_SIZE];

	(void)state;
	for (uint64_t ms = 1; ms < 1ull << 43; ms = ms * 3 + 1) {
		ulid_make(before, (ms - 1) * NS_PER_MS);
		ulid_make(after, ms * NS_PER_MS);
		assert_true(strcmp(before, after) < 0);
	}
}

static void no_two_are_the_same_in_their_last_characters(void **state)
{
	static char ids[MANY][ULID_SIZE];
	size_t same = 0;

	(void)state;
	for (int i = 0; i < MANY; i++) {
		ulid_make(ids[i], 0);
		memmove(ids[i], ids[i] + 10, 17);
	}
	qsort(ids, MANY, sizeof(ids[0]), order);
	for (int i = 1; i < MANY; i++)
		same += !strcmp(ids[i - 1], ids[i]);
	assert_int_equal(same, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_id_has_its_length_and_letters),
		cmocka_unit_test(its_time_is_in_front),
		cmocka_unit_test(ids_sort_by_time),
		cmocka_unit_test(no_two_are_the_same_in_their_last_characters),
	};

	return cmocka_run_group_tests_name("ulid", tests, NULL, NULL);
}
