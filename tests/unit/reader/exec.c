#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/units.h"
#include "reader/exec.h"

/* What a command printed, with the line of its end; the caller's to free. */
static char *run(const char *query, size_t max, int error, bool cut)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	bool was_cut = false;

	assert_non_null(out);
	assert_int_equal(exec_write(out, query, max, -1, &was_cut), error);
	fclose(out);
	assert_int_equal(was_cut, cut);
	return text;
}

#define SH(script) "{\"argv\":[\"sh\",\"-c\",\"" script "\"],\"deadline\":2000000000}"

/* PATTERN, with one line of the end behind it. */
static void assert_says(const char *text, const char *output, const char *end)
{
	const char *last = strrchr(text, '#');

	assert_non_null(last);
	assert_int_equal(last - text, strlen(output));
	assert_memory_equal(text, output, strlen(output));
	assert_memory_equal(last, end, strlen(end));
	assert_int_equal(text[strlen(text) - 1], '\n');
}

static void both_streams_are_kept_and_the_exit_code(void **state)
{
	autofree char *text = run(SH("echo a; echo b >&2; exit 3"), 4096, 0, false);

	(void)state;
	assert_says(text, "a\nb\n", "# exit code 3, after ");
}

static void a_last_line_without_an_end_gets_one(void **state)
{
	autofree char *text = run(SH("printf a"), 4096, 0, false);

	(void)state;
	assert_says(text, "a\n", "# exit code 0, after ");
}

static void it_has_nothing_of_ours(void **state)
{
	autofree char *text = NULL;

	(void)state;
	setenv("SECRET", "x", 1);
	text = run(SH("echo \\\"[$SECRET]$LC_ALL\\\"; pwd; cat; ls /proc/self/fd | tr '\\n' ' '"),
		   4096, 0, false);
	/* the last of them is the directory that ls reads */
	assert_says(text, "[]C\n/\n0 1 2 3 \n", "# exit code 0, after ");
}

static void a_signal_is_told(void **state)
{
	autofree char *text = run(SH("kill -9 $$"), 4096, 0, false);

	(void)state;
	assert_says(text, "", "# ended by signal 9, after ");
}

static void what_it_prints_too_much_is_cut(void **state)
{
	autofree char *text = run(SH("yes | head -c 100000"), 1200, 0, true);

	(void)state;
	assert_true(strlen(text) <= 1200);
	assert_non_null(strstr(text, "# it printed more than is kept; exit code 0, after "));
}

/* TEXT begins with its number; who was killed may not have been waited for yet. */
static void assert_group_is_gone(const char *text)
{
	for (int i = 0; i < 200 && kill(-atoi(text), 0) == 0; i++)
		usleep(10000);
	assert_int_equal(kill(-atoi(text), 0), -1);
	assert_int_equal(errno, ESRCH);
}

/* Also where it would rather not, and has made others. */
static void it_is_killed_at_its_deadline(void **state)
{
	uint64_t before = clock_boot();
	autofree char *text = run("{\"argv\":[\"sh\",\"-c\",\"trap '' TERM INT; echo $$; sleep 50 "
				  "& sleep 50; wait\"],"
				  "\"deadline\":300000000}",
				  4096, 0, true);

	(void)state;
	assert_true(clock_boot() - before < 5 * NS_PER_S);
	assert_non_null(strstr(text, "# killed at its deadline, after "));
	assert_group_is_gone(text);
}

static void what_it_leaves_in_the_background_is_not_waited_for(void **state)
{
	uint64_t before = clock_boot();
	autofree char *text = run(SH("echo $$; sleep 50 & exit 4"), 4096, 0, false);

	(void)state;
	assert_true(clock_boot() - before < NS_PER_S);
	assert_non_null(strstr(text, "# exit code 4, after "));
	assert_group_is_gone(text);
}

static void what_cannot_be_run_is_an_errno(void **state)
{
	autofree char *text =
		run("{\"argv\":[\"no-such-command\"],\"deadline\":1}", 4096, ENOENT, false);
	autofree char *denied =
		run("{\"argv\":[\"/etc/passwd\"],\"deadline\":1}", 4096, EACCES, false);
	autofree char *garbage = run("{\"argv\":[]}", 4096, EINVAL, false);

	(void)state;
	assert_string_equal(text, "");
}

/* A helper has no other descriptors. */
static int enter(void **state)
{
	(void)state;
	io_close_from(3);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_streams_are_kept_and_the_exit_code),
		cmocka_unit_test(a_last_line_without_an_end_gets_one),
		cmocka_unit_test(it_has_nothing_of_ours),
		cmocka_unit_test(a_signal_is_told),
		cmocka_unit_test(what_it_prints_too_much_is_cut),
		cmocka_unit_test(it_is_killed_at_its_deadline),
		cmocka_unit_test(what_it_leaves_in_the_background_is_not_waited_for),
		cmocka_unit_test(what_cannot_be_run_is_an_errno),
	};

	return cmocka_run_group_tests_name("exec", tests, enter, NULL);
}
