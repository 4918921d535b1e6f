/* Pages made of records read back as those records. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/auto.h"
#include "madepages.h"
#include "trace/pagemaker.h"

#define RECORDS 5000

struct bench {
	struct ringpage_layout layout;
	struct pagemaker maker;
	int fd;
	uint32_t sizes[RECORDS];
	uint64_t times[RECORDS];
	uint8_t data[4096];
};

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct err e = ERR_INIT;

	*state = b;
	b->fd = made_file();
	if (ringpage_layout_parse(&b->layout, made_header_page, &e) < 0)
		return -1;
	return pagemaker_open(&b->maker, &b->layout, b->fd, &e);
}

static int teardown(void **state)
{
	struct bench *b = *state;

	close(b->fd);
	free(b);
	return 0;
}

static void add(struct bench *b, uint64_t time, uint32_t size, uint8_t value)
{
	const struct ringpage_record record = { .time = time, .size = size, .data = b->data };
	struct err e = ERR_INIT;

	memset(b->data, value, size);
	assert_int_equal(pagemaker_add(&b->maker, &record, &e), 0);
}

/* Lengths are those of the kernel's: in words of 4 bytes. */
static uint32_t whole_words(uint32_t size)
{
	return (size + 3) & ~3u;
}

static void test_round_trip(void **state)
{
	struct bench *b = *state;
	struct err e = ERR_INIT;
	uint64_t time = 1ull << 40;
	uint8_t page[MADE_PAGE];
	size_t n = 0;

	srandom(7);
	for (size_t i = 0; i < RECORDS; i++) {
		uint64_t step = (uint64_t)random() << (random() % 4 ? 0 : 12);

		b->times[i] = time += step;
		b->sizes[i] = i % 50 ? 1 + random() % 200 : 4064 - random() % 8;
		add(b, time, b->sizes[i], i);
	}
	assert_int_equal(pagemaker_close(&b->maker, &e), 0);
	lseek(b->fd, 0, SEEK_SET);
	while (read(b->fd, page, sizeof(page)) == sizeof(page)) {
		struct ringpage_record record;
		struct ringpage walk;

		ringpage_open(&walk, &b->layout, page);
		assert_false(walk.missed);
		while (ringpage_next(&walk, &record) > 0) {
			assert_true(n < RECORDS);
			assert_true(record.time == b->times[n]);
			assert_int_equal(record.size, whole_words(b->sizes[n]));
			assert_int_equal(record.data[0], (uint8_t)n);
			assert_int_equal(record.data[b->sizes[n] - 1], (uint8_t)n);
			n++;
		}
	}
	assert_int_equal(n, RECORDS);
}

/* What was lost is marked before the record behind it; what is larger than a page is left out. */
static void test_loss(void **state)
{
	struct bench *b = *state;
	struct err e = ERR_INIT;
	struct ringpage_record record;
	struct ringpage walk;
	uint8_t page[MADE_PAGE];

	add(b, 100, 16, 1);
	add(b, 150, 4080, 9);
	assert_int_equal(pagemaker_note_loss(&b->maker, &e), 0);
	add(b, 200, 16, 2);
	assert_int_equal(pagemaker_close(&b->maker, &e), 0);
	lseek(b->fd, 0, SEEK_SET);
	for (int i = 1; i <= 2; i++) {
		assert_int_equal(read(b->fd, page, sizeof(page)), sizeof(page));
		ringpage_open(&walk, &b->layout, page);
		assert_int_equal(walk.missed, i == 2);
		assert_int_equal(ringpage_next(&walk, &record), 1);
		assert_int_equal(record.data[0], i);
		assert_int_equal(ringpage_next(&walk, &record), 0);
	}
	assert_int_equal(read(b->fd, page, sizeof(page)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
		cmocka_unit_test_setup_teardown(test_loss, setup, teardown),
	};

	return cmocka_run_group_tests_name("pagemaker", tests, NULL, NULL);
}
