#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/units.h"
#include "process/worker.h"

#define WAIT (5 * NS_PER_S)

static int setup(void **state)
{
	struct worker *w = calloc(1, sizeof(*w));

	w->fd = -1;
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	worker_kill(*state);
	free(*state);
	return 0;
}

static void start(struct worker *w, worker_main *main, void *arg)
{
	struct err e = ERR_INIT;

	if (worker_start(w, "unit", main, arg, NULL, 0, &e) < 0)
		fail_msg("%s", e.text);
}

static int finish(struct worker *w, struct err *e)
{
	*e = (struct err)ERR_INIT;
	return worker_finish(w, clock_boot() + WAIT, NULL, NULL, e);
}

/* What workers do. */

static int end_well(void *arg, int fd, struct err *e)
{
	(void)arg, (void)fd, (void)e;
	return 0;
}

static int fail_with_a_sentence(void *arg, int fd, struct err *e)
{
	(void)fd;
	err_set(e, "%s", (const char *)arg);
	e->code = -ENOSPC;
	return err_exit(e, EXIT_HOST);
}

static int abort_itself(void *arg, int fd, struct err *e)
{
	(void)arg, (void)fd, (void)e;
	signal(SIGABRT, SIG_DFL);
	return kill(getpid(), SIGABRT);
}

static int leave_without_a_word(void *arg, int fd, struct err *e)
{
	(void)arg, (void)fd, (void)e;
	_exit(3);
}

static int hang(void *arg, int fd, struct err *e)
{
	(void)arg, (void)e;
	message_send(fd, MESSAGE_ARMED, "");
	while (pause() < 0)
		;
	return 0;
}

static int hang_up_and_live_on(void *arg, int fd, struct err *e)
{
	close(fd);
	return hang(arg, -1, e);
}

static int say_three(void *arg, int fd, struct err *e)
{
	(void)arg, (void)e;
	message_send(fd, MESSAGE_SAY, "one");
	message_send(fd, MESSAGE_SAY, "two");
	message_send(fd, MESSAGE_SAY, "three");
	return 0;
}

static void await_armed(struct worker *w)
{
	uint64_t until = clock_boot() + WAIT;
	struct message message;

	while (!w->armed && clock_boot() < until) {
		worker_receive(w, &message);
		usleep(1000);
	}
	assert_true(w->armed);
}

static void assert_gone(pid_t pid)
{
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(errno, ESRCH);
}

static void one_that_ends_well_is_no_failure(void **state)
{
	struct worker *w = *state;
	struct message message;
	struct err e;

	start(w, end_well, NULL);
	assert_int_equal(finish(w, &e), 0);
	assert_true(w->stopped);
	assert_false(w->failed);
	assert_int_equal(w->pid, 0);
	assert_int_equal(w->fd, -1);
	/* and after its end */
	assert_int_equal(worker_receive(w, &message), 0);
	assert_int_equal(finish(w, &e), 0);
}

static void the_sentence_of_a_failure_arrives(void **state)
{
	struct worker *w = *state;
	struct err e;

	start(w, fail_with_a_sentence, "the disk is full");
	assert_int_equal(finish(w, &e), -ENOSPC);
	assert_string_equal(e.text, "the disk is full");
	assert_int_equal(e.exit, EXIT_HOST);
	assert_true(w->failed);
	assert_int_equal(finish(w, &e), -ENOSPC);
	assert_string_equal(e.text, "the disk is full");
}

static void a_sentence_that_is_too_long_is_cut(void **state)
{
	struct worker *w = *state;
	char text[990];
	struct err e;

	memset(text, 'x', sizeof(text));
	text[989] = '\0';
	start(w, fail_with_a_sentence, text);
	assert_int_equal(finish(w, &e), -ENOSPC);
	assert_in_range(strlen(e.text), 800, sizeof(e.text) - 1);
}

static void one_that_crashes_or_is_killed_is_told_by_its_signal(void **state)
{
	struct worker *w = *state;
	struct err e;

	start(w, abort_itself, NULL);
	assert_true(finish(w, &e) < 0);
	assert_non_null(strstr(e.text, "ended by signal 6 "));
	start(w, hang, NULL);
	await_armed(w);
	assert_int_equal(kill(w->pid, SIGKILL), 0);
	assert_true(finish(w, &e) < 0);
	assert_non_null(strstr(e.text, "ended by signal 9 "));
	start(w, leave_without_a_word, NULL);
	assert_true(finish(w, &e) < 0);
	assert_non_null(strstr(e.text, "ended by itself"));
}

static void one_that_hangs_is_killed_at_the_deadline(void **state)
{
	struct worker *w = *state;
	struct err e = ERR_INIT;
	uint64_t start_time;
	pid_t pid;

	start(w, hang, NULL);
	await_armed(w);
	pid = w->pid;
	start_time = clock_boot();
	assert_int_equal(worker_finish(w, start_time + 100 * NS_PER_MS, NULL, NULL, &e),
			 -ETIMEDOUT);
	assert_int_equal(e.code, -ETIMEDOUT);
	assert_non_null(strstr(e.text, "'unit' did not end in time"));
	assert_in_range(clock_boot() - start_time, 100 * NS_PER_MS, NS_PER_S);
	assert_gone(pid);
}

static void one_that_is_stopped_or_has_hung_up_is_killed(void **state)
{
	struct worker *w = *state;
	struct err e;
	pid_t pid;

	start(w, hang, NULL);
	await_armed(w);
	pid = w->pid;
	assert_int_equal(kill(pid, SIGSTOP), 0);
	worker_kill(w);
	assert_gone(pid);
	assert_int_equal(w->fd, -1);
	worker_kill(w);

	start(w, hang_up_and_live_on, NULL);
	pid = w->pid;
	assert_true(finish(w, &e) < 0);
	assert_gone(pid);
}

static void collect(void *arg, const char *text)
{
	strcat(strcat(arg, text), " ");
}

static void what_it_says_arrives_in_order(void **state)
{
	struct worker *w = *state;
	struct err e = ERR_INIT;
	char said[64] = "";

	start(w, say_three, NULL);
	assert_int_equal(worker_finish(w, clock_boot() + WAIT, collect, said, &e), 0);
	assert_string_equal(said, "one two three ");
}

/* Says "FD=DEVICE:INODE" for each open descriptor but its socket's. */
static int say_descriptors(void *arg, int fd, struct err *e)
{
	(void)arg, (void)e;
	for (int i = 0; i < 1024; i++) {
		char text[64];
		struct stat st;

		if (i == fd || fstat(i, &st) < 0)
			continue;
		snprintf(text, sizeof(text), "%d=%lu", i, (unsigned long)st.st_rdev);
		message_send(fd, MESSAGE_SAY, text);
	}
	return 0;
}

static void it_has_the_kept_descriptors_and_no_others(void **state)
{
	struct worker *w = *state;
	autoclose int low = open("/dev/zero", O_RDONLY), high = fcntl(low, F_DUPFD, 700),
		      kept = fcntl(low, F_DUPFD, 600);
	int keep[] = { -1, kept };
	char said[1024] = "", want[128];
	struct stat null, zero;
	struct err e = ERR_INIT;

	assert_true(high >= 700 && kept >= 600);
	assert_int_equal(stat("/dev/null", &null), 0);
	assert_int_equal(stat("/dev/zero", &zero), 0);
	snprintf(want, sizeof(want), "0=%lu 1=%lu 2=%lu %d=%lu ", (unsigned long)null.st_rdev,
		 (unsigned long)null.st_rdev, (unsigned long)null.st_rdev, kept,
		 (unsigned long)zero.st_rdev);
	assert_int_equal(worker_start(w, "unit", say_descriptors, NULL, keep, countof(keep), &e),
			 0);
	assert_int_equal(worker_finish(w, clock_boot() + WAIT, collect, said, &e), 0);
	assert_string_equal(said, want);
}

static void the_signals_of_a_terminal_do_not_end_it(void **state)
{
	static const int signals[] = {
		SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGPIPE, SIGUSR1
	};
	struct worker *w = *state;
	sigset_t all, before;
	int status;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	start(w, hang, NULL);
	sigprocmask(SIG_SETMASK, &before, NULL);
	await_armed(w);
	assert_int_equal(getpgid(w->pid), w->pid);
	for (size_t i = 0; i < countof(signals); i++)
		assert_int_equal(kill(w->pid, signals[i]), 0);
	usleep(20000);
	assert_int_equal(waitpid(w->pid, &status, WNOHANG | WUNTRACED), 0);
}

static int hang_as_long_as_the_parent(void *arg, int fd, struct err *e)
{
	worker_die_with_parent();
	return hang(arg, fd, e);
}

/* Starts a worker of its own, says its pid when that one is ready, hangs. */
static int have_a_child(void *arg, int fd, struct err *e)
{
	struct worker inner;
	char text[32];

	if (worker_start(&inner, "inner", hang_as_long_as_the_parent, arg, NULL, 0, e) < 0)
		return e->code;
	await_armed(&inner);
	snprintf(text, sizeof(text), "%d", inner.pid);
	message_send(fd, MESSAGE_SAY, text);
	return hang(NULL, fd, e);
}

static void a_worker_of_a_worker_ends_with_it(void **state)
{
	struct worker *w = *state;
	uint64_t until = clock_boot() + WAIT;
	struct message message;
	pid_t inner = 0;

	start(w, have_a_child, NULL);
	while (!inner && clock_boot() < until)
		if (worker_receive(w, &message) > 0 && message.type == MESSAGE_SAY)
			inner = atoi(message.text);
	assert_int_not_equal(inner, 0);
	assert_int_equal(kill(inner, 0), 0);
	worker_kill(w);
	while (kill(inner, 0) == 0 && clock_boot() < until)
		usleep(1000);
	assert_gone(inner);
}

#define WORKER_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORKER_TEST(one_that_ends_well_is_no_failure),
		WORKER_TEST(the_sentence_of_a_failure_arrives),
		WORKER_TEST(a_sentence_that_is_too_long_is_cut),
		WORKER_TEST(one_that_crashes_or_is_killed_is_told_by_its_signal),
		WORKER_TEST(one_that_hangs_is_killed_at_the_deadline),
		WORKER_TEST(one_that_is_stopped_or_has_hung_up_is_killed),
		WORKER_TEST(what_it_says_arrives_in_order),
		WORKER_TEST(it_has_the_kept_descriptors_and_no_others),
		WORKER_TEST(the_signals_of_a_terminal_do_not_end_it),
		WORKER_TEST(a_worker_of_a_worker_ends_with_it),
	};

	return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
