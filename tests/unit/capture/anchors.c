#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "base/units.h"
#include "capture/anchors.h"
#include "owncapture.h"

#define PLAN(collect) "{'schema':1,'name':'unit','max_time':1,'collect':[" collect "],'stop':[]}"
#define LOG "{'type':'log','name':'kernel','at':'r.lua:1','log':'kernel'}"

struct bench {
	struct owncapture own;
	struct anchor *anchors;
	size_t n;
};

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct bench));
	owncapture_open(&((struct bench *)*state)->own, PLAN(LOG));
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	free(b->anchors);
	owncapture_close(&b->own);
	free(b);
	return 0;
}

static void read_all(struct bench *b)
{
	struct err e = ERR_INIT;

	free(take_ptr(b->anchors));
	if (anchors_read(b->own.state.fd, &b->anchors, &b->n, &e) < 0)
		fail_msg("%s", e.text);
}

static uint64_t now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static void each_anchor_lies_between_two_readings_of_every_clock(void **state)
{
	struct bench *b = *state;
	struct err e = ERR_INIT;

	if (anchors_arm(&b->own.c, &e) < 0)
		fail_msg("%s", e.text);
	for (size_t i = 0; i < 3; i++) {
		uint64_t boot = now(CLOCK_BOOTTIME), wall = now(CLOCK_REALTIME),
			 mono = now(CLOCK_MONOTONIC);

		assert_int_equal(anchors_add(&b->own.c, &e), 0);
		read_all(b);
		assert_int_equal(b->n, i + 2);
		assert_in_range(b->anchors[i + 1].boot, boot, now(CLOCK_BOOTTIME));
		assert_in_range(b->anchors[i + 1].wall_ns, wall, now(CLOCK_REALTIME));
		assert_in_range(b->anchors[i + 1].mono_ns, mono, now(CLOCK_MONOTONIC));
	}
}

/* The kernel log's clock runs beside the boot clock: two anchors agree on how far apart they are.
 */
static void the_clock_of_the_kernel_log_is_known(void **state)
{
	struct bench *b = *state;
	struct err e = ERR_INIT;
	int64_t apart;

	assert_int_equal(anchors_arm(&b->own.c, &e), 0);
	usleep(50000);
	assert_int_equal(anchors_add(&b->own.c, &e), 0);
	read_all(b);
	assert_true(b->anchors[0].printk_ns > 0);
	apart = (int64_t)(b->anchors[1].boot - b->anchors[1].printk_ns) -
		(int64_t)(b->anchors[0].boot - b->anchors[0].printk_ns);
	assert_in_range(apart + NS_PER_MS, 0, 2 * NS_PER_MS);
	assert_in_range(anchors_printk(b->anchors, b->n, b->anchors[0].printk_ns),
			b->anchors[0].boot - NS_PER_MS, b->anchors[0].boot + NS_PER_MS);
}

/* The kernel itself logs a process that dies of a bad address. */
static void die_of_a_bad_address(void)
{
	const struct rlimit none = { 0, 0 };
	pid_t pid = fork();

	if (pid == 0) {
		volatile int *volatile nowhere = (int *)64;

		setrlimit(RLIMIT_CORE, &none);
		prctl(PR_SET_NAME, "unit-anchors");
		signal(SIGSEGV, SIG_DFL);
		_exit(*nowhere);
	}
	waitpid(pid, NULL, 0);
}

/* The stamp of the newest line with TEXT, 0 if there is none. */
static uint64_t stamp_of(int kmsg, const char *text)
{
	char line[8192];
	uint64_t us = 0, found = 0;
	ssize_t n;

	while ((n = read(kmsg, line, sizeof(line) - 1)) > 0) {
		line[n] = '\0';
		if (strstr(line, text) && sscanf(line, "%*u,%*u,%" SCNu64, &us) == 1)
			found = us * NS_PER_US;
	}
	return found;
}

static void a_line_of_the_kernel_log_is_mapped_to_when_it_was_written(void **state)
{
	struct bench *b = *state;
	autoclose int kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	uint64_t before, after, stamp;
	struct err e = ERR_INIT;

	assert_int_equal(anchors_arm(&b->own.c, &e), 0);
	lseek(kmsg, 0, SEEK_END);
	before = clock_boot();
	die_of_a_bad_address();
	after = clock_boot();
	stamp = stamp_of(kmsg, "unit-anchors[");
	if (!stamp) /* this kernel does not log it */
		skip();
	assert_int_equal(anchors_add(&b->own.c, &e), 0);
	read_all(b);
	assert_in_range(anchors_printk(b->anchors, b->n, stamp), before - NS_PER_MS,
			after + NS_PER_MS);
}

static void without_a_log_nothing_is_made_in_the_kernel(void **state)
{
	struct bench *b = *state;
	struct err e = ERR_INIT;

	owncapture_close(&b->own);
	owncapture_open(&b->own, PLAN(""));
	assert_int_equal(anchors_arm(&b->own.c, &e), 0);
	assert_int_equal(own_instances(&b->own, b->own.state.id), 0);
	read_all(b);
	assert_int_equal(b->n, 1);
	assert_int_equal(b->anchors[0].printk_ns, 0);
}

static void a_file_that_is_missing_or_cut_short_is_said(void **state)
{
	struct bench *b = *state;
	struct err e = ERR_INIT;
	struct anchor *anchors = NULL;
	size_t n;

	assert_int_equal(anchors_read(b->own.state.fd, &anchors, &n, &e), -ENOENT);
	assert_int_equal(io_create_file(b->own.state.fd, "anchors", "short", 5, &e), 0);
	assert_true(anchors_read(b->own.state.fd, &anchors, &n, &e) < 0);
	assert_non_null(strstr(e.text, "no clock anchors"));
}

/* Killed in the middle of the last one: those before are good. */
static void half_an_anchor_is_none(void **state)
{
	struct bench *b = *state;
	struct err e = ERR_INIT;

	assert_int_equal(anchors_arm(&b->own.c, &e), 0);
	{
		autoclose int fd =
			openat(b->own.state.fd, "anchors", O_WRONLY | O_APPEND | O_CLOEXEC);

		assert_int_equal(write(fd, "half", 4), 4);
	}
	read_all(b);
	assert_int_equal(b->n, 1);
}

#define ANCHORS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ANCHORS_TEST(each_anchor_lies_between_two_readings_of_every_clock),
		ANCHORS_TEST(the_clock_of_the_kernel_log_is_known),
		ANCHORS_TEST(a_line_of_the_kernel_log_is_mapped_to_when_it_was_written),
		ANCHORS_TEST(without_a_log_nothing_is_made_in_the_kernel),
		ANCHORS_TEST(a_file_that_is_missing_or_cut_short_is_said),
		ANCHORS_TEST(half_an_anchor_is_none),
	};

	return cmocka_run_group_tests_name("anchors", tests, NULL, NULL);
}
