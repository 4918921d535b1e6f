#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/units.h"

static uint64_t now(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static void an_anchor_lies_between_two_readings(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		uint64_t boot = clock_boot(), wall = now(CLOCK_REALTIME),
			 mono = now(CLOCK_MONOTONIC);
		struct anchor a = anchor_take();

		assert_in_range(a.boot, boot, clock_boot());
		assert_in_range(a.wall_ns, wall, now(CLOCK_REALTIME));
		assert_in_range(a.mono_ns, mono, now(CLOCK_MONOTONIC));
		assert_true(a.tai_ns >= a.wall_ns - a.width);
		assert_true(a.width < NS_PER_MS);
		assert_int_equal(a.printk_ns, 0);
	}
}

static void an_anchor_maps_both_ways_in_time(void **state)
{
	struct anchor a = { .boot = 1000 * NS_PER_S, .wall_ns = 1700000000 * NS_PER_S };

	(void)state;
	assert_int_equal(anchor_wall(&a, 1001 * NS_PER_S), 1700000001 * NS_PER_S);
	assert_int_equal(anchor_wall(&a, 999 * NS_PER_S), 1699999999 * NS_PER_S);
}

static void the_log_clock_is_interpolated_between_its_anchors(void **state)
{
	const struct anchor anchors[] = {
		{ .boot = 1000 }, /* does not know that clock */
		{ .boot = 10000, .printk_ns = 5000 },
		{ .boot = 20100, .printk_ns = 15000 }, /* it loses 100 in 10000 */
		{ .boot = 30100, .printk_ns = 25000 },
	};

	(void)state;
	assert_int_equal(anchors_printk(anchors, 4, 5000), 10000);
	assert_int_equal(anchors_printk(anchors, 4, 10000), 15050);
	assert_int_equal(anchors_printk(anchors, 4, 15000), 20100);
	assert_int_equal(anchors_printk(anchors, 4, 20000), 25100);
	/* outside of them the nearest one's distance holds */
	assert_int_equal(anchors_printk(anchors, 4, 4000), 9000);
	assert_int_equal(anchors_printk(anchors, 4, 26000), 31100);
	assert_int_equal(anchors_printk(anchors, 2, 26000), 31000);
}

static void a_log_clock_that_no_anchor_knows_is_0(void **state)
{
	const struct anchor anchors[] = { { .boot = 1000 }, { .boot = 2000 } };

	(void)state;
	assert_int_equal(anchors_printk(anchors, 2, 1500), 0);
	assert_int_equal(anchors_printk(NULL, 0, 1500), 0);
}

static void absurd_anchors_do_no_harm(void **state)
{
	const struct anchor low[] = { { .boot = 10, .printk_ns = 5000 } };
	const struct anchor high[] = { { .boot = UINT64_MAX, .printk_ns = 1 } };
	const struct anchor twice[] = { { .boot = 10, .printk_ns = 5 },
					{ .boot = 5, .printk_ns = 5 } };
	const struct anchor wide[] = { { .boot = UINT64_MAX, .printk_ns = 1 },
				       { .boot = 0, .printk_ns = UINT64_MAX } };

	(void)state;
	assert_int_equal(anchors_printk(low, 1, 1), 1);
	assert_int_equal(anchors_printk(high, 1, UINT64_MAX), UINT64_MAX);
	assert_int_equal(anchors_printk(twice, 2, 6), 11);
	assert_true(anchors_printk(wide, 2, UINT64_MAX / 2) > 0);
}

static void times_are_written_in_utc(void **state)
{
	uint64_t wall = 1787541302 * NS_PER_S + 123456789;

	(void)state;
	assert_string_equal(clock_utc(wall).text, "2026-08-24T03:15:02.123456789Z");
	assert_string_equal(clock_stamp(wall).text, "20260824T031502Z");
	assert_string_equal(clock_utc(0).text, "1970-01-01T00:00:00.000000000Z");
	assert_string_equal(clock_utc(UINT64_MAX).text, "2554-07-21T23:34:33.709551615Z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_anchor_lies_between_two_readings),
		cmocka_unit_test(an_anchor_maps_both_ways_in_time),
		cmocka_unit_test(the_log_clock_is_interpolated_between_its_anchors),
		cmocka_unit_test(a_log_clock_that_no_anchor_knows_is_0),
		cmocka_unit_test(absurd_anchors_do_no_harm),
		cmocka_unit_test(times_are_written_in_utc),
	};

	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
