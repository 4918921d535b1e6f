/* Keys are the same where what they are made of is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "plan/key.h"

static void long_texts_are_told_apart(void **state)
{
	static const char *const texts[] = { "a name that is the same for a while, and then one",
					     "a name that is the same for a while, and then two" };
	struct key keys[3] = { 0 };
	const struct key_part parts[] = { { .name = "text" }, { .name = "n", .width = 8 } };
	char text[200];

	(void)state;
	for (int i = 0; i < 3; i++) {
		key_add_text(&keys[i], texts[i % 2], strlen(texts[i % 2]));
		key_add_number(&keys[i], &parts[1], 7);
	}
	assert_int_equal(keys[0].size, keys[1].size);
	assert_memory_not_equal(keys[0].data, keys[1].data, keys[0].size);
	assert_memory_equal(keys[0].data, keys[2].data, keys[0].size);
	key_print(&keys[0], parts, 2, text, sizeof(text));
	assert_string_equal(text, "text=a name that is... n=7");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(long_texts_are_told_apart),
	};

	return cmocka_run_group_tests_name("key", tests, NULL, NULL);
}
