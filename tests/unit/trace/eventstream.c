/* Records of several CPUs become one stream, in the order of time, whenever their pages come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/units.h"
#include "madepages.h"
#include "trace/eventstream.h"

#define CPUS 3
#define MS 1000000ull

/* Each CPU's pages, and how many of them are there by now. */
struct bench {
	struct ringpage_layout layout;
	struct eventstream *stream;
	int fds[CPUS];
	unsigned there[CPUS], taken[CPUS];
	bool ended[CPUS];
};

static enum page fill(void *arg, unsigned cpu, void *page)
{
	struct bench *b = arg;

	if (b->taken[cpu] == b->there[cpu])
		return b->ended[cpu] ? PAGE_END : PAGE_NONE;
	assert_int_equal(pread(b->fds[cpu], page, MADE_PAGE, b->taken[cpu]++ * MADE_PAGE),
			 MADE_PAGE);
	return PAGE_READ;
}

static int setup(void **state)
{
	struct bench *b = *state = calloc(1, sizeof(*b));
	struct err e = ERR_INIT;

	for (int cpu = 0; cpu < CPUS; cpu++)
		b->fds[cpu] = memfd_create("pages", 0);
	assert_int_equal(ringpage_layout_parse(&b->layout, made_header_page, &e), 0);
	return eventstream_create(&b->stream, &b->layout, CPUS, fill, b, &e);
}

static int teardown(void **state)
{
	struct bench *b = *state;

	for (int cpu = 0; cpu < CPUS; cpu++)
		close(b->fds[cpu]);
	eventstream_free(b->stream);
	free(b);
	return 0;
}

static void page(struct bench *b, unsigned cpu, uint64_t time, uint32_t step, uint32_t number,
		 uint32_t n, uint32_t flags)
{
	made_page(b->fds[cpu], time, step, number, n, flags);
	b->there[cpu]++;
}

/* The numbers of all that is certain by NOW; 0 behind them. */
static size_t take(struct bench *b, uint64_t now, uint32_t *numbers)
{
	const struct ringpage_record *record;
	uint64_t last = 0;
	unsigned cpu;
	size_t n = 0;

	eventstream_look(b->stream, now);
	while ((record = eventstream_peek(b->stream, &cpu))) {
		struct made_record tick;

		assert_true(record->time >= last);
		last = record->time;
		memcpy(&tick, record->data, sizeof(tick));
		numbers[n++] = tick.number;
		eventstream_take(b->stream);
	}
	numbers[n] = 0;
	return n;
}

static void they_come_in_the_order_of_time(void **state)
{
	struct bench *b = *state;
	uint32_t numbers[100];

	page(b, 0, 10 * MS, 2000, 1, 3, 0); /* 1, 2, 3 at +0, +2, +4 us */
	page(b, 1, 10 * MS + 1000, 2000, 11, 3, 0);
	page(b, 2, 10 * MS + 4500, 0, 21, 1, 0);
	assert_int_equal(take(b, 20 * MS, numbers), 7);
	assert_int_equal(numbers[0], 1);
	assert_int_equal(numbers[1], 11);
	assert_int_equal(numbers[2], 2);
	assert_int_equal(numbers[3], 12);
	assert_int_equal(numbers[4], 3);
	assert_int_equal(numbers[5], 21);
	assert_int_equal(numbers[6], 13);
	assert_int_equal(eventstream_seen(b->stream), 20 * MS - EVENTSTREAM_DELAY);
}

/* A CPU that shows nothing may still have an older one for a while. */
static void nothing_is_certain_until_all_were_seen(void **state)
{
	struct bench *b = *state;
	uint32_t numbers[100];

	page(b, 0, 10 * MS, 0, 1, 1, 0);
	assert_int_equal(take(b, 10 * MS + EVENTSTREAM_DELAY - 1, numbers), 0);
	assert_true(eventstream_waits(b->stream));
	page(b, 1, 10 * MS - 5, 0, 11, 1, 0);
	assert_int_equal(take(b, 10 * MS + EVENTSTREAM_DELAY, numbers), 2);
	assert_int_equal(numbers[0], 11);
	assert_int_equal(numbers[1], 1);
	assert_false(eventstream_waits(b->stream));
}

static void one_that_has_ended_holds_nobody_up(void **state)
{
	struct bench *b = *state;
	uint32_t numbers[100];

	page(b, 0, 10 * MS, 0, 1, 1, 0);
	b->ended[1] = b->ended[2] = true;
	assert_int_equal(take(b, 10 * MS, numbers), 1);
	b->ended[0] = true;
	assert_int_equal(take(b, 10 * MS, numbers), 0);
	assert_int_equal(eventstream_seen(b->stream), UINT64_MAX);
}

static void a_loss_is_told_with_its_time(void **state)
{
	struct bench *b = *state;
	uint32_t numbers[100];
	uint64_t to;

	page(b, 0, 10 * MS, 0, 1, 1, 0);
	take(b, 20 * MS, numbers);
	assert_false(eventstream_missed(b->stream, &to));
	page(b, 0, 30 * MS, 0, 5, 1, 1u << 31);
	take(b, 40 * MS, numbers);
	assert_true(eventstream_missed(b->stream, &to));
	assert_int_equal(to, 30 * MS);
	assert_false(eventstream_missed(b->stream, &to));
}

/* Pages of many sizes, on CPUs that are behind each other by any time: the numbers say the order.
 */
static void any_interleaving_gives_one_order(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 200; seed++) {
		struct bench *b;
		void *made;
		uint32_t numbers[2000], expected = 1;
		uint64_t now = 100 * MS;

		setup(&made);
		b = made;
		srand(seed);
		while (expected < 1000) {
			size_t n;
			uint32_t first = expected;

			/* a tick each microsecond, on one CPU after the other */
			for (int i = rand() % 5; i >= 0; i--) {
				uint32_t count = 1 + rand() % 20;

				page(b, rand() % CPUS, now, 1000, first, count, 0);
				now += count * 1000;
				first += count;
			}
			now += EVENTSTREAM_DELAY * 2;
			n = take(b, now, numbers);
			assert_int_equal(n, first - expected);
			for (size_t i = 0; i < n; i++)
				assert_int_equal(numbers[i], expected + i);
			expected = first;
		}
		teardown(&made);
	}
}

#define STREAM_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STREAM_TEST(they_come_in_the_order_of_time),
		STREAM_TEST(nothing_is_certain_until_all_were_seen),
		STREAM_TEST(one_that_has_ended_holds_nobody_up),
		STREAM_TEST(a_loss_is_told_with_its_time),
		cmocka_unit_test(any_interleaving_gives_one_order),
	};

	return cmocka_run_group_tests_name("eventstream", tests, NULL, NULL);
}
