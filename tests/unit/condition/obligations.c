/* What is owed, up to so many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "condition/obligations.h"

static struct key key_of(uint64_t number)
{
	const struct key_part part = { .width = 8 };
	struct key key = { 0 };

	key_add_number(&key, &part, number);
	return key;
}

/* In a stall of all, those that came first have to reach their deadline. */
static void there_is_no_room_for_more_than_so_many(void **state)
{
	struct obligations *o;
	struct err e = ERR_INIT;
	struct key key;

	(void)state;
	assert_int_equal(obligations_create(&o, 100, &e), 0);
	for (uint64_t i = 0; i < 10000; i++) {
		key = key_of(i);
		assert_int_equal(obligations_open(o, &key, i) != NULL, i < 100);
	}
	assert_int_equal(obligations_count(o), 100);
	assert_int_equal(obligations_dropped(o), 9900);
	assert_int_equal(obligations_oldest(o)->since, 0);
	key = key_of(50);
	assert_null(obligations_open(o, &key, 1));
	obligations_close(o, obligations_find(o, &key));
	assert_null(obligations_find(o, &key));
	for (int i = 0; i < 99; i++)
		obligations_close(o, obligations_oldest(o));
	assert_null(obligations_oldest(o));
	assert_int_equal(obligations_count(o), 0);
	for (int round = 0; round < 1000; round++) { /* and all of it is there again */
		key = key_of(round);
		obligations_close(o, obligations_open(o, &key, round));
	}
	obligations_free(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_is_no_room_for_more_than_so_many),
	};

	return cmocka_run_group_tests_name("obligations", tests, NULL, NULL);
}
