/* System calls from raw records: pairs of begin and end, a line each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/units.h"
#include "convert/calls.h"
#include "madepages.h"

#define LINES_MAX 20000

static const char common[] =
	"\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"
	"\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n"
	"\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;\n"
	"\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n";

/* As a kernel has them. */
struct raw {
	uint16_t type;
	uint16_t flags;
	int32_t pid;
	int64_t id;
	uint64_t args[6]; /* of an end the first is its result */
};

struct bench {
	char enter[600], exit[600];
	struct tracedat *dat;
	struct formats *formats;
	struct calls *calls;
	char *lines[LINES_MAX];
	uint64_t times[LINES_MAX];
	size_t n;
};

static int take_line(void *arg, uint64_t time, const char *text)
{
	struct bench *b = arg;

	assert_true(b->n < LINES_MAX);
	b->times[b->n] = time;
	b->lines[b->n++] = strdup(text);
	return 0;
}

static void open_dat(struct bench *b)
{
	const char *const formats[] = { b->enter, b->exit };
	const struct tracedat_system system = { .name = "raw_syscalls",
						.formats = formats,
						.n_formats = 2 };
	struct tracedat_about about = { .layout = { 16, MADE_PAGE, 8 },
					.header_page = made_header_page,
					.systems = &system,
					.n_systems = 1,
					.saved_cmdlines = "7 dd\n" };
	int fd = memfd_create("dat", 0), none = memfd_create("cpu", 0);
	struct tracedat_cpu cpu = { .fds = &none, .n_fds = 1 };
	struct err e = ERR_INIT;

	snprintf(b->enter, sizeof(b->enter),
		 "name: sys_enter\nID: 21\nformat:\n%s"
		 "\tfield:long id;\toffset:8;\tsize:8;\tsigned:1;\n"
		 "\tfield:unsigned long args[6];\toffset:16;\tsize:48;\tsigned:0;\n\nprint fmt: "
		 "\"\"\n",
		 common);
	snprintf(b->exit, sizeof(b->exit),
		 "name: sys_exit\nID: 22\nformat:\n%s"
		 "\tfield:long id;\toffset:8;\tsize:8;\tsigned:1;\n"
		 "\tfield:long ret;\toffset:16;\tsize:8;\tsigned:1;\n\nprint fmt: \"\"\n",
		 common);
	if (tracedat_write(fd, &about, &cpu, 1, NULL, &e) < 0 || tracedat_open(&b->dat, fd, &e) < 0)
		fail_msg("%s", e.text);
	close(fd);
	close(none);
}

static int setup(void **state)
{
	static const char formats[] =
		"system: syscalls\nname: sys_enter_openat\nID: 600\nformat:\n"
		"\tfield:int __syscall_nr;\toffset:8;\tsize:4;\tsigned:1;\n"
		"\tfield:int dfd;\toffset:16;\tsize:8;\tsigned:0;\n"
		"\tfield:const char * filename;\toffset:24;\tsize:8;\tsigned:0;\n"
		"\tfield:int flags;\toffset:32;\tsize:8;\tsigned:0;\n"
		"\tfield:umode_t mode;\toffset:40;\tsize:8;\tsigned:0;\n\nprint fmt: \"\"\n\n";
	struct bench *b = calloc(1, sizeof(*b));
	struct err e = ERR_INIT;

	*state = b;
	open_dat(b);
	assert_true(calls_are_in(b->dat));
	if (formats_read(&b->formats, formats, &e) < 0 ||
	    calls_open(&b->calls, b->dat, b->formats, take_line, b, &e) < 0)
		fail_msg("%s", e.text);
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	calls_close(b->calls);
	formats_free(b->formats);
	tracedat_close(b->dat);
	for (size_t i = 0; i < b->n; i++)
		free(b->lines[i]);
	free(b);
	return 0;
}

static void take(struct bench *b, uint64_t time, uint16_t type, int pid, long id, uint64_t first)
{
	struct raw raw = {
		.type = type, .pid = pid, .id = id, .args = { first, 0x1000, 02000101, 0644, 5, 6 }
	};
	struct tracedat_record record = { .time = time, .data = &raw, .size = sizeof(raw) };

	assert_int_equal(calls_take(b->calls, &record), 0);
}

static void begins(struct bench *b, uint64_t us, int pid, long id, uint64_t first)
{
	take(b, us * 1000, 21, pid, id, first);
}

static void ends(struct bench *b, uint64_t us, int pid, long id, long result)
{
	take(b, us * 1000, 22, pid, id, (uint64_t)result);
}

static void assert_line(struct bench *b, size_t i, uint64_t us, const char *text)
{
	assert_true(i < b->n);
	assert_string_equal(b->lines[i], text);
	assert_int_equal(b->times[i], us * 1000);
}

static void a_call_with_its_arguments_and_its_result(void **state)
{
	struct bench *b = *state;

	begins(b, 10, 7, SYS_openat, (uint32_t)-100);
	ends(b, 25, 7, SYS_openat, -ENOENT);
	begins(b, 30, 8, SYS_getpid, 1);
	ends(b, 1500030, 8, SYS_getpid, 8);
	begins(b, 1500040, 8, 1000, 1);
	ends(b, 1500041, 8, 1000, 0x7f0000000000);
	assert_line(b, 0, 10,
		    "dd-7 openat(dfd: AT_FDCWD, filename: 0x1000, flags: "
		    "O_WRONLY|O_CREAT|O_CLOEXEC, mode: 0644) = -1 ENOENT <0.000015000>");
	assert_line(b, 1, 30,
		    "<...>-8 getpid(0x1, 0x1000, 0x80041, 0x1a4, 0x5, 0x6) = 8 <1.500000000>");
	assert_line(b, 2, 1500040,
		    "<...>-8 syscall_1000(0x1, 0x1000, 0x80041, 0x1a4, 0x5, 0x6) = 0x7f0000000000 "
		    "<0.000001000>");
	assert_int_equal(b->n, 3);
}

/* In the order of their begins, whichever ends first. */
static void calls_of_several_tasks(void **state)
{
	struct bench *b = *state;

	begins(b, 10, 7, SYS_read, 3);
	begins(b, 20, 8, SYS_write, 1);
	ends(b, 30, 8, SYS_write, 5);
	assert_int_equal(b->n, 0);
	ends(b, 40, 7, SYS_read, 0);
	assert_int_equal(b->n, 2);
	assert_non_null(strstr(b->lines[0], "dd-7 read("));
	assert_non_null(strstr(b->lines[1], "<...>-8 write("));
}

static void what_has_no_begin_or_no_end(void **state)
{
	struct bench *b = *state;

	ends(b, 10, 7, SYS_read, 3);
	ends(b, 11, 9, SYS_clone, 0);
	begins(b, 20, 7, SYS_exit_group, 0);
	begins(b, 30, 8, SYS_ioctl, 3);
	assert_int_equal(calls_finish(b->calls, 30 * NS_PER_US + 90 * NS_PER_S), 0);
	assert_line(b, 0, 10, "dd-7 read (without its begin) = 3");
	assert_line(b, 1, 11, "<...>-9 clone (returns in the new task) = 0");
	assert_non_null(strstr(b->lines[2], "exit_group("));
	assert_non_null(strstr(b->lines[2], ") = ?"));
	assert_null(strstr(b->lines[2], "not ended"));
	assert_non_null(strstr(b->lines[3], "= ? <not ended, 1.5m so far>"));
	assert_int_equal(b->n, 4);
}

/* One that waits for long is not waited for. */
static void a_call_that_hangs_while_others_go_on(void **state)
{
	struct bench *b = *state;

	begins(b, 10, 7, SYS_read, 3);
	for (int i = 0; i < 9000; i++) {
		begins(b, 100 + 2 * i, 8, SYS_write, 1);
		ends(b, 101 + 2 * i, 8, SYS_write, 5);
	}
	assert_non_null(strstr(b->lines[0], "read("));
	assert_non_null(strstr(b->lines[0], "<not ended,"));
	ends(b, 50000, 7, SYS_read, 9);
	assert_int_equal(calls_finish(b->calls, NS_PER_S), 0);
	assert_int_equal(b->n, 9002);
	assert_line(b, b->n - 1, 50000, "dd-7 read (begun above) = 9 <0.049990000>");
}

/* Records in between are lost: what is left of two calls does not become one. */
static void calls_on_both_sides_of_a_hole(void **state)
{
	struct bench *b = *state;

	begins(b, 10, 7, SYS_openat, (uint32_t)-100);
	ends(b, 120000, 7, SYS_read, 16384);
	begins(b, 130000, 7, SYS_read, 3);
	begins(b, 140000, 7, SYS_write, 1);
	ends(b, 140005, 7, SYS_write, 5);
	assert_int_equal(calls_finish(b->calls, NS_PER_S), 0);
	assert_int_equal(b->n, 4);
	assert_non_null(strstr(b->lines[0], "openat("));
	assert_non_null(strstr(b->lines[0], "= ? <its end was not recorded>"));
	assert_line(b, 1, 120000, "dd-7 read (without its begin) = 16384");
	assert_non_null(strstr(b->lines[2], "read("));
	assert_non_null(strstr(b->lines[2], "= ? <its end was not recorded>"));
	assert_non_null(strstr(b->lines[3], "write("));
	assert_non_null(strstr(b->lines[3], "= 5 <0.000005000>"));
}

static void a_call_that_was_told_as_going_on_is_lost(void **state)
{
	struct bench *b = *state;

	begins(b, 10, 7, SYS_read, 3);
	for (int i = 0; i < 9000; i++) {
		begins(b, 100 + 2 * i, 8, SYS_write, 1);
		ends(b, 101 + 2 * i, 8, SYS_write, 5);
	}
	begins(b, 50000, 7, SYS_write, 3);
	ends(b, 50001, 7, SYS_write, 3);
	ends(b, 50002, 7, SYS_read, 4);
	assert_int_equal(calls_finish(b->calls, NS_PER_S), 0);
	assert_int_equal(b->n, 9004);
	assert_non_null(strstr(b->lines[0], "<not ended,"));
	assert_string_equal(b->lines[b->n - 3],
			    "dd-7 read (begun above) = ? <its end was not recorded>");
	assert_non_null(strstr(b->lines[b->n - 2], "write("));
	assert_string_equal(b->lines[b->n - 1], "dd-7 read (without its begin) = 4");
}

static void garbage_is_no_call(void **state)
{
	struct bench *b = *state;
	struct raw raw = { .type = 21, .pid = -5, .id = -7 };
	struct tracedat_record record = { .time = 5, .data = &raw, .size = sizeof(raw) };

	assert_int_equal(calls_take(b->calls, &record), 0);
	raw.pid = INT32_MAX;
	assert_int_equal(calls_take(b->calls, &record), 0);
	for (record.size = 0; record.size < 20; record.size++)
		assert_int_equal(calls_take(b->calls, &record), 0);
	raw.type = 500;
	assert_int_equal(calls_take(b->calls, &record), 0);
	raw.pid = 5;
	raw.type = 22;
	record.size = sizeof(raw);
	assert_int_equal(calls_take(b->calls, &record), 0);
	assert_int_equal(calls_finish(b->calls, 0), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_call_with_its_arguments_and_its_result),
		TEST(calls_of_several_tasks),
		TEST(what_has_no_begin_or_no_end),
		TEST(a_call_that_hangs_while_others_go_on),
		TEST(calls_on_both_sides_of_a_hole),
		TEST(a_call_that_was_told_as_going_on_is_lost),
		TEST(garbage_is_no_call),
	};

	return cmocka_run_group_tests_name("calls", tests, NULL, NULL);
}
