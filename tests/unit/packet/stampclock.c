#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/units.h"
#include "packet/stampclock.h"

#define BOOT (1000 * NS_PER_S)
#define WALL (1782000000 * NS_PER_S)

/* The wall clock is WALL at BOOT, OFFSET later after it was set. */
static struct anchor anchor_at(uint64_t boot, int64_t offset)
{
	return (struct anchor) { .boot = boot, .wall_ns = WALL + (boot - BOOT) + offset };
}

static uint64_t wall_at(uint64_t boot, int64_t offset)
{
	return anchor_at(boot, offset).wall_ns;
}

static void stamps_become_boot_times(void **state)
{
	struct stampclock clock = { 0 };
	struct anchor a = anchor_at(BOOT, 0);

	(void)state;
	assert_int_equal(stampclock_set(&clock, &a), 0);
	assert_int_equal(stampclock_boot(&clock, WALL + 17, UINT64_MAX), BOOT + 17);
	assert_int_equal(stampclock_boot(&clock, WALL - 17, UINT64_MAX), BOOT - 17);
}

static void a_slewed_clock_is_followed(void **state)
{
	struct stampclock clock = { 0 };

	(void)state;
	for (int i = 0; i < 1000; i++) {
		uint64_t boot = BOOT + i * 20 * NS_PER_MS;
		struct anchor a = anchor_at(boot, i * 10000);

		assert_int_equal(stampclock_set(&clock, &a), 0);
		assert_int_equal(stampclock_boot(&clock, wall_at(boot - 5, i * 10000), boot),
				 boot - 5);
	}
}

/* Packets each 100 us; the clock is set between two of them, in the middle of what comes as one
 * batch. */
static void assert_in_order_over_a_step(int64_t step, uint64_t error_max)
{
	struct stampclock clock = { 0 };
	struct anchor a = anchor_at(BOOT, 0);
	uint64_t last = 0;

	stampclock_set(&clock, &a);
	for (int batch = 1; batch < 100; batch++) {
		uint64_t end = BOOT + batch * 20 * NS_PER_MS;
		int64_t told;

		a = anchor_at(end, batch >= 50 ? step : 0);
		told = stampclock_set(&clock, &a);
		assert_int_equal(told, batch == 50 ? step : 0);
		for (uint64_t t = end - 20 * NS_PER_MS; t < end; t += 100000) {
			bool after = batch > 50 || (batch == 50 && t >= end - 10 * NS_PER_MS);
			uint64_t boot = stampclock_boot(&clock, wall_at(t, after ? step : 0), end);
			uint64_t error = boot > t ? boot - t : t - boot;

			assert_true(boot >= last);
			assert_true(error <= error_max);
			if (batch < 50 || batch > 51)
				assert_int_equal(error, 0);
			last = boot;
		}
		stampclock_caught_up(&clock);
	}
}

static void a_clock_that_is_set_does_not_reorder(void **state)
{
	(void)state;
	assert_in_order_over_a_step(3600 * (int64_t)NS_PER_S, 0);
	assert_in_order_over_a_step(-3600 * (int64_t)NS_PER_S, 0);
	assert_in_order_over_a_step(100 * (int64_t)NS_PER_MS, 0);
	assert_in_order_over_a_step(-100 * (int64_t)NS_PER_MS, 0);
	/* what is smaller than a batch is not always seen at once */
	assert_in_order_over_a_step(5 * (int64_t)NS_PER_MS, 5 * NS_PER_MS);
	assert_in_order_over_a_step(-5 * (int64_t)NS_PER_MS, 5 * NS_PER_MS);
}

static void without_a_step_late_stamps_keep_their_time(void **state)
{
	struct stampclock clock = { 0 };
	struct anchor a = anchor_at(BOOT, 0);

	(void)state;
	stampclock_set(&clock, &a);
	assert_int_equal(stampclock_boot(&clock, WALL + 5000000, UINT64_MAX), BOOT + 5000000);
	assert_int_equal(stampclock_boot(&clock, WALL + 1000000, UINT64_MAX), BOOT + 1000000);
	assert_int_equal(clock.newest, BOOT + 5000000);
}

static void a_step_is_forgotten_after_a_while(void **state)
{
	struct stampclock clock = { 0 };
	struct anchor a = anchor_at(BOOT, 0);

	(void)state;
	stampclock_set(&clock, &a);
	a = anchor_at(BOOT + 1, NS_PER_S);
	assert_int_equal(stampclock_set(&clock, &a), NS_PER_S);
	stampclock_caught_up(&clock);
	a = anchor_at(BOOT + 2 * NS_PER_S, NS_PER_S);
	assert_int_equal(stampclock_set(&clock, &a), 0);
	assert_int_equal(stampclock_boot(&clock, wall_at(BOOT + 100, NS_PER_S), UINT64_MAX),
			 BOOT + 100);
	assert_int_equal(stampclock_boot(&clock, wall_at(BOOT + 50, NS_PER_S), UINT64_MAX),
			 BOOT + 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stamps_become_boot_times),
		cmocka_unit_test(a_slewed_clock_is_followed),
		cmocka_unit_test(a_clock_that_is_set_does_not_reorder),
		cmocka_unit_test(without_a_step_late_stamps_keep_their_time),
		cmocka_unit_test(a_step_is_forgotten_after_a_while),
	};

	return cmocka_run_group_tests_name("stampclock", tests, NULL, NULL);
}
