#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/units.h"
#include "log/follower.h"
#include "scratch.h"

struct place {
	struct scratch dir;
	char log[90];
	struct follower *f;
};

static int setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));
	struct err e = ERR_INIT;

	scratch_open(&p->dir);
	snprintf(p->log, sizeof(p->log), "%s/log", p->dir.path);
	assert_int_equal(io_create_file(p->dir.fd, "log", "long ago\n", 9, &e), 0);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;

	follower_close(p->f);
	scratch_close(&p->dir);
	free(p);
	return 0;
}

static void follow(struct place *p)
{
	struct err e = ERR_INIT;

	if (follower_open(&p->f, p->log, FOLLOW_NOW, &e) < 0)
		fail_msg("%s", e.text);
}

static void put(struct place *p, const char *name, const char *text, int flags)
{
	autoclose int fd = openat(p->dir.fd, name, O_WRONLY | O_CREAT | flags, 0600);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

/* The next line is TEXT; NULL: none comes. */
static void assert_next(struct place *p, const char *text)
{
	struct pollfd polled = { .fd = follower_fd(p->f), .events = POLLIN };
	uint64_t until = clock_boot() + (text ? 5 * NS_PER_S : 2 * FOLLOWER_LATE);
	struct followed line;
	int more = 0;

	while (more == 0 && clock_boot() < until) {
		poll(&polled, 1, 50);
		more = follower_next(p->f, &line);
		if (more > 0 && !line.text)
			more = 0; /* a mark, or a cut */
	}
	if (!text) {
		assert_int_equal(more, 0);
		return;
	}
	assert_int_equal(more, 1);
	assert_int_equal(line.size, strlen(text));
	assert_memory_equal(line.text, text, line.size);
	assert_true(line.time > 0 && line.time <= clock_boot());
}

static void lines_come_whole_and_from_the_start_on(void **state)
{
	struct place *p = *state;

	follow(p);
	put(p, "log", "one\ntwo\nthr", O_APPEND);
	assert_next(p, "one");
	assert_next(p, "two");
	put(p, "log", "ee\n\n", O_APPEND);
	assert_next(p, "three");
	assert_next(p, "");
}

/* The last words of who was killed have no end. */
static void what_stands_without_an_end_is_a_line(void **state)
{
	struct place *p = *state;

	follow(p);
	put(p, "log", "last words", O_APPEND);
	assert_next(p, "last words");
	put(p, "log", "half", O_APPEND);
	usleep(50000);
	put(p, "log", "", O_TRUNC);
	assert_next(p, "half");
}

/* A mark says that all up to its time has come. */
static void marks_come_as_long_as_the_end_is_reached(void **state)
{
	struct place *p = *state;
	uint64_t from, last = 0;
	struct followed line;

	follow(p);
	from = clock_boot();
	while (clock_boot() - from < 3 * FOLLOWER_LATE) {
		while (follower_next(p->f, &line) > 0) {
			assert_null(line.text);
			assert_true(line.time >= last && line.time <= clock_boot());
			last = line.time;
		}
		usleep(10000);
	}
	assert_true(last > from + FOLLOWER_LATE);
}

static void another_file_does_not_take_its_place(void **state)
{
	struct place *p = *state;
	struct err e = ERR_INIT;

	follow(p);
	assert_int_equal(io_create_file(p->dir.fd, "secret", "secret\n", 7, &e), 0);
	assert_int_equal(renameat(p->dir.fd, "log", p->dir.fd, "log.1"), 0);
	assert_int_equal(symlinkat("secret", p->dir.fd, "log"), 0);
	assert_next(p, NULL);
	assert_int_equal(unlinkat(p->dir.fd, "log", 0), 0);
	put(p, "other", "of another user\n", 0);
	assert_int_equal(fchownat(p->dir.fd, "other", 1000, -1, 0), 0);
	assert_int_equal(renameat(p->dir.fd, "other", p->dir.fd, "log"), 0);
	assert_next(p, NULL);
	assert_int_equal(renameat(p->dir.fd, "log.1", p->dir.fd, "log"), 0);
	put(p, "log", "the first\n", O_APPEND);
	assert_next(p, "the first");
}

static void a_renamed_file_and_its_successor_are_both_read(void **state)
{
	struct place *p = *state;

	follow(p);
	put(p, "log", "before\nhal", O_APPEND);
	assert_next(p, "before");
	assert_int_equal(renameat(p->dir.fd, "log", p->dir.fd, "log.1"), 0);
	put(p, "log", "new\n", 0);
	assert_next(p, "new");
	put(p, "log.1", "f\n", O_APPEND);
	assert_next(p, "half");
	assert_int_equal(renameat(p->dir.fd, "log", p->dir.fd, "log.2"), 0);
	put(p, "log", "newer\n", 0);
	assert_next(p, "newer");
	put(p, "log.2", "late\n", O_APPEND);
	assert_next(p, "late");
}

static void a_file_that_is_cut_is_read_from_its_begin(void **state)
{
	struct place *p = *state;

	follow(p);
	put(p, "log", "a longer line than the next\n", O_APPEND);
	assert_next(p, "a longer line than the next");
	put(p, "log", "", O_TRUNC);
	usleep(600000);
	put(p, "log", "short\n", O_APPEND);
	assert_next(p, "short");
}

/* Where it was read to is in the middle of something else then. */
static void a_file_that_is_cut_and_filled_again_is_read_from_its_begin(void **state)
{
	struct place *p = *state;

	follow(p);
	put(p, "log", "one\n", O_APPEND);
	assert_next(p, "one");
	for (int i = 0; i < 20; i++) {
		put(p, "log", "another line, which is longer\nand one more\n", O_TRUNC);
		assert_next(p, "another line, which is longer");
		assert_next(p, "and one more");
		put(p, "log", "and it goes on\nas long as before, and longer\n...\n", O_TRUNC);
		assert_next(p, "and it goes on");
		assert_next(p, "as long as before, and longer");
		assert_next(p, "...");
	}
}

static void a_file_that_is_gone_is_waited_for(void **state)
{
	struct place *p = *state;

	follow(p);
	assert_int_equal(unlinkat(p->dir.fd, "log", 0), 0);
	assert_next(p, NULL);
	put(p, "log", "again\n", 0);
	assert_next(p, "again");
}

static void a_long_line_is_cut(void **state)
{
	struct place *p = *state;
	autofree char *text = malloc(3 * FOLLOWER_LINE);

	follow(p);
	memset(text, 'x', 2 * FOLLOWER_LINE);
	strcpy(text + 2 * FOLLOWER_LINE, "\nshort\n");
	put(p, "log", text, O_APPEND);
	text[FOLLOWER_LINE] = '\0';
	assert_next(p, text);
	assert_next(p, "short");
}

/* More than fits into the socket is not lost. */
static void who_is_slow_gets_all_of_them(void **state)
{
	struct place *p = *state;
	autofree char *text = malloc(50000 * 8 + 1);
	char expected[16];

	follow(p);
	for (unsigned i = 0; i < 50000; i++)
		snprintf(text + i * 8, 9, "%07u\n", i % 10000000);
	put(p, "log", text, O_APPEND);
	usleep(300000);
	for (int i = 0; i < 50000; i++) {
		snprintf(expected, sizeof(expected), "%07d", i);
		assert_next(p, expected);
	}
}

static void what_is_no_file_is_refused(void **state)
{
	struct place *p = *state;
	struct err e = ERR_INIT;

	assert_int_equal(mkfifoat(p->dir.fd, "fifo", 0600), 0);
	snprintf(p->log, sizeof(p->log), "%s/fifo", p->dir.path);
	assert_true(follower_probe(p->log, &e) < 0);
	assert_int_equal(e.exit, EXIT_HOST);
	e = (struct err)ERR_INIT;
	snprintf(p->log, sizeof(p->log), "%s/none", p->dir.path);
	assert_true(follower_probe(p->log, &e) < 0);
	assert_non_null(strstr(e.text, "cannot be followed: it cannot be opened: No such file"));
}

static void whoever_follows_can_be_gone(void **state)
{
	struct place *p = *state;
	struct followed line;
	autofree char *children = NULL;
	struct err e = ERR_INIT;
	char path[64];
	int more;

	follow(p);
	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	assert_int_equal(io_read_file(AT_FDCWD, path, 4096, &children, NULL, &e), 0);
	assert_true(atoi(children) > 0);
	kill(atoi(children), SIGKILL);
	for (int i = 0; i < 100 && (more = follower_next(p->f, &line)) >= 0; i++)
		usleep(10000);
	assert_true(more < 0);
}

#define FOLLOWER_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FOLLOWER_TEST(lines_come_whole_and_from_the_start_on),
		FOLLOWER_TEST(what_stands_without_an_end_is_a_line),
		FOLLOWER_TEST(marks_come_as_long_as_the_end_is_reached),
		FOLLOWER_TEST(another_file_does_not_take_its_place),
		FOLLOWER_TEST(a_renamed_file_and_its_successor_are_both_read),
		FOLLOWER_TEST(a_file_that_is_cut_is_read_from_its_begin),
		FOLLOWER_TEST(a_file_that_is_cut_and_filled_again_is_read_from_its_begin),
		FOLLOWER_TEST(a_file_that_is_gone_is_waited_for),
		FOLLOWER_TEST(a_long_line_is_cut),
		FOLLOWER_TEST(who_is_slow_gets_all_of_them),
		FOLLOWER_TEST(what_is_no_file_is_refused),
		FOLLOWER_TEST(whoever_follows_can_be_gone),
	};

	return cmocka_run_group_tests_name("follower", tests, NULL, NULL);
}
