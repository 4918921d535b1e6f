#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/auto.h"
#include "base/units.h"

struct sample {
	const char *text;
	uint64_t value;
};

static void durations_are_read_in_every_unit(void **state)
{
	static const struct sample samples[] = {
		{ "200us", 200000 },     { "200ms", 200000000 },
		{ "3s", 3000000000 },    { "5m", 300000000000 },
		{ "2h", 7200000000000 }, { "7d", 604800000000000 },
		{ "17ns", 17 },          { "0s", 0 },
	};

	(void)state;
	for (size_t i = 0; i < countof(samples); i++) {
		struct err e = ERR_INIT;
		uint64_t ns = 1;

		assert_int_equal(duration_parse(samples[i].text, &ns, &e), 0);
		assert_int_equal(ns, samples[i].value);
		assert_string_equal(duration_text(ns).text, samples[i].text);
	}
}

static void sizes_are_powers_of_1024(void **state)
{
	static const struct sample samples[] = {
		{ "512B", 512 },      { "64K", 65536 }, { "8M", 8388608 },
		{ "2G", 2147483648 }, { "0B", 0 },
	};

	(void)state;
	for (size_t i = 0; i < countof(samples); i++) {
		struct err e = ERR_INIT;
		uint64_t bytes = 1;

		assert_int_equal(size_parse(samples[i].text, &bytes, &e), 0);
		assert_int_equal(bytes, samples[i].value);
		assert_string_equal(size_text(bytes).text, samples[i].text);
	}
}

static void the_text_is_exact_where_a_larger_unit_would_round(void **state)
{
	(void)state;
	assert_string_equal(duration_text(1500 * NS_PER_MS).text, "1500ms");
	assert_string_equal(duration_text(90 * NS_PER_S).text, "90s");
	assert_string_equal(duration_text(UINT64_MAX).text, "18446744073709551615ns");
	assert_string_equal(size_text(1025).text, "1025B");
	assert_string_equal(size_text(1536).text, "1536B");
}

static void a_bare_number_is_refused_with_what_to_write(void **state)
{
	struct err e = ERR_INIT;
	uint64_t value = 42;

	(void)state;
	assert_int_not_equal(duration_parse("5", &value, &e), 0);
	assert_string_equal(
		e.text, "'5' has no unit, write a duration like 200us, 200ms, 3s, 5m, 2h or 7d");
	assert_int_not_equal(size_parse("100", &value, &e), 0);
	assert_string_equal(e.text, "'100' has no unit, write a size like 512B, 64K, 8M or 2G");
	assert_int_equal(value, 42);
}

static void what_is_not_a_quantity_is_refused(void **state)
{
	static const char *const wrong[] = { "",    "s",  "-1s",  "1.5s", " 1s", "1s ",
					     "1 s", "1S", "1sec", "0x1s", "1M1K" };

	(void)state;
	for (size_t i = 0; i < countof(wrong); i++) {
		struct err e = ERR_INIT;
		uint64_t value = 42;

		assert_int_not_equal(duration_parse(wrong[i], &value, &e), 0);
		assert_non_null(strstr(e.text, "is not a duration like"));
		assert_int_not_equal(size_parse(wrong[i], &value, &e), 0);
		assert_non_null(strstr(e.text, "is not a size like"));
		assert_int_equal(value, 42);
	}
}

static void what_does_not_fit_is_refused(void **state)
{
	static const char *const large[] = { "99999999999999999999999s", "106752d",
					     "18446744073709551615d" };
	struct err e = ERR_INIT;
	uint64_t value;

	(void)state;
	for (size_t i = 0; i < countof(large); i++) {
		assert_int_not_equal(duration_parse(large[i], &value, &e), 0);
		assert_non_null(strstr(e.text, "is too large for a duration"));
	}
	assert_int_equal(duration_parse("106751d", &value, &e), 0);
	assert_int_not_equal(size_parse("8589934592G", &value, &e), 0);
	assert_int_equal(size_parse("8589934591G", &value, &e), 0);
}

static void the_nearest_name_forgives_a_slip(void **state)
{
	static const char *const names[] = {
		"keep", "name", "pids", "filter", "sched:sched_switch", "sched:sched_wakeup"
	};
	const size_t n = countof(names);

	(void)state;
	assert_string_equal(nearest_name("kep", names, n), "keep");
	assert_string_equal(nearest_name("kepe", names, n), "keep");
	assert_string_equal(nearest_name("nmae", names, n), "name");
	assert_string_equal(nearest_name("Filter", names, n), "filter");
	assert_string_equal(nearest_name("filters", names, n), "filter");
	assert_string_equal(nearest_name("sched:sched_swich", names, n), "sched:sched_switch");
}

static void what_is_not_near_has_no_nearest_name(void **state)
{
	static const char *const names[] = { "keep", "name", "a" };
	char longest[400];

	(void)state;
	memset(longest, 'k', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_null(nearest_name("interface", names, 3));
	assert_null(nearest_name("", names, 3));
	assert_null(nearest_name("x", names, 3));
	assert_null(nearest_name("keep", names, 0));
	assert_null(nearest_name(longest, names, 3));
}

static void names_at_the_length_limit_are_compared(void **state)
{
	char a[129], b[129];
	const char *const names[] = { b };

	(void)state;
	memset(a, 'k', sizeof(a) - 1);
	memset(b, 'k', sizeof(b) - 1);
	a[128] = b[128] = '\0';
	b[5] = 'x';
	assert_ptr_equal(nearest_name(a, names, 1), b);
}

static void about_is_near_enough_for_a_person(void **state)
{
	(void)state;
	assert_string_equal(size_about(0).text, "0B");
	assert_string_equal(size_about(512).text, "512B");
	assert_string_equal(size_about(12059188).text, "11.5M");
	assert_string_equal(size_about(8 << 20).text, "8M");
	assert_string_equal(size_about(524852).text, "512K");
	assert_string_equal(duration_about(2987 * NS_PER_MS).text, "3.0s");
	assert_string_equal(duration_about(7 * 86400 * NS_PER_S).text, "7d");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(about_is_near_enough_for_a_person),
		cmocka_unit_test(durations_are_read_in_every_unit),
		cmocka_unit_test(sizes_are_powers_of_1024),
		cmocka_unit_test(the_text_is_exact_where_a_larger_unit_would_round),
		cmocka_unit_test(a_bare_number_is_refused_with_what_to_write),
		cmocka_unit_test(what_is_not_a_quantity_is_refused),
		cmocka_unit_test(what_does_not_fit_is_refused),
		cmocka_unit_test(the_nearest_name_forgives_a_slip),
		cmocka_unit_test(what_is_not_near_has_no_nearest_name),
		cmocka_unit_test(names_at_the_length_limit_are_compared),
	};

	return cmocka_run_group_tests_name("units", tests, NULL, NULL);
}
