#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sys/resource.h>
#include <signal.h>

#include "madepages.h"
#include "ownring.h"
#include "trace/tracedat.h"

static const struct ringpage_layout layout = { .data_offset = 16,
					       .page_size = 4096,
					       .commit_size = 8 };

static struct tracedat *opened(int fd)
{
	struct tracedat *dat = NULL;
	struct err e = ERR_INIT;

	if (tracedat_open(&dat, fd, &e) < 0)
		fail_msg("%s", e.text);
	return dat;
}

static struct tracedat_walk *walk_of(const struct tracedat *dat)
{
	struct tracedat_walk *walk = NULL;
	struct err e = ERR_INIT;

	assert_int_equal(tracedat_walk_open(&walk, dat, &e), 0);
	return walk;
}

static uint32_t number_of(const struct tracedat_record *record)
{
	struct made_record made;

	assert_int_equal(record->size, sizeof(made));
	memcpy(&made, record->data, sizeof(made));
	return made.number;
}

/* Two CPUs, three pages each, ticks at 1000, 1010, ... on the one and 1005, 1015, ... on the other.
 */
static struct tracedat *two_cpus(void)
{
	int streams[2] = { made_file(), made_file() };
	struct tracedat *dat;
	int fd;
	uint32_t i;

	for (i = 0; i < 3; i++) {
		made_page(streams[0], 1000 + i * 1000, 10, i * 200, 100, 0);
		made_page(streams[1], 1005 + i * 1000, 10, i * 200 + 100, 100, 0);
	}
	fd = made_dat(streams, 2, NULL);
	dat = opened(fd);
	close(fd);
	close(streams[0]);
	close(streams[1]);
	return dat;
}

static void what_is_written_is_read_back(void **state)
{
	struct tracedat *dat = two_cpus();
	const struct tracedat_texts *texts = tracedat_texts(dat);
	size_t n;

	(void)state;
	assert_int_equal(tracedat_cpus(dat), 2);
	assert_int_equal(tracedat_pages(dat, 0), 3);
	assert_int_equal(tracedat_pages(dat, 1), 3);
	assert_memory_equal(tracedat_layout(dat), &layout, sizeof(layout));
	assert_int_equal(ringpage_time(&layout, tracedat_page(dat, 1, 2)), 3005);
	assert_string_equal(tracedat_format(dat, 500)->name, "tick");
	assert_null(tracedat_format(dat, 501));
	assert_ptr_equal(tracedat_formats(dat, &n)[0], tracedat_format(dat, 500));
	assert_int_equal(n, 1);
	assert_int_equal(texts->saved_cmdlines.size, strlen("42 tick tock\n"));
	assert_memory_equal(texts->saved_cmdlines.at, "42 tick tock\n", texts->saved_cmdlines.size);
	assert_int_equal(texts->uname.size, strlen("Linux made"));
	assert_int_equal(texts->header_page.size, strlen(made_header_page));
	assert_int_equal(texts->kallsyms.size, 0);
	assert_int_equal(texts->trace_clock.size, 0); /* the boot clock is not spelled out */
	tracedat_close(dat);
	tracedat_close(NULL);
}

static void a_clock_other_than_boot_is_told(void **state)
{
	struct tracedat_about about = {
		.layout = layout,
		.header_page = made_header_page,
		.trace_clock = "[mono] boot",
	};
	struct tracedat_cpu cpu = { .stats = "entries: 1\noverrun: 9\n" };
	struct err e = ERR_INIT;
	int fd = made_file();
	struct tracedat *dat;

	(void)state;
	assert_int_equal(tracedat_write(fd, &about, &cpu, 1, NULL, &e), 0);
	dat = opened(fd);
	assert_int_equal(tracedat_texts(dat)->trace_clock.size, 11);
	assert_memory_equal(tracedat_texts(dat)->trace_clock.at, "[mono] boot", 11);
	assert_string_equal(tracedat_stats(dat, 0).at, "entries: 1\noverrun: 9\n");
	assert_int_equal(tracedat_pages(dat, 0), 0);
	tracedat_close(dat);
	close(fd);
}

static void the_walk_merges_the_cpus_in_the_order_of_time(void **state)
{
	struct tracedat *dat = two_cpus();
	struct tracedat_walk *walk = walk_of(dat);
	struct tracedat_record record;
	uint64_t last = 0;
	unsigned n = 0;

	(void)state;
	while (tracedat_walk_next(walk, &record)) {
		assert_true(record.time > last);
		assert_int_equal(record.cpu, n % 2);
		assert_false(record.missed);
		last = record.time;
		n++;
	}
	assert_int_equal(n, 600);
	assert_int_equal(tracedat_walk_next(walk, &record), 0);
	tracedat_walk_close(walk);
	tracedat_walk_close(NULL);
	tracedat_close(dat);
}

static void many_cpus_are_merged_too_and_equal_times_by_cpu(void **state)
{
	int streams[7];
	struct tracedat_record record;
	struct tracedat_record last = { 0 };
	struct tracedat_walk *walk;
	struct tracedat *dat;
	unsigned n = 0;
	unsigned i;

	(void)state;
	for (i = 0; i < 7; i++) {
		streams[i] = made_file();
		made_page(streams[i], 100 + 7 * (i % 3), 7, 0, 20 * i, 0);
	}
	dat = opened(made_dat(streams, 7, NULL));
	walk = walk_of(dat);
	while (tracedat_walk_next(walk, &record)) {
		if (n++) {
			assert_true(record.time >= last.time);
			assert_true(record.time > last.time || record.cpu > last.cpu);
		}
		last = record;
	}
	assert_int_equal(n, 20 * (1 + 2 + 3 + 4 + 5 + 6));
	tracedat_walk_close(walk);
	tracedat_close(dat);
}

static void a_walk_can_start_at_any_time(void **state)
{
	static const struct {
		uint64_t time;
		uint64_t first; /* 0: none */
	} wants[] = { { 0, 1000 },    { 1000, 1000 }, { 1001, 1005 },
		      { 1995, 1995 }, { 1996, 2000 }, { 2000, 2000 },
		      { 3995, 3995 }, { 3996, 0 },    { UINT64_MAX, 0 } };
	struct tracedat *dat = two_cpus();
	struct tracedat_walk *walk = walk_of(dat);
	struct tracedat_record record;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(wants) / sizeof(*wants); i++) {
		tracedat_walk_seek(walk, wants[i].time);
		assert_int_equal(tracedat_walk_next(walk, &record), wants[i].first != 0);
		if (wants[i].first)
			assert_int_equal(record.time, wants[i].first);
	}
	tracedat_walk_close(walk);
	tracedat_close(dat);
}

static void the_last_n_before_a_time_are_exactly_n(void **state)
{
	static const struct {
		uint64_t n;
		uint64_t time;
		uint64_t first;
	} wants[] = { { 1, 2000, 1995 }, { 3, 2000, 1985 },    { 1, UINT64_MAX, 3995 },
		      { 1, 2001, 2000 }, { 201, 3000, 1995 },  { 250, 3000, 1750 },
		      { 1, 1001, 1000 }, { 9999, 3000, 1000 }, { 600, UINT64_MAX, 1000 } };
	struct tracedat *dat = two_cpus();
	struct tracedat_walk *walk = walk_of(dat);
	struct tracedat_record record;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(wants) / sizeof(*wants); i++) {
		tracedat_walk_seek_last(walk, wants[i].n, wants[i].time);
		assert_int_equal(tracedat_walk_next(walk, &record), 1);
		assert_int_equal(record.time, wants[i].first);
	}
	tracedat_walk_seek_last(walk, 0, 2000);
	assert_int_equal(tracedat_walk_next(walk, &record), 1);
	assert_int_equal(record.time, 2000);
	tracedat_walk_close(walk);
	tracedat_close(dat);
}

static void a_walk_can_go_back_by_bytes_of_pages(void **state)
{
	struct tracedat *dat = two_cpus();
	struct tracedat_walk *walk = walk_of(dat);
	struct tracedat_record record;

	(void)state;
	assert_int_equal(tracedat_walk_seek_bytes(walk, 1, UINT64_MAX), 3005);
	assert_int_equal(tracedat_walk_next(walk, &record), 1);
	assert_int_equal(record.time, 3005);
	assert_int_equal(tracedat_walk_seek_bytes(walk, 1601, UINT64_MAX), 3000);
	assert_int_equal(tracedat_walk_seek_bytes(walk, 3201, 3005), 2000);
	assert_int_equal(tracedat_walk_seek_bytes(walk, 1u << 30, UINT64_MAX), 0);
	assert_int_equal(tracedat_walk_next(walk, &record), 1);
	assert_int_equal(record.time, 1000);
	tracedat_walk_close(walk);
	tracedat_close(dat);
}

static void loss_before_the_first_page_is_past_and_later_a_hole(void **state)
{
	int stream = made_file();
	struct tracedat_found found;
	struct tracedat_record record;
	struct tracedat_walk *walk;
	struct tracedat *dat;
	unsigned missed = 0;

	(void)state;
	made_page(stream, 1000, 1, 0, 10, 1u << 31);
	made_page(stream, 2000, 1, 10, 10, 0);
	made_page(stream, 3000, 1, 20, 10, 1u << 31);
	dat = opened(made_dat(&stream, 1, &found));
	assert_true(found.wrapped);
	assert_int_equal(found.records, 30);
	assert_int_equal(found.first, 1000);
	assert_int_equal(found.last, 3009);
	assert_int_equal(found.n_holes, 1);
	assert_int_equal(found.holes[0].from, 2009);
	assert_int_equal(found.holes[0].to, 3000);
	assert_false(found.holes[0].seam);

	walk = walk_of(dat);
	while (tracedat_walk_next(walk, &record)) {
		if (record.missed) {
			assert_int_equal(record.time, 3000);
			missed++;
		}
	}
	assert_int_equal(missed, 1);
	tracedat_walk_close(walk);
	tracedat_close(dat);
	close(stream);
}

static void more_holes_than_there_is_room_for_become_one(void **state)
{
	int stream = made_file();
	struct tracedat_found found;
	uint32_t i;

	(void)state;
	for (i = 0; i < 40; i++)
		made_page(stream, 1000 * i, 1, 0, 10, i ? 1u << 31 : 0);
	close(made_dat(&stream, 1, &found));
	assert_int_equal(found.n_holes, 16);
	assert_int_equal(found.holes[14].to, 15000);
	assert_int_equal(found.holes[15].from, 15009);
	assert_int_equal(found.holes[15].to, 39000);
	close(stream);
}

static void the_seam_of_two_streams_is_a_hole_and_flagged(void **state)
{
	struct tracedat_about about = { .layout = layout, .header_page = made_header_page };
	int streams[3] = { made_file(), made_file(), made_file() };
	struct tracedat_cpu cpu = { .fds = streams, .n_fds = 3 };
	struct err e = ERR_INIT;
	int fd = made_file();
	struct ringpage ring;
	struct tracedat *dat;
	int i;

	(void)state;
	made_page(streams[0], 1000, 1, 0, 10, 0);
	made_page(streams[2], 5000, 1, 10, 0, 0); /* an empty page is left out */
	made_page(streams[2], 6000, 1, 10, 10, 0);
	made_page(streams[2], 7000, 1, 10, 10, 0);
	for (i = 0; i < 3; i++)
		lseek(streams[i], 0, SEEK_SET);
	assert_int_equal(tracedat_write(fd, &about, &cpu, 1, NULL, &e), 0);
	assert_int_equal(cpu.found.n_holes, 1);
	assert_int_equal(cpu.found.holes[0].from, 1009);
	assert_int_equal(cpu.found.holes[0].to, 6000);
	assert_true(cpu.found.holes[0].seam);
	assert_false(cpu.found.wrapped);

	dat = opened(fd);
	assert_int_equal(tracedat_pages(dat, 0), 3);
	for (i = 0; i < 3; i++) {
		ringpage_open(&ring, &layout, tracedat_page(dat, 0, (size_t)i));
		assert_int_equal(ring.missed, i == 1);
	}
	tracedat_close(dat);
	close(fd);
}

static void a_stream_that_never_ends_is_cut_at_its_limit(void **state)
{
	struct tracedat_about about = { .layout = layout, .header_page = made_header_page };
	int stream = made_file();
	struct tracedat_cpu cpu = { .fds = &stream, .n_fds = 1, .limit = 2 * MADE_PAGE };
	struct err e = ERR_INIT;
	int fd = made_file();
	uint32_t i;

	(void)state;
	for (i = 0; i < 4; i++)
		made_page(stream, 1000 * i, 1, 0, 10, 0);
	lseek(stream, 0, SEEK_SET);
	assert_int_equal(tracedat_write(fd, &about, &cpu, 1, NULL, &e), 0);
	assert_true(cpu.found.cut);
	assert_int_equal(cpu.found.bytes, 2 * MADE_PAGE);
	assert_int_equal(lseek(stream, 0, SEEK_CUR), 3 * MADE_PAGE);
	close(stream);
	close(fd);
}

static void a_stream_that_fails_costs_only_itself(void **state)
{
	struct tracedat_about about = { .layout = layout, .header_page = made_header_page };
	int good = made_file();
	int bad = -1;
	struct tracedat_cpu cpus[2] = { { .fds = &bad, .n_fds = 1 }, { .fds = &good, .n_fds = 1 } };
	struct err e = ERR_INIT;
	int fd = made_file();
	struct tracedat *dat;

	(void)state;
	made_page(good, 1000, 1, 0, 10, 0);
	lseek(good, 0, SEEK_SET);
	assert_int_equal(tracedat_write(fd, &about, cpus, 2, NULL, &e), -EBADF);
	assert_non_null(strstr(e.text, "cpu 0"));
	dat = opened(fd);
	assert_int_equal(tracedat_pages(dat, 0), 0);
	assert_int_equal(tracedat_pages(dat, 1), 1);
	tracedat_close(dat);
	close(good);
	close(fd);
}

static void a_full_disk_is_an_error_that_leaves_the_other_rings_unread(void **state)
{
	struct tracedat_about about = { .layout = layout, .header_page = made_header_page };
	int streams[2] = { made_file(), made_file() };
	struct tracedat_cpu cpus[2] = { { .fds = &streams[0], .n_fds = 1 },
					{ .fds = &streams[1], .n_fds = 1 } };
	struct rlimit old;
	struct rlimit small = { 8192, RLIM_INFINITY };
	struct err e = ERR_INIT;
	int fd = made_file();
	int i;

	(void)state;
	for (i = 0; i < 8; i++)
		made_page(streams[i % 2], 1000u * (unsigned)i, 1, 0, 10, 0);
	lseek(streams[0], 0, SEEK_SET);
	lseek(streams[1], 0, SEEK_SET);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	small.rlim_max = old.rlim_max;
	setrlimit(RLIMIT_FSIZE, &small);
	assert_int_equal(tracedat_write(fd, &about, cpus, 2, NULL, &e), -EFBIG);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_non_null(strstr(e.text, "cannot write"));
	assert_int_equal(lseek(streams[1], 0, SEEK_CUR), 0);
	close(fd);
}

static void a_page_cut_short_gives_what_it_has(void **state)
{
	int stream = made_file();
	struct tracedat_found found;

	(void)state;
	made_page(stream, 1000, 1, 0, 100, 0);
	assert_int_equal(ftruncate(stream, 16 + 16 * 50), 0);
	close(made_dat(&stream, 1, &found));
	assert_in_range(found.records, 50, 100);
	assert_int_equal(found.first, 1000);
	close(stream);
}

static void a_damaged_page_is_counted_and_the_next_one_says_loss(void **state)
{
	uint32_t garbage[] = { 28, 0 };
	uint32_t commit = 8;
	int stream = made_file();
	struct tracedat_found found;
	struct tracedat_record record;
	struct tracedat_walk *walk;
	struct tracedat *dat;

	(void)state;
	made_page(stream, 1000, 1, 0, 1, 0);
	made_page(stream, 2000, 1, 1, 1, 0);
	made_page(stream, 3000, 1, 2, 1, 0);
	assert_int_equal(pwrite(stream, garbage, 8, MADE_PAGE + 16), 8);
	assert_int_equal(pwrite(stream, &commit, 4, MADE_PAGE + 8), 4);
	dat = opened(made_dat(&stream, 1, &found));
	assert_int_equal(found.damaged, 1);
	walk = walk_of(dat);
	assert_int_equal(tracedat_walk_next(walk, &record), 1);
	assert_int_equal(number_of(&record), 0);
	assert_int_equal(tracedat_walk_next(walk, &record), 1);
	assert_int_equal(number_of(&record), 2);
	assert_true(record.missed);
	tracedat_walk_close(walk);
	tracedat_close(dat);
	close(stream);
}

static void only_symbols_that_occur_are_in_the_file(void **state)
{
	static const char kallsyms[] = "ffffffff81000000 T first\nffffffff81000010 T second\n"
				       "ffffffff81000020 T third\nffffffff81000030 T fourth\n";
	static const char wanted[] = "ffffffff81000010 T second\nffffffff81000020 T third\n";
	struct tracedat_about about = { .layout = layout, .header_page = made_header_page };
	uint64_t address = 0xffffffff81000018;
	int stream = made_file();
	int text = made_file();
	struct tracedat_cpu cpu = { .fds = &stream, .n_fds = 1 };
	struct symbols *symbols = NULL;
	struct err e = ERR_INIT;
	int fd = made_file();
	struct tracedat *dat;

	(void)state;
	made_page(stream, 1000, 1, 0, 10, 0);
	assert_int_equal(pwrite(stream, &address, 8, 16 + 20), 8);
	lseek(stream, 0, SEEK_SET);
	assert_int_equal(write(text, kallsyms, strlen(kallsyms)), strlen(kallsyms));
	lseek(text, 0, SEEK_SET);
	assert_int_equal(symbols_read(&symbols, text, &e), 0);
	assert_int_equal(tracedat_write(fd, &about, &cpu, 1, symbols, &e), 0);
	dat = opened(fd);
	assert_int_equal(tracedat_texts(dat)->kallsyms.size, strlen(wanted));
	assert_memory_equal(tracedat_texts(dat)->kallsyms.at, wanted, strlen(wanted));
	assert_int_equal(tracedat_pages(dat, 0), 1);
	tracedat_close(dat);
	symbols_free(symbols);
	close(stream);
	close(text);
	close(fd);
}

static void expect_refused(const char *bytes, size_t size, const char *says)
{
	struct tracedat *dat = NULL;
	struct err e = ERR_INIT;
	int fd = made_file();

	assert_int_equal(write(fd, bytes, size), size);
	assert_true(tracedat_open(&dat, fd, &e) < 0);
	if (!strstr(e.text, says))
		fail_msg("'%s' lacks '%s'", e.text, says);
	close(fd);
}

static void what_is_no_trace_dat_is_refused(void **state)
{
	struct tracedat *dat = NULL;
	struct err e = ERR_INIT;
	int pipe_fds[2];

	(void)state;
	expect_refused("", 0, "not a trace.dat");
	expect_refused("tracing", 7, "not a trace.dat");
	expect_refused("\x17\x08\x44tracing7\0", 12, "version '7'");
	expect_refused("\x17\x08\x44tracing6\0\1\x8\0\x10\0\0", 18, "big-endian");
	expect_refused("\x17\x08\x44tracing6\0\0\x8\0\x10\0\0", 18, "header_page");
	assert_int_equal(pipe(pipe_fds), 0);
	assert_int_equal(tracedat_open(&dat, pipe_fds[0], &e), -EINVAL);
	assert_true(tracedat_open(&dat, -1, &e) < 0);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

/* The bytes of a good file, and its size. */
static char *good_file(size_t *size)
{
	int stream = made_file();
	char *bytes;
	int fd;

	made_page(stream, 1000, 1, 0, 10, 0);
	made_page(stream, 2000, 1, 10, 10, 0);
	fd = made_dat(&stream, 1, NULL);
	*size = (size_t)lseek(fd, 0, SEEK_END);
	bytes = malloc(*size);
	assert_int_equal(pread(fd, bytes, *size, 0), *size);
	close(fd);
	close(stream);
	return bytes;
}

/* 1 if it opened; then all of it has been walked, and RECORDS were in it. */
static int walk_bytes(const char *bytes, size_t size, size_t *records)
{
	struct tracedat *dat = NULL;
	struct tracedat_record record;
	struct tracedat_walk *walk;
	struct err e = ERR_INIT;
	int fd = made_file();
	uint8_t sum = 0;

	assert_int_equal(write(fd, bytes, size), size);
	if (tracedat_open(&dat, fd, &e) < 0) {
		close(fd);
		return 0;
	}
	close(fd);
	walk = walk_of(dat);
	for (*records = 0; tracedat_walk_next(walk, &record); (*records)++)
		sum ^= record.size ? *(const uint8_t *)record.data : 0;
	tracedat_walk_seek_last(walk, 5, 1500);
	tracedat_walk_seek_bytes(walk, 100, UINT64_MAX);
	tracedat_walk_close(walk);
	tracedat_close(dat);
	return 1 + (sum & 0);
}

static void a_file_cut_anywhere_does_no_harm(void **state)
{
	size_t size, records = 0;
	char *bytes = good_file(&size);
	size_t cut;

	(void)state;
	assert_int_equal(walk_bytes(bytes, size, &records), 1);
	assert_int_equal(records, 20);
	assert_int_equal(walk_bytes(bytes, size - 1, &records), 1);
	assert_int_equal(records, 10);
	assert_int_equal(walk_bytes(bytes, size - 2 * MADE_PAGE, &records), 1);
	assert_int_equal(records, 0);
	for (cut = 1; cut < size; cut += cut < 1500 ? 1 : 97)
		walk_bytes(bytes, cut, &records);
	free(bytes);
}

static void a_file_with_random_bytes_does_no_harm(void **state)
{
	unsigned seed = 3;
	size_t size, records;
	char *bytes = good_file(&size);
	unsigned opened_files = 0;
	int round;

	(void)state;
	for (round = 0; round < 3000; round++) {
		char *copy = malloc(size);
		int i;

		memcpy(copy, bytes, size);
		for (i = 0; i < 6; i++) {
			/* most of them where the head is */
			size_t at = (size_t)rand_r(&seed) % (i < 4 ? 1400 : size);

			copy[at] = (char)rand_r(&seed);
		}
		opened_files += (unsigned)walk_bytes(copy, size, &records);
		free(copy);
	}
	assert_in_range(opened_files, 100, 2900);
	free(bytes);
}

static void a_ring_of_the_kernel_comes_through_whole(void **state)
{
	struct tracedat_about about = { 0 };
	struct tracedat_cpu cpus[64] = { 0 };
	unsigned n_cpus = (unsigned)sysconf(_SC_NPROCESSORS_CONF);
	struct err e = ERR_INIT;
	struct ownring ring;
	int fds[64];
	char *header;
	uint64_t records = 0;
	unsigned i;
	int fd = made_file();

	(void)state;
	if (n_cpus > 64 || !ownring_open(&ring, "tracedat"))
		skip();
	ownring_write(&ring, "trace_clock", "boot");
	for (i = 0; i < 1000; i++)
		ownring_write(&ring, "trace_marker", "mark");
	ownring_write(&ring, "tracing_on", "0");
	header = ownring_read(ring.dir, "events/header_page");
	about.header_page = header;
	assert_int_equal(ringpage_layout_parse(&about.layout, header, &e), 0);
	for (i = 0; i < n_cpus; i++) {
		fds[i] = ownring_pages(&ring, i);
		cpus[i].fds = &fds[i];
		cpus[i].n_fds = fds[i] >= 0;
	}
	assert_int_equal(tracedat_write(fd, &about, cpus, n_cpus, NULL, &e), 0);
	for (i = 0; i < n_cpus; i++) {
		records += cpus[i].found.records;
		assert_int_equal(cpus[i].found.n_holes, 0);
		assert_false(cpus[i].found.wrapped);
		close(fds[i]);
	}
	assert_int_equal(records, 1000);
	free(header);
	close(fd);
	ownring_close(&ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(a_clock_other_than_boot_is_told),
		cmocka_unit_test(the_walk_merges_the_cpus_in_the_order_of_time),
		cmocka_unit_test(many_cpus_are_merged_too_and_equal_times_by_cpu),
		cmocka_unit_test(a_walk_can_start_at_any_time),
		cmocka_unit_test(the_last_n_before_a_time_are_exactly_n),
		cmocka_unit_test(a_walk_can_go_back_by_bytes_of_pages),
		cmocka_unit_test(loss_before_the_first_page_is_past_and_later_a_hole),
		cmocka_unit_test(more_holes_than_there_is_room_for_become_one),
		cmocka_unit_test(the_seam_of_two_streams_is_a_hole_and_flagged),
		cmocka_unit_test(a_stream_that_never_ends_is_cut_at_its_limit),
		cmocka_unit_test(a_stream_that_fails_costs_only_itself),
		cmocka_unit_test(a_full_disk_is_an_error_that_leaves_the_other_rings_unread),
		cmocka_unit_test(a_page_cut_short_gives_what_it_has),
		cmocka_unit_test(a_damaged_page_is_counted_and_the_next_one_says_loss),
		cmocka_unit_test(only_symbols_that_occur_are_in_the_file),
		cmocka_unit_test(what_is_no_trace_dat_is_refused),
		cmocka_unit_test(a_file_cut_anywhere_does_no_harm),
		cmocka_unit_test(a_file_with_random_bytes_does_no_harm),
		cmocka_unit_test(a_ring_of_the_kernel_comes_through_whole),
	};

	return cmocka_run_group_tests_name("tracedat", tests, NULL, NULL);
}
