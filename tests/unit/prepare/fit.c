#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "base/auto.h"
#include "capture/state.h"
#include "prepare/fit.h"
#include "source/ftrace_plan.h"

#define MIB (1ull << 20)

/* A disk of 64 MiB, and a place for rings of 16. */
static char disk[] = "/tmp/unit-fit-XXXXXX";

static int setup(void **state)
{
	(void)state;
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    !mkdtemp(disk))
		return -1;
	return mount("none", disk, "tmpfs", 0, "size=64m") |
	       mount("none", "/run", "tmpfs", 0, "size=16m");
}

static int teardown(void **state)
{
	(void)state;
	umount2("/run", MNT_DETACH);
	umount2(disk, MNT_DETACH);
	return remove(disk);
}

static void assert_refused(int r, const struct err *e, const char *why)
{
	assert_true(r < 0);
	assert_int_equal(e->exit, EXIT_HOST);
	if (!strstr(e->text, why))
		fail_msg("'%s' is not in '%s'", why, e->text);
}

static void rings_take_no_more_than_is_allowed(void **state)
{
	struct options options = { .memory = 8 * MIB };
	struct cost cost = { .kernel_bytes = 6 * MIB, .tmpfs_bytes = 2 * MIB };
	struct err e = ERR_INIT;
	uint64_t limit;

	(void)state;
	if (fit_memory(&cost, &options, &limit, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(limit, 8 * MIB);
	cost.tmpfs_bytes++;
	/* and the sentence says what would do */
	assert_refused(fit_memory(&cost, &options, &limit, &e), &e, "--memory 9M");
	assert_non_null(strstr(e.text, "more was not allowed"));
}

static void without_a_word_a_quarter_of_the_memory_is_allowed(void **state)
{
	struct options options = { 0 };
	struct cost cost = { .kernel_bytes = 1 * MIB };
	struct err e = ERR_INIT;
	uint64_t limit;

	(void)state;
	assert_int_equal(fit_memory(&cost, &options, &limit, &e), 0);
	assert_true(limit > 0);
	cost.kernel_bytes = limit * 3;
	assert_refused(fit_memory(&cost, &options, &limit, &e), &e,
		       "a quarter of the available memory");
}

static void ring_files_have_to_fit_their_tmpfs(void **state)
{
	struct options options = { .memory = 1ull << 40 };
	struct cost cost = { .tmpfs_bytes = 15 * MIB };
	struct err e = ERR_INIT;
	uint64_t limit;

	(void)state;
	assert_in_range(state_room(), 15 * MIB, 16 * MIB);
	if (fit_memory(&cost, &options, &limit, &e) < 0)
		fail_msg("%s", e.text);
	cost.tmpfs_bytes = 17 * MIB;
	assert_refused(fit_memory(&cost, &options, &limit, &e), &e, "the tmpfs for them has");
}

static void the_bundle_has_to_fit_the_disk_twice_and_leave_something(void **state)
{
	struct options options = { .min_free = 4 * MIB, .outdir = disk };
	struct cost cost = { .output_bytes = 29 * MIB };
	struct plan plan = { 0 };
	struct err e = ERR_INIT;

	(void)state;
	if (fit_output(&plan, &cost, &options, disk, &e) < 0)
		fail_msg("%s", e.text);
	options.min_free = 8 * MIB;
	assert_refused(fit_output(&plan, &cost, &options, disk, &e), &e, "-o DIR");
	assert_refused(fit_output(&plan, &cost, &options, "/nowhere/at/all", &e), &e,
		       "'/nowhere/at/all'");
}

/* One event of that system. */
static int fit_tracing(const char *system, const char *outdir, struct err *e)
{
	struct ftrace_event event = { .system = (char *)system, .name = (char *)"x" };
	struct ftrace f = { .events = &event, .n_events = 1 };
	struct source sources[] = { { .ops = &log_source }, { .ops = &ftrace_source, .data = &f } };
	struct plan plan = { .sources = sources, .n_sources = 2 };
	struct options options = { .outdir = outdir };
	struct cost cost = { 0 };

	*e = (struct err)ERR_INIT;
	return fit_output(&plan, &cost, &options, disk, e);
}

static void a_traced_file_system_is_not_written_to_unless_it_was_named(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(fit_tracing("ext4", NULL, &e), 0);
	assert_refused(fit_tracing("tmpfs", NULL, &e), &e, "the recipe traces tmpfs");
	assert_int_equal(fit_tracing("tmpfs", disk, &e), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rings_take_no_more_than_is_allowed),
		cmocka_unit_test(without_a_word_a_quarter_of_the_memory_is_allowed),
		cmocka_unit_test(ring_files_have_to_fit_their_tmpfs),
		cmocka_unit_test(the_bundle_has_to_fit_the_disk_twice_and_leave_something),
		cmocka_unit_test(a_traced_file_system_is_not_written_to_unless_it_was_named),
	};

	return cmocka_run_group_tests_name("fit", tests, setup, teardown);
}
