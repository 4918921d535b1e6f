#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "trace/comm.h"

/* What saved_cmdlines could be. */
static int list_of(const char *text)
{
	int fd = memfd_create("list", MFD_CLOEXEC);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	return fd;
}

static const char list[] =
	"1 systemd\n12 kworker/0:1\n123 a name with b\n7 \nrubbish\n 8 indented\n9 last";

static void a_name_is_found_by_its_whole_number(void **state)
{
	autoclose int fd = list_of(list);
	char comm[COMM_SIZE];

	(void)state;
	comm_recorded(comm, fd, 1);
	assert_string_equal(comm, "systemd");
	comm_recorded(comm, fd, 12);
	assert_string_equal(comm, "kworker/0:1");
	comm_recorded(comm, fd, 123);
	assert_string_equal(comm, "a name with b");
	comm_recorded(comm, fd, 9);
	assert_string_equal(comm, "last");
	/* and again, from the same descriptor */
	comm_recorded(comm, fd, 1);
	assert_string_equal(comm, "systemd");
}

static void what_is_not_there_is_empty(void **state)
{
	autoclose int fd = list_of(list), empty = list_of("");
	char comm[COMM_SIZE] = "before";

	(void)state;
	comm_recorded(comm, fd, 2);
	assert_string_equal(comm, "");
	comm_recorded(comm, fd, 7);
	assert_string_equal(comm, "");
	comm_recorded(comm, fd, -1);
	assert_string_equal(comm, "");
	comm_recorded(comm, empty, 1);
	assert_string_equal(comm, "");
	comm_recorded(comm, -1, 1);
	assert_string_equal(comm, "");
	comm_recorded(comm, fd, 0);
	assert_string_equal(comm, "<idle>");
}

static void a_name_that_is_too_long_is_cut(void **state)
{
	autoclose int fd = list_of("5 0123456789abcdefghij\n");
	char comm[COMM_SIZE];

	(void)state;
	comm_recorded(comm, fd, 5);
	assert_string_equal(comm, "0123456789abcde");
}

static void a_list_without_end_is_read_up_to_a_bound(void **state)
{
	autoclose int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	char comm[COMM_SIZE];

	(void)state;
	comm_recorded(comm, zero, 5);
	assert_string_equal(comm, "");
}

static void one_that_lives_is_asked_itself(void **state)
{
	autoclose int fd = list_of("1 not me\n");
	char comm[COMM_SIZE], line[64];
	autoclose int recorded = -1;
	pid_t pid;

	(void)state;
	prctl(PR_SET_NAME, "own (name) b");
	comm_find(comm, fd, getpid());
	assert_string_equal(comm, "own (name) b");
	pid = fork();
	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	snprintf(line, sizeof(line), "%d is gone\n", pid);
	recorded = list_of(line);
	comm_find(comm, recorded, pid);
	assert_string_equal(comm, "is gone");
	comm_find(comm, recorded, 0);
	assert_string_equal(comm, "<idle>");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_is_found_by_its_whole_number),
		cmocka_unit_test(what_is_not_there_is_empty),
		cmocka_unit_test(a_name_that_is_too_long_is_cut),
		cmocka_unit_test(a_list_without_end_is_read_up_to_a_bound),
		cmocka_unit_test(one_that_lives_is_asked_itself),
	};

	return cmocka_run_group_tests_name("comm", tests, NULL, NULL);
}
