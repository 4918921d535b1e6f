#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/auto.h"
#include "base/ring.h"
#include "scratch.h"

#define PAGE 4096u

static int place_open(void **state)
{
	*state = calloc(1, sizeof(struct scratch));
	scratch_open(*state);
	return 0;
}

static int place_close(void **state)
{
	scratch_close(*state);
	free(*state);
	return 0;
}

static struct ring *made(struct scratch *place, uint64_t size)
{
	struct ring *ring = NULL;
	struct err e = ERR_INIT;

	unlinkat(place->fd, "ring", 0);
	if (ring_create(&ring, place->fd, "ring", size, &e) < 0)
		fail_msg("%s", e.text);
	return ring;
}

static struct ring *opened(struct scratch *place)
{
	struct ring *ring = NULL;
	struct err e = ERR_INIT;

	if (ring_open(&ring, place->fd, "ring", &e) < 0)
		fail_msg("%s", e.text);
	return ring;
}

/* A record whose size and bytes follow from its number. */
static size_t numbered_size(uint64_t n)
{
	return n * 7919 % 701;
}

static int push_numbered(struct ring *ring, uint64_t n)
{
	char data[701];
	size_t size = numbered_size(n), half = size / 3;
	struct iovec iov[2] = { { data, half }, { data + half, size - half } };
	struct ring_record record = { .time = n * 10, .kind = n % 5, .aux = ~n };

	memset(data, n & 0xff, sizeof(data));
	return ring_push(ring, &record, iov, 2);
}

static bool is_numbered(const struct ring_record *record, uint64_t n)
{
	const uint8_t *data = record->data;

	if (record->time != n * 10 || record->aux != ~n || record->kind != n % 5 ||
	    record->size != numbered_size(n))
		return false;
	for (size_t i = 0; i < record->size; i++)
		if (data[i] != (n & 0xff))
			return false;
	return true;
}

/* Checks that all records are whole and have numbers without a gap. Returns how many there are. */
static size_t assert_contiguous(const struct ring *ring, uint64_t *last)
{
	struct ring_record record;
	uint64_t cursor = 0, n = 0;
	size_t count = 0;

	while (ring_next(ring, &cursor, &record)) {
		if (!count)
			n = record.time / 10;
		if (!is_numbered(&record, n))
			fail_msg("record %zu is not number %lu", count, n);
		*last = n++;
		count++;
	}
	return count;
}

static void records_come_back_in_order(void **state)
{
	struct ring *ring = made(*state, 1 << 20);
	uint64_t last = 0;

	for (uint64_t n = 1; n <= 100; n++)
		assert_int_equal(push_numbered(ring, n), 0);
	assert_int_equal(assert_contiguous(ring, &last), 100);
	assert_int_equal(last, 100);
	assert_int_equal(ring_counters(ring)->pushed, 100);
	assert_int_equal(ring_counters(ring)->overwritten, 0);
	ring_free(ring);
}

static void the_newest_records_stay_and_the_older_are_counted(void **state)
{
	struct ring *ring = made(*state, 3 * PAGE);
	uint64_t last = 0;

	for (uint64_t n = 1; n <= 100000; n++)
		assert_int_equal(push_numbered(ring, n), 0);
	size_t kept = assert_contiguous(ring, &last);
	struct ring_counters *c = ring_counters(ring);

	assert_int_equal(last, 100000);
	assert_true(kept > 10);
	assert_int_equal(c->overwritten, 100000 - kept);
	assert_int_equal(c->overwritten_until, (100000 - kept) * 10);
	ring_free(ring);
}

static void another_process_reads_what_was_written(void **state)
{
	struct ring *ring = made(*state, 2 * PAGE), *reader;
	uint64_t last = 0;

	for (uint64_t n = 1; n <= 1000; n++)
		push_numbered(ring, n);
	ring_counters(ring)->lost = 17;
	ring_free(ring);
	reader = opened(*state);
	assert_true(assert_contiguous(reader, &last) > 5);
	assert_int_equal(last, 1000);
	assert_int_equal(ring_counters(reader)->lost, 17);
	assert_int_equal(ring_size(reader), 2 * PAGE);
	ring_free(reader);
}

static void data_is_aligned_and_contiguous(void **state)
{
	struct ring *ring = made(*state, 2 * PAGE);
	struct ring_record record;

	for (uint64_t n = 1; n <= 3000; n++) {
		uint64_t cursor = 0;

		push_numbered(ring, n);
		while (ring_next(ring, &cursor, &record))
			assert_int_equal((uintptr_t)record.data % 8, 0);
	}
	ring_free(ring);
}

static void an_empty_ring_has_no_record(void **state)
{
	struct ring *ring = made(*state, 1);
	struct ring_record record;
	uint64_t cursor = 0;

	assert_int_equal(ring_size(ring), PAGE);
	assert_int_equal(ring_next(ring, &cursor, &record), 0);
	ring_evict_before(ring, UINT64_MAX);
	assert_int_equal(ring_next(ring, &cursor, &record), 0);
	ring_free(ring);
	ring_free(NULL);
}

static void a_record_that_can_never_fit_is_refused(void **state)
{
	struct ring *ring = made(*state, PAGE);
	static char data[2 * PAGE];
	struct ring_record record = { .time = 10 }, back;
	struct iovec iov[2] = { { data, PAGE - 32 }, { data, SIZE_MAX } };
	uint64_t cursor = 0;

	push_numbered(ring, 1);
	iov[0].iov_len = PAGE - 31;
	assert_int_equal(ring_push(ring, &record, iov, 1), -EMSGSIZE);
	assert_int_equal(ring_push(ring, &record, iov, 2), -EMSGSIZE);
	assert_int_equal(ring_counters(ring)->pushed, 1);
	/* one that just fits takes the whole ring */
	iov[0].iov_len = PAGE - 32;
	for (int i = 0; i < 3; i++)
		assert_int_equal(ring_push(ring, &record, iov, 1), 0);
	assert_int_equal(ring_next(ring, &cursor, &back), 1);
	assert_int_equal(back.size, PAGE - 32);
	assert_int_equal(ring_next(ring, &cursor, &back), 0);
	ring_free(ring);
}

static void records_of_no_bytes_are_records(void **state)
{
	struct ring *ring = made(*state, PAGE);
	struct ring_record record = { .time = 5, .kind = 6, .aux = 7 }, back;
	uint64_t cursor = 0;

	assert_int_equal(ring_push(ring, &record, NULL, 0), 0);
	assert_int_equal(ring_next(ring, &cursor, &back), 1);
	assert_int_equal(back.size, 0);
	assert_int_equal(back.kind, 6);
	ring_free(ring);
}

static void what_is_older_than_a_time_is_evicted(void **state)
{
	struct ring *ring = made(*state, 8 * PAGE);
	struct ring_record record;
	uint64_t cursor = 0, last = 0;

	for (uint64_t n = 1; n <= 500; n++)
		push_numbered(ring, n);
	ring_evict_before(ring, 4710);
	assert_int_equal(ring_next(ring, &cursor, &record), 1);
	assert_int_equal(record.time, 4710);
	assert_int_equal(assert_contiguous(ring, &last), 30);
	assert_int_equal(ring_counters(ring)->overwritten, 470);
	assert_int_equal(ring_counters(ring)->overwritten_until, 4700);
	ring_evict_before(ring, UINT64_MAX);
	assert_int_equal(assert_contiguous(ring, &last), 0);
	assert_int_equal(push_numbered(ring, 501), 0);
	assert_int_equal(assert_contiguous(ring, &last), 1);
	ring_free(ring);
}

static void a_cursor_survives_that_its_record_is_overwritten(void **state)
{
	struct ring *ring = made(*state, 2 * PAGE);
	struct ring_record record;
	uint64_t cursor = 0;

	push_numbered(ring, 1);
	push_numbered(ring, 2);
	assert_int_equal(ring_next(ring, &cursor, &record), 1);
	for (uint64_t n = 3; n <= 200; n++)
		push_numbered(ring, n);
	assert_int_equal(ring_next(ring, &cursor, &record), 1);
	assert_true(record.time > 1000);
	ring_free(ring);
}

/* The child writes numbers for ever; it is killed anywhere in between. */
static void a_killed_writer_leaves_contiguous_records(void **state)
{
	struct ring *ring = made(*state, 5 * PAGE);
	unsigned int seed = 1;
	uint64_t last = 0;

	for (uint64_t n = 1; n <= 300; n++)
		push_numbered(ring, n);
	for (int round = 0; round < 300; round++) {
		struct ring *reader = opened(*state);
		uint64_t before = 0;
		pid_t pid;

		assert_contiguous(reader, &before);
		assert_true(before >= last);
		pid = fork();
		if (pid == 0) {
			for (uint64_t n = before + 1;; n++)
				push_numbered(ring, n);
		}
		usleep(rand_r(&seed) % 2000);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		assert_true(assert_contiguous(reader, &last) > 10);
		ring_free(reader);
	}
	assert_true(last > 10000);
	ring_free(ring);
}

/* What a kill at that very instruction would leave. */
static void assert_well_formed(struct scratch *place, uint64_t pushed)
{
	struct ring *reader = opened(place);
	uint64_t last = 0;

	assert_true(assert_contiguous(reader, &last) > 5);
	assert_true(last == pushed || last == pushed + 1);
	ring_free(reader);
}

static void traced_writer(struct ring *ring, uint64_t from, uint64_t to)
{
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	for (uint64_t n = from; n <= to; n++)
		push_numbered(ring, n);
	_exit(0);
}

static void the_file_is_well_formed_after_each_instruction(void **state)
{
	struct ring *ring = made(*state, 2 * PAGE);
	uint64_t before = 60, steps = 0;
	int status;
	pid_t pid;

	for (uint64_t n = 1; n <= before; n++)
		push_numbered(ring, n);
	pid = fork();
	if (pid == 0)
		traced_writer(ring, before + 1, before + 25);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	for (; WIFSTOPPED(status); steps++) {
		assert_well_formed(*state, ring_counters(ring)->pushed);
		assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
	}
	assert_true(WIFEXITED(status));
	assert_int_equal(ring_counters(ring)->pushed, before + 25);
	assert_true(steps > 2000);
	ring_free(ring);
}

/* A reader beside a writer must at least stay within the ring and come to an end. */
static void reading_beside_a_writer_comes_to_an_end(void **state)
{
	struct ring *ring = made(*state, 4 * PAGE), *reader = opened(*state);
	struct ring_record record;
	uint64_t bytes = 0, records = 0;
	pid_t pid = fork();

	if (pid == 0) {
		for (uint64_t n = 1;; n++)
			push_numbered(ring, n);
	}
	while (records < 200000) {
		uint64_t cursor = 0;

		for (int j = 0; j < 1000 && ring_next(reader, &cursor, &record); j++, records++) {
			const uint8_t *data = record.data;

			assert_true(record.size <= 4 * PAGE);
			if (record.size)
				bytes += data[record.size - 1];
		}
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_true(bytes > 0);
	ring_free(reader);
	ring_free(ring);
}

static void assert_refused(struct scratch *place, const char *part)
{
	struct ring *ring = NULL;
	struct err e = ERR_INIT;

	if (ring_open(&ring, place->fd, "ring", &e) == 0)
		fail_msg("opened, but '%s' was to be said", part);
	assert_null(ring);
	if (!strstr(e.text, part))
		fail_msg("%s", e.text);
}

static void overwrite(struct scratch *place, off_t at, uint64_t value)
{
	autoclose int fd = openat(place->fd, "ring", O_WRONLY);

	assert_int_equal(pwrite(fd, &value, sizeof(value), at), sizeof(value));
}

static void a_file_that_is_not_a_ring_is_refused(void **state)
{
	struct scratch *place = *state;
	struct ring *ring;

	unlinkat(place->fd, "ring", 0);
	assert_refused(place, "cannot open");
	ring = made(place, 4 * PAGE);
	push_numbered(ring, 1);
	ring_free(ring);
	overwrite(place, 24, 1 << 20);
	assert_refused(place, "its ends");
	overwrite(place, 24, 12);
	assert_refused(place, "its ends");
	overwrite(place, 24, 64);
	overwrite(place, 32, 128);
	assert_refused(place, "its ends");
	overwrite(place, 16, PAGE);
	assert_refused(place, "its size");
	overwrite(place, 8, 0);
	assert_refused(place, "another version");
	overwrite(place, 0, 0);
	assert_refused(place, "not a ring");
	assert_int_equal(unlinkat(place->fd, "ring", 0), 0);
	assert_int_equal(mkfifoat(place->fd, "ring", 0600), 0);
	assert_refused(place, "too short");
}

static void a_truncated_file_is_refused(void **state)
{
	struct scratch *place = *state;
	struct ring *ring = made(place, 4 * PAGE);

	for (uint64_t n = 1; n <= 100; n++)
		push_numbered(ring, n);
	ring_free(ring);
	autoclose int fd = openat(place->fd, "ring", O_WRONLY);
	for (off_t size = 5 * PAGE - 1; size > PAGE; size -= 511) {
		assert_int_equal(ftruncate(fd, size), 0);
		assert_refused(place, "its size");
	}
	assert_int_equal(ftruncate(fd, PAGE), 0);
	assert_refused(place, "its size");
	assert_int_equal(ftruncate(fd, 100), 0);
	assert_refused(place, "too short");
}

static void a_link_is_not_followed(void **state)
{
	struct scratch *place = *state;
	struct err e = ERR_INIT;
	struct ring *ring = NULL;

	unlinkat(place->fd, "ring", 0);
	assert_int_equal(symlinkat("other", place->fd, "ring"), 0);
	assert_refused(place, "cannot open");
	assert_true(ring_create(&ring, place->fd, "ring", PAGE, &e) < 0);
}

/* Each byte of a small ring is changed in turn, and the walk stays within the ring and comes to an
 * end. */
static void a_mutated_file_is_never_read_beyond_its_end(void **state)
{
	struct scratch *place = *state;
	struct ring *ring = made(place, PAGE);
	uint8_t good[2 * PAGE], changed[2 * PAGE];
	size_t walks = 0, shorter = 0, full = 0;
	unsigned int seed = 7;

	for (uint64_t n = 1; n <= 50; n++)
		push_numbered(ring, n);
	autoclose int fd = openat(place->fd, "ring", O_RDWR);
	assert_int_equal(pread(fd, good, sizeof(good), 0), sizeof(good));
	ring_free(ring);
	for (int i = 0; i < 40000; i++) {
		struct err e = ERR_INIT;
		struct ring_record record;
		uint64_t cursor = 0;
		size_t n = 0;

		memcpy(changed, good, sizeof(changed));
		for (int k = 0; k <= i % 3; k++)
			changed[(i % 5 ? PAGE : 0) +
				(unsigned int)rand_r(&seed) % (i % 5 ? PAGE : 128)] = rand_r(&seed);
		assert_int_equal(pwrite(fd, changed, sizeof(changed), 0), sizeof(changed));
		if (ring_open(&ring, place->fd, "ring", &e) < 0)
			continue;
		while (ring_next(ring, &cursor, &record)) {
			const uint8_t *data = record.data;

			assert_true(record.size <= PAGE);
			for (size_t b = 0; b < record.size; b++)
				walks += data[b] != 0;
			assert_true(++n <= PAGE / 32);
		}
		full = n > full ? n : full;
		shorter += n < full;
		ring_free(ring);
	}
	assert_true(walks > 0 && shorter > 0);
}

static void a_mutated_ring_can_be_written_on(void **state)
{
	struct scratch *place = *state;
	struct ring *ring = made(place, PAGE);
	unsigned int seed = 3;
	uint64_t last = 0;

	autoclose int fd = openat(place->fd, "ring", O_RDWR);
	for (uint64_t n = 1; n <= 20000; n++) {
		uint64_t noise = rand_r(&seed), cursor = 0, kept = 0;
		struct ring_record record;

		if (n % 10 == 0)
			assert_int_equal(
				pwrite(fd, &noise, 8, PAGE + rand_r(&seed) % (PAGE / 8) * 8), 8);
		assert_int_equal(push_numbered(ring, n), 0);
		while (ring_next(ring, &cursor, &record))
			assert_true(++kept <= PAGE / 32);
	}
	ring_evict_before(ring, UINT64_MAX);
	assert_int_equal(push_numbered(ring, 1), 0);
	assert_int_equal(assert_contiguous(ring, &last), 1);
	ring_free(ring);
}

static void no_room_is_a_sentence_and_leaves_no_file(void **state)
{
	struct scratch *place = *state;
	struct ring *ring = NULL;
	struct err e = ERR_INIT;
	struct stat st;
	char small[96];

	snprintf(small, sizeof(small), "%s/small", place->path);
	assert_int_equal(mkdir(small, 0700), 0);
	assert_int_equal(mount("tmpfs", small, "tmpfs", 0, "size=1m"), 0);
	int fd = open(small, O_RDONLY | O_DIRECTORY);
	assert_int_equal(ring_create(&ring, fd, "ring", 4 << 20, &e), -ENOSPC);
	assert_non_null(strstr(e.text, "no room for a ring of 4M"));
	assert_null(ring);
	assert_int_equal(fstatat(fd, "ring", &st, 0), -1);
	close(fd);
	assert_int_equal(umount(small), 0);
	assert_int_equal(rmdir(small), 0);
}

static void a_ring_is_made_once_and_has_all_its_bytes(void **state)
{
	struct scratch *place = *state;
	struct ring *ring = made(place, 1 << 20), *second = NULL;
	struct err e = ERR_INIT;
	struct stat st;

	assert_int_equal(ring_create(&second, place->fd, "ring", 1 << 20, &e), -EEXIST);
	assert_int_equal(fstatat(place->fd, "ring", &st, 0), 0);
	assert_int_equal(st.st_size, (1 << 20) + PAGE);
	assert_true(st.st_blocks * 512 >= st.st_size);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_true(ring_create(&second, place->fd, "other", 0, &e) < 0);
	assert_true(ring_create(&second, place->fd, "other", UINT64_MAX, &e) < 0);
	assert_non_null(strstr(e.text, "cannot have"));
	ring_free(ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(records_come_back_in_order, place_open,
						place_close),
		cmocka_unit_test_setup_teardown(the_newest_records_stay_and_the_older_are_counted,
						place_open, place_close),
		cmocka_unit_test_setup_teardown(another_process_reads_what_was_written, place_open,
						place_close),
		cmocka_unit_test_setup_teardown(data_is_aligned_and_contiguous, place_open,
						place_close),
		cmocka_unit_test_setup_teardown(an_empty_ring_has_no_record, place_open,
						place_close),
		cmocka_unit_test_setup_teardown(a_record_that_can_never_fit_is_refused, place_open,
						place_close),
		cmocka_unit_test_setup_teardown(records_of_no_bytes_are_records, place_open,
						place_close),
		cmocka_unit_test_setup_teardown(what_is_older_than_a_time_is_evicted, place_open,
						place_close),
		cmocka_unit_test_setup_teardown(a_cursor_survives_that_its_record_is_overwritten,
						place_open, place_close),
		cmocka_unit_test_setup_teardown(a_killed_writer_leaves_contiguous_records,
						place_open, place_close),
		cmocka_unit_test_setup_teardown(the_file_is_well_formed_after_each_instruction,
						place_open, place_close),
		cmocka_unit_test_setup_teardown(reading_beside_a_writer_comes_to_an_end, place_open,
						place_close),
		cmocka_unit_test_setup_teardown(a_file_that_is_not_a_ring_is_refused, place_open,
						place_close),
		cmocka_unit_test_setup_teardown(a_truncated_file_is_refused, place_open,
						place_close),
		cmocka_unit_test_setup_teardown(a_link_is_not_followed, place_open, place_close),
		cmocka_unit_test_setup_teardown(a_mutated_file_is_never_read_beyond_its_end,
						place_open, place_close),
		cmocka_unit_test_setup_teardown(a_mutated_ring_can_be_written_on, place_open,
						place_close),
		cmocka_unit_test_setup_teardown(no_room_is_a_sentence_and_leaves_no_file,
						place_open, place_close),
		cmocka_unit_test_setup_teardown(a_ring_is_made_once_and_has_all_its_bytes,
						place_open, place_close),
	};

	return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
