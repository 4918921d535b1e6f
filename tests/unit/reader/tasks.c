#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "reader/tasks.h"

static char *shown(const char *format, int number)
{
	autofree char *query = NULL;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	bool cut;

	assert_non_null(out);
	assert_true(asprintf(&query, format, number) > 0);
	assert_int_equal(tasks_write(out, query, 1 << 20, &cut), 0);
	fclose(out);
	return text;
}

static size_t count(const char *text, const char *what)
{
	size_t n = 0;

	for (const char *at = text; (at = strstr(at, what)); at++)
		n++;
	return n;
}

static void a_task_is_shown_with_what_is_known_of_it(void **state)
{
	autofree char *text = shown("{\"pid\":[%d]}", getpid());
	autofree char *head = NULL;

	(void)state;
	assert_true(asprintf(&head, "== task %d 'unit-tasks', state R", getpid()) > 0);
	assert_memory_equal(text, head, strlen(head));
	assert_int_equal(count(text, "\n== task "), 0);
	assert_non_null(strstr(text, "-- status\nName:\tunit-tasks\n"));
	assert_non_null(strstr(text, "-- cgroup\n"));
	assert_non_null(strstr(text, "-- open files\n0 "));
}

/* The digits that a field of the stop event leaves. */
static void a_pid_can_be_a_text(void **state)
{
	autofree char *text = shown("{\"pid\":[\"%d\"],\"comm\":[\"unit-tasks\",\"b\"]}", getpid());
	autofree char *none = shown("{\"pid\":[%d],\"comm\":[\"b\"]}", getpid());

	(void)state;
	assert_int_equal(count(text, "== task "), 1);
	assert_string_equal(none, "# there was no such task\n");
}

static void states_and_cgroups_choose(void **state)
{
	autofree char *running = shown("{\"pid\":[%d],\"state\":\"DR\"}", getpid());
	autofree char *asleep = shown("{\"pid\":[%d],\"state\":\"SD\"}", getpid());
	autofree char *root = shown("{\"pid\":[%d],\"cgroup\":\"/\"}", getpid());
	autofree char *other = shown("{\"pid\":[%d],\"cgroup\":\"/no-such-cgroup\"}", getpid());

	(void)state;
	assert_int_equal(count(running, "== task "), 1);
	assert_int_equal(count(asleep, "== task "), 0);
	assert_int_equal(count(root, "== task "), 1);
	assert_int_equal(count(other, "== task "), 0);
}

static void garbage_is_refused(void **state)
{
	autofree char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	bool cut;

	(void)state;
	assert_int_equal(tasks_write(out, "no JSON", 100, &cut), EINVAL);
	assert_int_equal(tasks_members(out, "uid 0"), EINVAL);
	fclose(out);
}

static void *sleep_on(void *ready)
{
	prctl(PR_SET_NAME, "other-name");
	*(volatile int *)ready = syscall(SYS_gettid);
	pause();
	return NULL;
}

static char *members(const char *who)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_int_equal(tasks_members(out, who), 0);
	fclose(out);
	return text;
}

/* All threads of it, whatever they are called. */
static void members_are_threads(void **state)
{
	volatile int tid = 0;
	pthread_t thread;
	char exe[4096] = "exe ", line[64];
	ssize_t n = readlink("/proc/self/exe", exe + 4, sizeof(exe) - 5);
	autofree char *by_comm = NULL, *by_exe = NULL, *by_other = NULL;

	(void)state;
	assert_true(n > 0);
	assert_int_equal(pthread_create(&thread, NULL, sleep_on, (void *)&tid), 0);
	while (!tid)
		usleep(1000);
	snprintf(line, sizeof(line), "%d %d\n", getpid(), tid);
	by_comm = members("comm unit-tasks");
	by_exe = members(exe);
	by_other = members("comm other-name");
	assert_non_null(strstr(by_comm, line));
	assert_non_null(strstr(by_exe, line));
	assert_null(strstr(by_other, line));
}

static int enter(void **state)
{
	(void)state;
	return prctl(PR_SET_NAME, "unit-tasks");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_task_is_shown_with_what_is_known_of_it),
		cmocka_unit_test(a_pid_can_be_a_text),
		cmocka_unit_test(states_and_cgroups_choose),
		cmocka_unit_test(garbage_is_refused),
		cmocka_unit_test(members_are_threads),
	};

	return cmocka_run_group_tests_name("tasks", tests, enter, NULL);
}
