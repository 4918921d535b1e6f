/* System calls as a person reads them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "trace/syscalls.h"

#define FIELD(type, name, offset) \
	"\tfield:" type " " name ";\toffset:" offset ";\tsize:8;\tsigned:0;\n"
#define NUMBER "\tfield:int __syscall_nr;\toffset:8;\tsize:4;\tsigned:1;\n"
#define FORMAT(name, fields)                                                         \
	"system: syscalls\nname: sys_enter_" name "\nID: 1\nformat:\n" NUMBER fields \
	"\nprint fmt: \"\"\n\n"

static const char formats_text[] =
	FORMAT("ioctl", FIELD("unsigned int", "fd", "16") FIELD("unsigned int", "cmd", "24")
				FIELD("unsigned long", "arg", "32"))
		FORMAT("kill", FIELD("pid_t", "pid", "16") FIELD("int", "sig", "24"))
			FORMAT("mmap", FIELD("unsigned long", "addr", "16")
					       FIELD("unsigned long", "len", "24")
						       FIELD("unsigned long", "prot", "32")
							       FIELD("unsigned long", "fd", "40"))
				FORMAT("newuname", FIELD("struct new_utsname *", "name", "16"))
					FORMAT("getpid", "");

struct bench {
	struct formats *formats;
	struct syscalls *syscalls;
};

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct err e = ERR_INIT;

	if (formats_read(&b->formats, formats_text, &e) < 0 ||
	    syscalls_create(&b->syscalls, b->formats, &e) < 0)
		fail_msg("%s", e.text);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	syscalls_free(b->syscalls);
	formats_free(b->formats);
	free(b);
	return 0;
}

static void assert_call(struct syscalls *s, long number, uint64_t a, uint64_t b, uint64_t c,
			uint64_t d, const char *want)
{
	const uint64_t args[SYSCALL_ARGS] = { a, b, c, d, 5, 6 };
	char text[300] = "";
	FILE *out = fmemopen(text, sizeof(text), "w");

	syscalls_call(s, number, args, out);
	fclose(out);
	assert_string_equal(text, want);
}

static void arguments_have_their_names_and_forms(void **state)
{
	struct syscalls *s = ((struct bench *)*state)->syscalls;

	assert_call(s, SYS_ioctl, 3, 0xc0045877, 0, 0, "ioctl(fd: 3, cmd: FIFREEZE, arg: 0)");
	assert_call(s, SYS_ioctl, 3, 0x5401, 0x7ffe0000, 0,
		    "ioctl(fd: 3, cmd: 0x5401, arg: 0x7ffe0000)");
	assert_call(s, SYS_kill, (uint32_t)-5, 15, 0, 0, "kill(pid: -5, sig: SIGTERM)");
	assert_call(s, SYS_kill, 5, 0, 0, 0, "kill(pid: 5, sig: 0)");
	assert_call(s, SYS_mmap, 0, 4096, 3, UINT32_MAX,
		    "mmap(addr: 0, len: 4096, prot: 0x3, fd: -1)");
	assert_call(s, SYS_uname, 0, 0, 0, 0, "uname(name: NULL)"); /* the kernel says newuname */
	assert_call(s, SYS_getpid, 1, 2, 3, 4, "getpid()");
}

static void what_is_not_known_is_a_number(void **state)
{
	struct syscalls *s = ((struct bench *)*state)->syscalls;

	assert_call(s, SYS_read, 3, 0x10, 100, 4, "read(0x3, 0x10, 0x64, 0x4, 0x5, 0x6)");
	assert_call(s, 1020, 1, 2, 3, 4, "syscall_1020(0x1, 0x2, 0x3, 0x4, 0x5, 0x6)");
	assert_call(s, -1, 1, 2, 3, 4, "syscall_-1(0x1, 0x2, 0x3, 0x4, 0x5, 0x6)");
	assert_call(s, 1l << 40, 1, 2, 3, 4, "syscall_1099511627776(0x1, 0x2, 0x3, 0x4, 0x5, 0x6)");
	assert_null(syscalls_name(s, 1020));
	assert_true(syscalls_ends_task(s, SYS_exit_group));
	assert_true(syscalls_makes_task(s, SYS_clone));
	assert_false(syscalls_ends_task(s, 1020));
}

static void results_and_errors(void **state)
{
	static const struct {
		long result;
		const char *text;
	} wants[] = {
		{ 0, "0" },
		{ 42, "42" },
		{ -EBUSY, "-1 EBUSY" },
		{ -512, "-1 ERESTARTSYS" },
		{ -516, "-1 ERESTART_RESTARTBLOCK" },
		{ -515, "-515" },
		{ 0x7f0000001000, "0x7f0000001000" },
		{ -4096, "0xfffffffffffff000" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wants) / sizeof(wants[0]); i++) {
		char text[64] = "";
		FILE *out = fmemopen(text, sizeof(text), "w");

		syscalls_result(wants[i].result, out);
		fclose(out);
		assert_string_equal(text, wants[i].text);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(arguments_have_their_names_and_forms),
		TEST(what_is_not_known_is_a_number),
		TEST(results_and_errors),
	};

	return cmocka_run_group_tests_name("syscalls", tests, NULL, NULL);
}
