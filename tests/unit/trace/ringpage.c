#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ownring.h"
#include "trace/ringpage.h"

static const char header_page[] = "\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n"
				  "\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;\n"
				  "\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;\n"
				  "\tfield: char data;\toffset:16;\tsize:4080;\tsigned:0;\n";

static const struct ringpage_layout layout = { .data_offset = 16,
					       .page_size = 4096,
					       .commit_size = 8 };

/* A page under construction. */
static uint8_t page[4096];
static uint32_t used;

static void put_commit(uint32_t commit)
{
	memcpy(page + 8, &commit, sizeof(commit));
}

static void put_word(uint32_t word)
{
	memcpy(page + 16 + used, &word, sizeof(word));
	used += 4;
	put_commit(used);
}

static void put_record(uint32_t type, uint32_t delta)
{
	put_word(delta << 5 | type);
}

static void start_page(uint64_t time)
{
	memset(page, 0, sizeof(page));
	memcpy(page, &time, sizeof(time));
	used = 0;
}

static void the_layout_is_what_the_kernel_says(void **state)
{
	struct ringpage_layout got;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(ringpage_layout_parse(&got, header_page, &e), 0);
	assert_int_equal(got.data_offset, 16);
	assert_int_equal(got.page_size, 4096);
	assert_int_equal(got.commit_size, 8);
}

static void a_layout_that_no_kernel_has_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;\n",
		"field: local_t commit;\toffset:8;\tsize:2;\nfield: char "
		"data;\toffset:10;\tsize:4080;\n",
		"field: local_t commit;\toffset:0;\tsize:8;\nfield: char "
		"data;\toffset:8;\tsize:4080;\n",
		"field: local_t commit;\toffset:8;\tsize:8;\nfield: char "
		"data;\toffset:8;\tsize:4080;\n",
		"field: local_t commit;\toffset:8;\tsize:8;\nfield: char "
		"data;\toffset:16;\tsize:0;\n",
		"field: local_t commit;\toffset:8;\tsize:8;\nfield: char "
		"data;\toffset:16;\tsize:4294967295;\n",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct ringpage_layout got;
		struct err e = ERR_INIT;

		assert_int_equal(ringpage_layout_parse(&got, texts[i], &e), -EINVAL);
		assert_non_null(strstr(e.text, "header_page"));
	}
}

static void deltas_add_up_over_all_kinds_of_records(void **state)
{
	struct ringpage_record record;
	struct ringpage walk;

	(void)state;
	start_page(1000);
	put_record(1, 0); /* 4 bytes at 1000 */
	put_word(0xaaaaaaaa);
	put_record(0, 5); /* 8 bytes, with a length word, at 1005 */
	put_word(12);
	put_word(1);
	put_word(2);
	put_record(30, 7); /* 2 << 27 and 7 later */
	put_word(2);
	put_record(2, 3);
	put_word(3);
	put_word(4);

	ringpage_open(&walk, &layout, page);
	assert_int_equal(ringpage_next(&walk, &record), 1);
	assert_int_equal(record.time, 1000);
	assert_int_equal(record.size, 4);
	assert_int_equal(record.data[0], 0xaa);
	assert_int_equal(ringpage_next(&walk, &record), 1);
	assert_int_equal(record.time, 1005);
	assert_int_equal(record.size, 8);
	assert_int_equal(record.data[0], 1);
	assert_int_equal(ringpage_next(&walk, &record), 1);
	assert_int_equal(record.time, 1005 + (2ull << 27) + 7 + 3);
	assert_int_equal(record.size, 8);
	assert_int_equal(ringpage_next(&walk, &record), 0);
	assert_int_equal(ringpage_next(&walk, &record), 0);
}

static void an_absolute_stamp_replaces_the_time_but_for_its_upper_bits(void **state)
{
	struct ringpage_record record;
	struct ringpage walk;

	(void)state;
	start_page((3ull << 59) + 50);
	put_record(31, 100);
	put_word(0);
	put_record(1, 1);
	put_word(0);
	ringpage_open(&walk, &layout, page);
	assert_int_equal(ringpage_next(&walk, &record), 1);
	assert_true(record.time == (3ull << 59) + 101);

	start_page(50);
	put_record(31, 20);
	put_word(0);
	put_record(1, 1);
	put_word(0);
	ringpage_open(&walk, &layout, page);
	assert_int_equal(ringpage_next(&walk, &record), 1);
	assert_int_equal(record.time, 21);
}

static void a_discarded_record_is_skipped_and_its_delta_counts(void **state)
{
	struct ringpage_record record;
	struct ringpage walk;

	(void)state;
	start_page(0);
	put_record(29, 10);
	put_word(8);
	put_word(0);
	put_record(29, 1); /* a delta of 1 stands for none */
	put_word(4);
	put_record(1, 2);
	put_word(0);
	ringpage_open(&walk, &layout, page);
	assert_int_equal(ringpage_next(&walk, &record), 1);
	assert_int_equal(record.time, 12);
	assert_int_equal(ringpage_next(&walk, &record), 0);
}

static void padding_without_a_delta_ends_the_page(void **state)
{
	struct ringpage_record record;
	struct ringpage walk;

	(void)state;
	start_page(0);
	put_record(1, 0);
	put_word(0);
	put_record(29, 0);
	put_record(1, 0);
	put_word(0);
	ringpage_open(&walk, &layout, page);
	assert_int_equal(ringpage_next(&walk, &record), 1);
	assert_int_equal(ringpage_next(&walk, &record), 0);
}

static void missed_events_are_told_with_their_count_if_it_is_stored(void **state)
{
	uint64_t count = 77;
	struct ringpage walk;

	(void)state;
	start_page(0);
	put_record(1, 0);
	put_word(0);
	ringpage_open(&walk, &layout, page);
	assert_false(walk.missed);

	ringpage_flag_missed(page);
	ringpage_open(&walk, &layout, page);
	assert_true(walk.missed);
	assert_int_equal(walk.missed_count, 0);

	memcpy(page + 16 + used, &count, sizeof(count));
	put_commit(used | 3u << 30);
	ringpage_open(&walk, &layout, page);
	assert_true(walk.missed);
	assert_int_equal(walk.missed_count, 77);
	assert_int_equal(ringpage_used(&layout, page), used);
}

static void a_count_that_would_lie_behind_the_page_is_not_read(void **state)
{
	struct ringpage walk;

	(void)state;
	start_page(0);
	memset(page + 16, 0xff, 4080);
	put_commit(4080 | 3u << 30);
	ringpage_open(&walk, &layout, page);
	assert_true(walk.missed);
	assert_int_equal(walk.missed_count, 0);
}

static void a_commit_larger_than_the_page_gives_an_empty_walk(void **state)
{
	struct ringpage_record record;
	struct ringpage walk;

	(void)state;
	start_page(0);
	put_commit(4081);
	ringpage_open(&walk, &layout, page);
	assert_int_equal(ringpage_next(&walk, &record), 0);
	assert_int_equal(ringpage_used(&layout, page), 0);
}

static void a_record_that_reaches_out_of_the_page_is_an_error(void **state)
{
	static const uint32_t firsts[][2] = {
		{ 28, 0 }, /* 112 bytes of 4 */
		{ 0, 3 },  /* a length that does not count itself */
		{ 0, 9 },  /* a length beyond the end */
		{ 0, 0xffffffff },
		{ 29 | 5 << 5, 8 }, /* discarded, beyond the end */
		{ 29 | 5 << 5, 0xfffffffc },
		{ 29 | 5 << 5, 0 }, /* discarded, of no length: would never end */
	};
	struct ringpage_record record;
	struct ringpage walk;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(firsts) / sizeof(*firsts); i++) {
		start_page(0);
		put_word(firsts[i][0]);
		put_word(firsts[i][1]);
		ringpage_open(&walk, &layout, page);
		assert_int_equal(ringpage_next(&walk, &record), -EINVAL);
		assert_int_equal(ringpage_next(&walk, &record), 0);
	}
	for (i = 30; i < 32; i++) { /* a time whose word is missing */
		start_page(0);
		put_record((uint32_t)i, 1);
		ringpage_open(&walk, &layout, page);
		assert_int_equal(ringpage_next(&walk, &record), -EINVAL);
	}
	start_page(0);
	put_commit(3); /* not even a header */
	ringpage_open(&walk, &layout, page);
	assert_int_equal(ringpage_next(&walk, &record), -EINVAL);
}

/* The page is on the heap, so that a sanitizer sees each byte outside of it. */
static void random_pages_end_and_stay_within_themselves(void **state)
{
	uint8_t *random_page = malloc(4096);
	unsigned seed = 7;
	unsigned round;
	int i;

	(void)state;
	for (round = 0; round < 5000; round++) {
		struct ringpage_record record;
		struct ringpage walk;
		unsigned n = 0;

		for (i = 0; i < 4096; i++)
			random_page[i] = (uint8_t)rand_r(&seed);
		random_page[9] &= 0x0f;
		random_page[10] = 0;
		ringpage_open(&walk, &layout, random_page);
		while (ringpage_next(&walk, &record) > 0) {
			assert_true(record.data >= random_page + 16);
			assert_true(record.data + record.size <= random_page + 4096);
			assert_true(++n < 4096);
		}
	}
	free(random_page);
}

static void the_kernels_own_pages_have_the_records_that_its_stats_count(void **state)
{
	struct ringpage_layout own;
	struct ringpage_record record;
	struct ringpage walk;
	struct err e = ERR_INIT;
	struct ownring ring;
	uint64_t last = 0;
	uint8_t *raw;
	char *header;
	unsigned marks = 0;
	unsigned i;
	long cpu;

	(void)state;
	if (!ownring_open(&ring, "ringpage"))
		skip();
	ownring_write(&ring, "trace_clock", "boot");
	for (i = 0; i < 500; i++)
		assert_true(ownring_write(&ring, "trace_marker", "a mark of some length"));
	ownring_write(&ring, "tracing_on", "0");
	header = ownring_read(ring.dir, "events/header_page");
	assert_int_equal(ringpage_layout_parse(&own, header, &e), 0);
	raw = malloc(own.page_size);

	for (cpu = 0; cpu < sysconf(_SC_NPROCESSORS_CONF); cpu++) {
		int fd = ownring_pages(&ring, (unsigned)cpu);

		while (fd >= 0 && read(fd, raw, own.page_size) == (ssize_t)own.page_size) {
			ringpage_open(&walk, &own, raw);
			assert_true(walk.time == ringpage_time(&own, raw));
			while (ringpage_next(&walk, &record) > 0) {
				assert_non_null(
					memmem(record.data, record.size, "some length", 11));
				last = record.time;
				marks++;
			}
		}
		if (fd >= 0)
			close(fd);
	}
	assert_int_equal(marks, 500);
	assert_true(last > 0);
	free(raw);
	free(header);
	ownring_close(&ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_layout_is_what_the_kernel_says),
		cmocka_unit_test(a_layout_that_no_kernel_has_is_refused),
		cmocka_unit_test(deltas_add_up_over_all_kinds_of_records),
		cmocka_unit_test(an_absolute_stamp_replaces_the_time_but_for_its_upper_bits),
		cmocka_unit_test(a_discarded_record_is_skipped_and_its_delta_counts),
		cmocka_unit_test(padding_without_a_delta_ends_the_page),
		cmocka_unit_test(missed_events_are_told_with_their_count_if_it_is_stored),
		cmocka_unit_test(a_count_that_would_lie_behind_the_page_is_not_read),
		cmocka_unit_test(a_commit_larger_than_the_page_gives_an_empty_walk),
		cmocka_unit_test(a_record_that_reaches_out_of_the_page_is_an_error),
		cmocka_unit_test(random_pages_end_and_stay_within_themselves),
		cmocka_unit_test(the_kernels_own_pages_have_the_records_that_its_stats_count),
	};

	return cmocka_run_group_tests_name("ringpage", tests, NULL, NULL);
}
