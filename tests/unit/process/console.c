/* The console runs behind a program whose streams are pipes, or a terminal of our own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/units.h"
#include "process/console.h"

/* What came out of a program that has a console. */
struct shown {
	char out[1 << 16];
	char err[1 << 16];
	int status;
};

static void take(int fd, char *text, size_t size)
{
	size_t used = 0;
	ssize_t n;

	while (used < size - 1 && (n = read(fd, text + used, size - 1 - used)) > 0)
		used += n;
	text[used] = '\0';
	close(fd);
}

/* Runs PROGRAM in a process with these streams. */
static pid_t run(void (*program)(struct console *console), enum console_mode mode, int out, int err)
{
	struct err e = ERR_INIT;
	pid_t pid = fork();

	if (pid == 0) {
		struct console *console;

		dup2(out, STDOUT_FILENO);
		dup2(err, STDERR_FILENO);
		close(out);
		close(err);
		if (console_start(&console, mode, &e) < 0)
			_exit(1);
		program(console);
		console_end(console);
		_exit(0);
	}
	close(out);
	if (err != out)
		close(err);
	return pid;
}

static void show(struct shown *shown, void (*program)(struct console *console),
		 enum console_mode mode)
{
	int out[2], err[2];
	pid_t pid;

	assert_int_equal(pipe2(out, O_CLOEXEC) | pipe2(err, O_CLOEXEC), 0);
	pid = run(program, mode, out[1], err[1]);
	take(out[0], shown->out, sizeof(shown->out));
	take(err[0], shown->err, sizeof(shown->err));
	assert_int_equal(waitpid(pid, &shown->status, 0), pid);
}

static void say_all(struct console *console)
{
	console_line(console, "a line of %d", 1);
	console_status(console, "a status of %d", 2);
	console_error(console, "an error of %d", 3);
	console_result(console, "a result of %d", 4);
}

static void results_go_one_way_and_the_rest_the_other(void **state)
{
	struct shown s;

	(void)state;
	show(&s, say_all, CONSOLE_NORMAL);
	assert_int_equal(s.status, 0);
	assert_string_equal(s.out, "a result of 4\n");
	assert_string_equal(s.err, "a line of 1\nan error of 3\n");
}

static void when_quiet_there_are_results_and_errors(void **state)
{
	struct shown s;

	(void)state;
	show(&s, say_all, CONSOLE_QUIET);
	assert_string_equal(s.out, "a result of 4\n");
	assert_string_equal(s.err, "an error of 3\n");
}

static void say_long_lines(struct console *console)
{
	char text[5000];

	memset(text, 'x', sizeof(text));
	text[4999] = '\0';
	console_result(console, "%s", text);
	console_result(console, "%s", "%s%n");
	console_result(console, "%s", "");
	console_result(console, "last");
}

static void a_line_that_is_too_long_is_cut(void **state)
{
	struct shown s;
	const char *end;

	(void)state;
	show(&s, say_long_lines, CONSOLE_NORMAL);
	end = strchr(s.out, '\n');
	assert_non_null(end);
	assert_in_range(end - s.out, 2000, 2048);
	assert_string_equal(end, "\n%s%n\n\nlast\n");
}

static void check_own_streams(struct console *console)
{
	struct stat null, st;

	stat("/dev/null", &null);
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (fstat(fd, &st) < 0 || st.st_rdev != null.st_rdev)
			console_result(console, "%d is still open", fd);
	if (write(STDOUT_FILENO, "astray", 6) == 6)
		console_result(console, "done");
}

static void the_programs_own_streams_lead_nowhere(void **state)
{
	struct shown s;

	(void)state;
	show(&s, check_own_streams, CONSOLE_NORMAL);
	assert_string_equal(s.out, "done\n");
}

static void say_with_status(struct console *console)
{
	console_status(console, "first");
	console_status(console, "second");
	console_line(console, "a line");
	console_status(console, "third");
	console_result(console, "a result");
	console_status(console, "fourth");
}

static void on_a_terminal_the_status_is_replaced_in_place(void **state)
{
	struct shown s;
	int master, slave;
	pid_t pid;

	(void)state;
	assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	fcntl(master, F_SETFD, FD_CLOEXEC);
	pid = run(say_with_status, CONSOLE_NORMAL, dup(slave), slave);
	take(master, s.err, sizeof(s.err));
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_string_equal(
		s.err,
		"\r\033[Kfirst\r\033[Ksecond\r\033[Ka line\r\n\r\033[Kthird\r\033[Ka result\r\n"
		"\r\033[Kfourth\r\033[K");
}

/* A hundred times what any queue holds. */
static void say_much(struct console *console)
{
	uint64_t start = clock_boot();

	for (int i = 0; i < 100000; i++)
		console_line(console,
			     "line %d, with as many bytes as lines commonly have, and then some "
			     "more of them",
			     i);
	if (clock_boot() - start > NS_PER_S)
		_exit(3);
}

static void a_reader_that_never_reads_blocks_nobody(void **state)
{
	uint64_t start = clock_boot();
	int pipefd[2], status;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe2(pipefd, O_CLOEXEC), 0);
	pid = run(say_much, CONSOLE_NORMAL, dup(pipefd[1]), pipefd[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_in_range(clock_boot() - start, 0, 4 * NS_PER_S);
	close(pipefd[0]);
}

static void a_reader_that_is_gone_ends_nobody(void **state)
{
	int pipefd[2], status;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe2(pipefd, O_CLOEXEC), 0);
	close(pipefd[0]);
	pid = run(say_all, CONSOLE_NORMAL, dup(pipefd[1]), pipefd[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	console_end(NULL);
}

static void signal_own_group(struct console *console)
{
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	setpgid(0, 0);
	kill(0, SIGINT);
	kill(0, SIGHUP);
	console_result(console, "still there");
}

static void the_signals_of_a_terminal_do_not_end_it(void **state)
{
	struct shown s;

	(void)state;
	show(&s, signal_own_group, CONSOLE_NORMAL);
	assert_string_equal(s.out, "still there\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(results_go_one_way_and_the_rest_the_other),
		cmocka_unit_test(when_quiet_there_are_results_and_errors),
		cmocka_unit_test(a_line_that_is_too_long_is_cut),
		cmocka_unit_test(the_programs_own_streams_lead_nowhere),
		cmocka_unit_test(on_a_terminal_the_status_is_replaced_in_place),
		cmocka_unit_test(a_reader_that_never_reads_blocks_nobody),
		cmocka_unit_test(a_reader_that_is_gone_ends_nobody),
		cmocka_unit_test(the_signals_of_a_terminal_do_not_end_it),
	};

	return cmocka_run_group_tests_name("console", tests, NULL, NULL);
}
