/* What may be asked for around a freeze. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "owncapture.h"
#include "prepare/freezesafe.h"

/* The plan of a recipe that collects COLLECT and goes on with REST. */
static int checked(const char *collect, const char *rest, const struct options *options,
		   struct err *e)
{
	char text[2000];
	autofree char *json = NULL;
	struct plan *plan;
	int r;

	snprintf(text, sizeof(text),
		 "{'schema':1,'name':'r','question':'?','args':{},'max_time':1000000000,"
		 "'fsfreeze_safe':true,'stop':[],'collect':[%s]%s}",
		 collect, rest);
	json = own_json(text);
	*e = (struct err)ERR_INIT;
	if (plan_parse(&plan, json, e) < 0)
		fail_msg("%s", e->text);
	r = freezesafe_check(plan, options, e);
	plan_free(plan);
	return r;
}

static int checked_path(const char *path, struct err *e)
{
	const struct options options = { .ready_fd = -1 };
	char collect[600];

	snprintf(collect, sizeof(collect),
		 "{'type':'files','name':'f','at':'r.lua:2','start':false,'stop':true,"
		 "'max':1000,'paths':[{'path':'%s','optional':true,'at':'r.lua:2'}]}",
		 path);
	return checked(collect, "", &options, e);
}

static void paths_of_memory_are_fine(void **state)
{
	static const char *const paths[] = {
		"/proc/stat",          "/proc/net/dev",      "/proc/*/stat",
		"/proc/1/task/*/stat", "/proc/{pid}/status", "/proc/[0-9]*/io",
		"/proc/sys/fs/*/x",    "/proc/self/mounts",  "/sys/block/*/stat",
		"/sys/no/such/*",      "/dev/shm/x",         "/proc/irq/*/smp_affinity",
	};
	struct err e;

	(void)state;
	for (size_t i = 0; i < countof(paths); i++)
		if (checked_path(paths[i], &e) < 0)
			fail_msg("%s", e.text);
}

static void what_may_lead_to_a_disk_is_not(void **state)
{
	static const char *const paths[] = {
		"/etc/hostname",         "/no/such/place",      "/*/x",
		"/proc/1/root/etc/x",    "/proc/1/cwd/x",       "/proc/self/exe",
		"/proc/1/fd/3",          "/proc/*/*/x",         "/proc/1/c?d/x",
		"/proc/1/task/1/root/x", "/proc/{pid}/fd/{fd}", "/proc/thread-self/cwd/x",
	};
	struct err e;

	(void)state;
	for (size_t i = 0; i < countof(paths); i++) {
		if (checked_path(paths[i], &e) >= 0)
			fail_msg("'%s' is taken", paths[i]);
		assert_int_equal(e.exit, EXIT_HOST);
		assert_memory_equal(e.text, "r.lua:2: with fsfreeze_safe: ", 29);
	}
}

static void what_forks_or_follows_a_disk_is_not(void **state)
{
	const struct options options = { .ready_fd = -1 }, on_disk = { .pid_file = "/pid" };
	static const char log[] =
		"{'type':'textlog','name':'l','at':'r.lua:3','log':'%s','keep':65536}";
	char text[200];
	struct err e;

	(void)state;
	snprintf(text, sizeof(text), log, "freezes");
	assert_int_equal(checked(text, "", &options, &e), 0);
	assert_true(checked(text, "", &on_disk, &e) < 0);
	assert_int_equal(e.exit, EXIT_USAGE);
	assert_true(checked(text, ",'max_bundles':2", &options, &e) < 0);
	snprintf(text, sizeof(text), log, "journal");
	assert_true(checked(text, "", &options, &e) < 0);
	assert_true(
		checked("{'type':'exec','name':'x','at':'r.lua:4','argv':['true'],'start':false,"
			"'stop':true,'max':1000,'deadline':1000000000}",
			"", &options, &e) < 0);
	assert_non_null(strstr(e.text, "r.lua:4: with fsfreeze_safe: no command"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_of_memory_are_fine),
		cmocka_unit_test(what_may_lead_to_a_disk_is_not),
		cmocka_unit_test(what_forks_or_follows_a_disk_is_not),
	};

	return cmocka_run_group_tests_name("freezesafe", tests, NULL, NULL);
}
