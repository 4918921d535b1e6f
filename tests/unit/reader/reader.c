#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/units.h"
#include "reader/reader.h"
#include "scratch.h"

struct place {
	struct scratch dir;
	char fifo[80]; /* whoever opens it hangs until somebody opens the other end */
	char file[80];
};

static int setup(void **state)
{
	struct place *place = calloc(1, sizeof(*place));
	struct err e = ERR_INIT;

	scratch_open(&place->dir);
	snprintf(place->fifo, sizeof(place->fifo), "%s/fifo", place->dir.path);
	snprintf(place->file, sizeof(place->file), "%s/file", place->dir.path);
	assert_int_equal(mkfifo(place->fifo, 0600), 0);
	assert_int_equal(io_create_file(place->dir.fd, "file", "content", 7, &e), 0);
	*state = place;
	return 0;
}

static int teardown(void **state)
{
	struct place *place = *state;

	scratch_close(&place->dir);
	free(place);
	return 0;
}

static struct reader *pool(unsigned int helpers, size_t max)
{
	struct reader *reader = NULL;
	struct err e = ERR_INIT;

	if (reader_create(&reader, &(struct reader_setup) { .helpers = helpers, .max = max }, &e) <
	    0)
		fail_msg("%s", e.text);
	return reader;
}

static void answer(struct reader *reader, struct reader_answer *a)
{
	struct pollfd p = { .fd = reader_fd(reader), .events = POLLIN };

	while (!reader_next(reader, a)) {
		assert_true(reader_until(reader) != UINT64_MAX);
		poll(&p, 1, 20);
	}
}

/* The pids of our children, each a helper. */
static size_t helpers(pid_t *pids, size_t room)
{
	char path[64];
	autofree char *text = NULL;
	struct err e = ERR_INIT;
	size_t n = 0;
	char *at, *end;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	assert_int_equal(io_read_file(AT_FDCWD, path, 10000, &text, NULL, &e), 0);
	for (at = text; n < room; at = end) {
		pids[n] = strtol(at, &end, 10);
		if (end == at)
			break;
		n++;
	}
	return n;
}

static void a_file_is_read_with_the_time_of_the_read(void **state)
{
	struct place *place = *state;
	struct reader *reader = pool(2, 100);
	uint64_t before = clock_boot();
	struct reader_answer a;

	assert_int_equal(reader_ask(reader, READER_READ, place->file, 77), 0);
	answer(reader, &a);
	assert_int_equal(a.error, 0);
	assert_int_equal(a.tag, 77);
	assert_int_equal(a.size, 7);
	assert_memory_equal(a.data, "content", 7);
	assert_false(a.truncated);
	assert_in_range(a.time, before, clock_boot());
	assert_true(reader_until(reader) == UINT64_MAX);
	reader_free(reader);
}

static void a_kernel_file_of_size_0_is_read_to_its_end(void **state)
{
	struct reader *reader = pool(1, 1 << 20);
	struct reader_answer a;

	(void)state;
	reader_call(reader, READER_READ, "/proc/self/status", &a);
	assert_int_equal(a.error, 0);
	assert_true(a.size > 500);
	reader_free(reader);
}

static void more_than_the_limit_is_cut_and_said_so(void **state)
{
	struct place *place = *state;
	struct reader *six = pool(1, 6), *seven = pool(1, 7);
	struct reader_answer a;

	reader_call(six, READER_READ, place->file, &a);
	assert_int_equal(a.size, 6);
	assert_true(a.truncated);
	reader_call(seven, READER_READ, place->file, &a);
	assert_int_equal(a.size, 7);
	assert_false(a.truncated);
	reader_free(six);
	reader_free(seven);
}

static void what_cannot_be_read_has_its_reason(void **state)
{
	struct place *place = *state;
	struct reader *reader = pool(1, 100);
	char below[100], longest[5000];
	const struct {
		const char *path;
		int error;
		const char *text;
	} cases[] = {
		{ "/nonexistent", ENOENT, "absent" },
		{ below, ENOTDIR, "absent" },
		{ place->dir.path, EISDIR, "a directory" },
		{ "/dev/null", READER_REFUSED, "a device, pipe or socket" },
		{ place->fifo, READER_REFUSED, "a device, pipe or socket" },
	};
	struct reader_answer a;

	snprintf(below, sizeof(below), "%s/below", place->file);
	for (size_t i = 0; i < countof(cases); i++) {
		reader_call(reader, READER_READ, cases[i].path, &a);
		assert_int_equal(a.error, cases[i].error);
		assert_string_equal(reader_error_text(a.error), cases[i].text);
		assert_int_equal(a.size, 0);
	}
	memset(longest, '/', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(reader_ask(reader, READER_READ, longest, 0), -ENAMETOOLONG);
	reader_free(reader);
}

static void a_pattern_gives_the_paths_that_match(void **state)
{
	struct place *place = *state;
	struct reader *reader = pool(1, 10);
	struct reader_answer a;
	char pattern[100], expected[200];
	int n;

	snprintf(pattern, sizeof(pattern), "%s/fi*", place->dir.path);
	n = snprintf(expected, sizeof(expected), "%s%c%s", place->fifo, 0, place->file);
	reader_call(reader, READER_GLOB, pattern, &a);
	assert_int_equal(a.error, 0);
	assert_int_equal(a.size, n + 1);
	assert_memory_equal(a.data, expected, a.size);
	snprintf(pattern, sizeof(pattern), "%s/none*", place->dir.path);
	reader_call(reader, READER_GLOB, pattern, &a);
	assert_int_equal(a.error, 0);
	assert_int_equal(a.size, 0);
	reader_free(reader);
}

static void more_matches_than_there_is_room_for_are_told(void **state)
{
	struct place *place = *state;
	struct reader *reader = pool(1, 10);
	struct reader_answer a;
	char pattern[100], name[256];
	struct err e = ERR_INIT;

	memset(name, 'm', sizeof(name));
	for (int i = 0; i < 1200; i++) {
		snprintf(name + 240, 16, "%04d", i);
		assert_int_equal(io_create_file(place->dir.fd, name, "", 0, &e), 0);
	}
	snprintf(pattern, sizeof(pattern), "%s/m*", place->dir.path);
	reader_call(reader, READER_GLOB, pattern, &a);
	assert_true(a.truncated);
	assert_true(a.size <= 256 << 10);
	assert_int_equal(a.data[a.size - 1], 0);
	reader_free(reader);
}

static void a_read_that_hangs_costs_one_helper_and_its_own_file(void **state)
{
	struct place *place = *state;
	struct reader *reader = pool(2, 100);
	uint64_t asked = clock_boot();
	struct reader_answer a;

	assert_int_equal(reader_ask(reader, READER_READ_ANY, place->fifo, 1), 0);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(reader_ask(reader, READER_READ, place->file, 2), 0);
		assert_int_equal(reader_ask(reader, READER_READ, place->file, 3), -EAGAIN);
		answer(reader, &a);
		assert_int_equal(a.tag, 2);
		assert_int_equal(a.error, 0);
	}
	answer(reader, &a);
	assert_int_equal(a.tag, 1);
	assert_int_equal(a.error, READER_TIMEOUT);
	assert_in_range(clock_boot() - asked, READER_DEADLINE, READER_DEADLINE + NS_PER_S);
	assert_int_equal(reader_ask(reader, READER_READ, place->fifo, 4), -EBUSY);
	assert_int_equal(reader_ask(reader, READER_READ, place->file, 5), 0);
	answer(reader, &a);
	assert_int_equal(a.error, 0);
	reader_free(reader);
}

static void a_helper_that_comes_back_is_used_again_and_its_late_answer_is_not(void **state)
{
	struct place *place = *state;
	struct reader *reader = pool(1, 100);
	struct pollfd p = { .fd = reader_fd(reader), .events = POLLIN };
	struct reader_answer a;
	int end;

	assert_int_equal(reader_ask(reader, READER_READ_ANY, place->fifo, 1), 0);
	answer(reader, &a);
	assert_int_equal(a.error, READER_TIMEOUT);
	assert_int_equal(reader_ask(reader, READER_READ, place->file, 2), -ETIMEDOUT);
	end = open(place->fifo, O_WRONLY | O_CLOEXEC);
	assert_int_equal(write(end, "late", 4), 4);
	close(end);
	assert_int_equal(poll(&p, 1, 1000), 1);
	assert_false(reader_next(reader, &a));
	assert_int_equal(reader_ask(reader, READER_READ, place->file, 3), 0);
	answer(reader, &a);
	assert_int_equal(a.tag, 3);
	assert_memory_equal(a.data, "content", 7);
	reader_free(reader);
}

static void a_helper_that_is_killed_is_told_at_once(void **state)
{
	struct place *place = *state;
	struct reader *reader = pool(1, 100);
	struct reader_answer a;
	pid_t pid;

	assert_int_equal(helpers(&pid, 1), 1);
	assert_int_equal(reader_ask(reader, READER_READ_ANY, place->fifo, 9), 0);
	assert_int_equal(kill(pid, SIGKILL), 0);
	answer(reader, &a);
	assert_int_equal(a.tag, 9);
	assert_int_equal(a.error, READER_DIED);
	assert_int_equal(reader_ask(reader, READER_READ, place->file, 1), -ETIMEDOUT);
	reader_free(reader);
}

static void a_helper_that_dies_idle_is_passed_over(void **state)
{
	struct place *place = *state;
	struct reader *reader = pool(2, 100);
	struct reader_answer a;
	pid_t pids[2];

	assert_int_equal(helpers(pids, 2), 2);
	assert_int_equal(kill(pids[0], SIGKILL), 0);
	assert_int_equal(waitpid(pids[0], NULL, 0), pids[0]);
	for (int i = 0; i < 3; i++) {
		reader_call(reader, READER_READ, place->file, &a);
		assert_int_equal(a.error, 0);
	}
	reader_free(reader);
}

static void a_helper_that_is_stopped_is_late_and_then_of_use_again(void **state)
{
	struct place *place = *state;
	struct reader *reader = pool(1, 100);
	struct pollfd p = { .fd = reader_fd(reader), .events = POLLIN };
	struct reader_answer a;
	pid_t pid;

	assert_int_equal(helpers(&pid, 1), 1);
	assert_int_equal(kill(pid, SIGSTOP), 0);
	reader_call(reader, READER_READ, place->file, &a);
	assert_int_equal(a.error, READER_TIMEOUT);
	assert_int_equal(kill(pid, SIGCONT), 0);
	assert_int_equal(poll(&p, 1, 1000), 1);
	assert_false(reader_next(reader, &a));
	reader_call(reader, READER_READ, place->file, &a);
	assert_int_equal(a.error, 0);
	reader_free(reader);
}

/* Several files in one go: each has its own answer. */
static void files_that_are_asked_for_together_are_answered_one_by_one(void **state)
{
	struct place *place = *state;
	const char *const paths[] = { place->file, "/proc/self/status", "/no/such", place->fifo,
				      place->file };
	static const int errors[] = { 0, 0, ENOENT, READER_REFUSED, 0 };
	const uint64_t tags[] = { 10, 11, 12, 13, 14 };
	struct reader *reader = pool(1, 10000);
	struct reader_answer a;

	for (int round = 0; round < 3; round++) { /* some stay open from then on */
		assert_int_equal(reader_ask_files(reader, paths, tags, 5), 5);
		assert_int_equal(reader_ask_files(reader, paths, tags, 5), -EAGAIN);
		for (int i = 0; i < 5; i++) {
			answer(reader, &a);
			assert_int_equal(a.tag, tags[i]);
			assert_int_equal(a.error, errors[i]);
		}
		assert_memory_equal(a.data, "content", 7);
		assert_false(reader_next(reader, &a));
		assert_true(reader_until(reader) == UINT64_MAX);
	}
	reader_free(reader);
}

static void what_is_behind_a_file_that_hangs_comes_back_at_once(void **state)
{
	struct place *place = *state;
	const char *const paths[] = { place->file, "/proc/self/stat", "/proc/self/status" };
	const uint64_t tags[] = { 1, 2, 3 };
	struct reader *reader = pool(2, 1000);
	uint64_t before = clock_boot();
	struct reader_answer a;
	pid_t pids[2];

	assert_int_equal(helpers(pids, 2), 2);
	assert_int_equal(kill(pids[0], SIGSTOP), 0);
	assert_int_equal(reader_ask_files(reader, paths, tags, 3), 3);
	for (int i = 1; i < 3; i++) {
		answer(reader, &a);
		assert_int_equal(a.tag, tags[i]);
		assert_int_equal(a.error, READER_AGAIN);
	}
	assert_true(clock_boot() - before < READER_DEADLINE / 2);
	assert_int_equal(reader_ask_files(reader, paths + 1, tags + 1, 2), 2);
	for (int i = 1; i < 3; i++) {
		answer(reader, &a);
		assert_int_equal(a.tag, tags[i]);
		assert_int_equal(a.error, 0);
	}
	answer(reader, &a);
	assert_int_equal(a.tag, 1);
	assert_int_equal(a.error, READER_TIMEOUT);
	assert_int_equal(reader_ask_files(reader, paths, tags, 3), -EBUSY);
	assert_int_equal(reader_ask(reader, READER_READ, paths[1], 5), 0);
	answer(reader, &a);
	assert_int_equal(a.error, 0);
	/* once it goes on it reads no more than the one, and is of use again */
	assert_int_equal(kill(pids[0], SIGCONT), 0);
	while (reader_ask_files(reader, paths, tags, 3) < 0)
		reader_next(reader, &a);
	for (int i = 0; i < 3; i++) {
		answer(reader, &a);
		assert_int_equal(a.error, 0);
	}
	reader_free(reader);
}

static void files_that_a_killed_helper_had(void **state)
{
	struct place *place = *state;
	const char *const paths[] = { place->file, "/proc/self/stat" };
	const uint64_t tags[] = { 1, 2 };
	struct reader *reader = pool(1, 1000);
	struct reader_answer a;
	pid_t pid;

	assert_int_equal(helpers(&pid, 1), 1);
	assert_int_equal(kill(pid, SIGSTOP), 0);
	assert_int_equal(reader_ask_files(reader, paths, tags, 2), 2);
	assert_int_equal(kill(pid, SIGKILL), 0);
	answer(reader, &a);
	assert_int_equal(a.tag, 2);
	assert_int_equal(a.error, READER_AGAIN);
	answer(reader, &a);
	assert_int_equal(a.tag, 1);
	assert_int_equal(a.error, READER_DIED);
	assert_int_equal(reader_ask_files(reader, paths, tags, 2), -ETIMEDOUT);
	reader_free(reader);
}

/* Of five of 100K each not all fit behind each other. */
static void files_that_do_not_fit_come_back(void **state)
{
	struct place *place = *state;
	const char *const paths[] = { place->file, place->file, place->file, place->file,
				      place->file };
	const uint64_t tags[] = { 1, 2, 3, 4, 5 };
	struct reader *reader = pool(1, 100 << 10);
	unsigned whole = 0, again = 0;
	struct reader_answer a;

	assert_int_equal(truncate(place->file, 100 << 10), 0);
	assert_int_equal(reader_ask_files(reader, paths, tags, 5), 5);
	for (int i = 0; i < 5; i++) {
		answer(reader, &a);
		assert_int_equal(a.tag, tags[i]);
		assert_false(a.truncated);
		whole += !a.error && a.size == 100 << 10;
		again += a.error == READER_AGAIN;
	}
	assert_true(whole >= 1 && again >= 1);
	assert_int_equal(whole + again, 5);
	assert_int_equal(truncate(place->file, 200 << 10), 0);
	assert_int_equal(reader_ask_files(reader, paths, tags, 2), 2);
	answer(reader, &a);
	assert_true(a.truncated);
	assert_int_equal(a.size, 100 << 10);
	reader_free(reader);
}

static void no_helper_stays_behind(void **state)
{
	struct place *place = *state;
	struct reader *reader = pool(4, 100);
	pid_t pids[5];

	assert_int_equal(helpers(pids, 5), 4);
	assert_int_equal(reader_ask(reader, READER_READ_ANY, place->fifo, 1), 0);
	assert_int_equal(kill(pids[1], SIGSTOP), 0);
	reader_free(reader);
	assert_int_equal(helpers(pids, 5), 0);
	reader_free(NULL);
}

static void helpers_end_with_their_owner(void **state)
{
	struct place *place = *state;
	int pipefd[2];
	pid_t owner, pids[3];

	assert_int_equal(pipe(pipefd), 0);
	owner = fork();
	if (owner == 0) {
		struct reader *reader = pool(3, 100);

		reader_ask(reader, READER_READ_ANY, place->fifo, 1);
		if (helpers(pids, 3) == 3 && write(pipefd[1], pids, sizeof(pids)) > 0)
			pause();
		_exit(1);
	}
	assert_int_equal(read(pipefd[0], pids, sizeof(pids)), sizeof(pids));
	assert_int_equal(kill(owner, SIGKILL), 0);
	assert_int_equal(waitpid(owner, NULL, 0), owner);
	for (int tries = 0; tries < 100; tries++) {
		if (kill(pids[0], 0) < 0 && kill(pids[1], 0) < 0 && kill(pids[2], 0) < 0)
			break;
		usleep(20000);
		assert_true(tries < 99);
	}
	close(pipefd[0]);
	close(pipefd[1]);
}

static void helpers_have_nothing_but_their_sockets(void **state)
{
	struct reader *reader = pool(1, 4096);
	struct reader_answer a;

	(void)state;
	/* descriptor 0 and 1, and the directory that is being listed */
	reader_call(reader, READER_GLOB, "/proc/self/fd/*", &a);
	assert_int_equal(a.error, 0);
	assert_int_equal(a.size, 48);
	assert_memory_equal(a.data, "/proc/self/fd/0\0/proc/self/fd/1\0/proc/self/fd/2", a.size);
	reader_free(reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_file_is_read_with_the_time_of_the_read, setup,
						teardown),
		cmocka_unit_test(a_kernel_file_of_size_0_is_read_to_its_end),
		cmocka_unit_test_setup_teardown(more_than_the_limit_is_cut_and_said_so, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_cannot_be_read_has_its_reason, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_pattern_gives_the_paths_that_match, setup,
						teardown),
		cmocka_unit_test_setup_teardown(more_matches_than_there_is_room_for_are_told, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_read_that_hangs_costs_one_helper_and_its_own_file,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_helper_that_comes_back_is_used_again_and_its_late_answer_is_not, setup,
			teardown),
		cmocka_unit_test_setup_teardown(a_helper_that_is_killed_is_told_at_once, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_helper_that_dies_idle_is_passed_over, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			a_helper_that_is_stopped_is_late_and_then_of_use_again, setup, teardown),
		cmocka_unit_test_setup_teardown(
			files_that_are_asked_for_together_are_answered_one_by_one, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_behind_a_file_that_hangs_comes_back_at_once,
						setup, teardown),
		cmocka_unit_test_setup_teardown(files_that_a_killed_helper_had, setup, teardown),
		cmocka_unit_test_setup_teardown(files_that_do_not_fit_come_back, setup, teardown),
		cmocka_unit_test_setup_teardown(no_helper_stays_behind, setup, teardown),
		cmocka_unit_test_setup_teardown(helpers_end_with_their_owner, setup, teardown),
		cmocka_unit_test(helpers_have_nothing_but_their_sockets),
	};

	return cmocka_run_group_tests_name("reader", tests, NULL, NULL);
}
