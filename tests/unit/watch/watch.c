/* Conditions are decided from a real kernel event, a system call with an argument that nobody else
 * gives it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/units.h"
#include "owncapture.h"
#include "process/worker.h"
#include "trace/instance.h"
#include "watch/watch.h"

#define ON(name, rest) \
	"{'type':'event','name':'" name "','at':'r.lua:1','event':'" OWN_EVENT "'" rest "}"
#define HIT 7701
#define OTHER 7702
#define WAIT (5 * NS_PER_S)

struct bench {
	struct owncapture own;
	struct watch *watch;
	struct worker worker;
};

static void hit(int which)
{
	setpriority(which, 0, 0);
}

/* A kernel ring that the conditions stop, as t.ftrace has it. */
static void add_ring(struct bench *b)
{
	struct capture_name name = capture_instance(&b->own.state, "ring");
	struct err e = ERR_INIT;
	int fd;

	if (ledger_instance(b->own.c.ledger, name.text, &e) < 0 ||
	    instance_create(b->own.c.tracing, name.text, &e) < 0)
		fail_msg("%s", e.text);
	fd = instance_open(b->own.c.tracing, name.text, "tracing_on", O_RDWR, &e);
	assert_int_equal(capture_add_switch(&b->own.c, fd, true, &e), 0);
	assert_int_equal(pwrite(fd, "1", 1, 0), 1);
}

static bool ring_is_on(const struct bench *b)
{
	return !switches_tripped(b->own.c.switches, b->own.c.n_switches);
}

static void enlist(struct bench *b)
{
	autofree int *keep = NULL;
	uint64_t until = clock_boot() + WAIT;
	struct err e = ERR_INIT;
	struct message message;
	size_t n;

	if (watch_descriptors(b->watch, &keep, &n, &e) < 0 ||
	    worker_start(&b->worker, "watch", watch_main, b->watch, keep, n, &e) < 0)
		fail_msg("%s", e.text);
	while (!b->worker.armed && b->worker.fd >= 0 && clock_boot() < until) {
		worker_receive(&b->worker, &message);
		usleep(1000);
	}
	if (!b->worker.armed)
		fail_msg("%s", b->worker.err.text);
	message_send(b->worker.fd, MESSAGE_START, "");
}

/* CONDITIONS and POST in a plan's words. */
static void watch_with(struct bench *b, const char *conditions, const char *post)
{
	autofree char *plan = NULL;
	struct err e = ERR_INIT;

	assert_true(asprintf(&plan,
			     "{'schema':1,'name':'unit','max_time':1000000000,'post':%s,'collect':["
			     "],'stop':[%s]}",
			     post, conditions) > 0);
	owncapture_open(&b->own, plan);
	add_ring(b);
	if (watch_arm(&b->watch, &b->own.c, &e) < 0)
		fail_msg("%s", e.text);
	enlist(b);
	if (watch_start(b->watch, &e) < 0)
		fail_msg("%s", e.text);
}

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct bench));
	((struct bench *)*state)->worker.fd = -1;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	worker_kill(&b->worker);
	watch_free(b->watch);
	owncapture_close(&b->own);
	free(b);
	return 0;
}

static const struct stop_record *decided(const struct bench *b, uint64_t wait)
{
	uint64_t until = clock_boot() + wait;

	while (!stop_get(b->own.c.stop) && clock_boot() < until)
		usleep(1000);
	return stop_get(b->own.c.stop);
}

static const struct stop_record *await_stop(const struct bench *b)
{
	const struct stop_record *stop = decided(b, WAIT);

	assert_non_null(stop);
	return stop;
}

static void assert_not_decided(const struct bench *b)
{
	assert_null(decided(b, 100 * NS_PER_MS));
	assert_true(ring_is_on(b));
}

static void await_end(struct bench *b)
{
	struct err e = ERR_INIT;

	if (worker_finish(&b->worker, clock_boot() + WAIT, NULL, NULL, &e) < 0)
		fail_msg("%s", e.text);
}

static void a_hit_decides_with_its_own_time(void **state)
{
	struct bench *b = *state;
	const struct stop_record *stop;
	uint64_t before, after;

	watch_with(b, ON("first", ",'filter':'which == 7701'"), "0");
	hit(OTHER);
	assert_not_decided(b);
	before = clock_boot();
	hit(HIT);
	after = clock_boot();
	stop = await_stop(b);
	assert_int_equal(stop->by, STOP_CONDITION);
	assert_int_equal(stop->condition, 0);
	assert_in_range(stop->event, before, after);
	assert_int_equal(stop->cut, stop->event);
	assert_int_equal(stop->pid, getpid());
	assert_true(stop->cpu < (uint32_t)sysconf(_SC_NPROCESSORS_CONF));
	assert_false(stop->uncertain);
	assert_memory_equal(stop->text, OWN_EVENT " ", strlen(OWN_EVENT) + 1);
	assert_non_null(strstr(stop->text, " which=7701 "));
	await_end(b);
	assert_false(ring_is_on(b));
	assert_int_equal(b->own.c.board->conditions[0].seen, 1);
	assert_int_equal(b->own.c.board->conditions[0].last, stop->event);
}

static void the_first_of_several_hits_decides(void **state)
{
	struct bench *b = *state;
	uint64_t before, after;

	watch_with(b, ON("first", ",'filter':'which == 7701'"), "0");
	before = clock_boot();
	hit(HIT);
	after = clock_boot();
	for (int i = 0; i < 50; i++)
		hit(HIT);
	assert_in_range(await_stop(b)->event, before, after);
	await_end(b);
	assert_in_range(stop_get(b->own.c.stop)->event, before, after);
}

static void each_of_two_conditions_on_an_event_has_its_own_records(void **state)
{
	struct bench *b = *state;

	watch_with(b,
		   ON("first", ",'filter':'which == 7701'") "," ON("second",
								   ",'filter':'which == 7702'"),
		   "0");
	hit(7703);
	assert_not_decided(b);
	hit(OTHER);
	assert_int_equal(await_stop(b)->condition, 1);
	assert_int_equal(b->own.c.board->conditions[0].seen, 0);
}

static void a_condition_on_a_task_looks_up_its_name(void **state)
{
	struct bench *b = *state;

	watch_with(b,
		   ON("other", ",'filter':'which == 7701 && COMM == \\\"nobody-at-all\\\"'") "," ON(
			   "own", ",'filter':'which == 7701 && COMM == \\\"unit-watch\\\"'"),
		   "0");
	usleep(10000); /* names are recorded at a switch */
	hit(HIT);
	assert_int_equal(await_stop(b)->condition, 1);
}

static void the_last_of_the_wanted_hits_decides(void **state)
{
	struct bench *b = *state;
	uint64_t before;

	watch_with(b, ON("third", ",'filter':'which == 7701','hits':3"), "0");
	hit(HIT);
	hit(HIT);
	assert_not_decided(b);
	assert_int_equal(b->own.c.board->conditions[0].seen, 2);
	before = clock_boot();
	hit(HIT);
	assert_in_range(await_stop(b)->event, before, clock_boot());
}

static void hits_count_only_while_they_are_within_the_window(void **state)
{
	struct bench *b = *state;
	uint64_t before;

	watch_with(b, ON("burst", ",'filter':'which == 7701','hits':3,'within':300000000"), "0");
	hit(HIT);
	usleep(400000);
	hit(HIT);
	hit(HIT);
	assert_not_decided(b); /* three, but the first of them is too old */
	before = clock_boot();
	hit(HIT);
	assert_in_range(await_stop(b)->event, before, clock_boot());
	assert_int_equal(b->own.c.board->conditions[0].seen, 4);
}

static void with_post_the_ring_stays_on_until_the_cut(void **state)
{
	struct bench *b = *state;
	const struct stop_record *stop;

	watch_with(b, ON("first", ",'filter':'which == 7701'"), "300000000");
	hit(HIT);
	stop = await_stop(b);
	assert_int_equal(stop->cut, stop->event + 300 * NS_PER_MS);
	assert_true(ring_is_on(b));
	while (ring_is_on(b) && clock_boot() < stop->event + WAIT)
		usleep(1000);
	assert_in_range(clock_boot(), stop->cut, stop->cut + NS_PER_S);
	await_end(b);
}

static void an_engine_that_is_gone_ends_it(void **state)
{
	struct bench *b = *state;
	const struct stop_record *stop;
	uint64_t before = clock_boot();
	int status;

	watch_with(b, ON("first", ",'filter':'which == 7701'"), "0");
	assert_not_decided(b);
	close(take_fd(&b->worker.fd));
	stop = await_stop(b);
	assert_int_equal(stop->by, STOP_KILLED);
	assert_in_range(stop->event, before, clock_boot());
	assert_int_equal(waitpid(b->worker.pid, &status, 0), b->worker.pid);
	b->worker.pid = 0;
	assert_int_equal(status, 0);
	assert_false(ring_is_on(b));
}

static void a_successor_decides_and_is_not_certain(void **state)
{
	struct bench *b = *state;
	const struct stop_record *stop;

	watch_with(b, ON("third", ",'filter':'which == 7701'"), "0");
	assert_int_equal(kill(b->worker.pid, SIGKILL), 0);
	worker_kill(&b->worker);
	assert_true(ring_is_on(b));
	watch_restarted(b->watch);
	hit(HIT); /* while nobody looks */
	enlist(b);
	stop = await_stop(b);
	assert_int_equal(stop->by, STOP_CONDITION);
	assert_true(stop->uncertain);
	await_end(b);
	assert_false(ring_is_on(b));
}

static void what_was_lost_before_it_makes_a_stop_uncertain(void **state)
{
	struct bench *b = *state;

	watch_with(b, ON("many", ",'filter':'which == 7701','hits':200"), "0");
	assert_int_equal(kill(b->worker.pid, SIGSTOP), 0);
	for (int i = 0; i < 20000; i++)
		hit(HIT);
	assert_int_equal(kill(b->worker.pid, SIGCONT), 0);
	assert_true(await_stop(b)->uncertain);
	await_end(b);
	assert_false(ring_is_on(b));
}

/* The kernel itself logs a process that dies of a bad address. */
static pid_t die_of_a_bad_address(void)
{
	const struct rlimit none = { 0, 0 };
	pid_t pid = fork();

	if (pid == 0) {
		volatile int *volatile nowhere = (int *)64;

		setrlimit(RLIMIT_CORE, &none);
		prctl(PR_SET_NAME, "unit-victim");
		signal(SIGSEGV, SIG_DFL);
		_exit(*nowhere);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return pid;
}

static void a_line_of_the_kernel_log_decides(void **state)
{
	struct bench *b = *state;
	autofree char *on = NULL;
	struct err e = ERR_INIT;
	char text[64];

	if (io_read_file(AT_FDCWD, "/proc/sys/debug/exception-trace", 10, &on, NULL, &e) < 0 ||
	    *on != '1') {
		owncapture_open(&b->own,
				"{'schema':1,'name':'unit','max_time':1,'collect':[],'stop':[]}");
		skip();
	}
	watch_with(
		b,
		"{'type':'line','name':'never','at':'r.lua:1','log':'kernel','text':'unit*victim'},"
		"{'type':'line','name':'fault','at':'r.lua:2','log':'kernel','regex':'^unit-victim."
		"*segfault at 40 '}",
		"0");
	snprintf(text, sizeof(text), "unit-victim[%d]: segfault at 40 ", die_of_a_bad_address());
	assert_int_equal(await_stop(b)->condition, 1);
	assert_non_null(strstr(stop_get(b->own.c.stop)->text, text));
	assert_null(strchr(stop_get(b->own.c.stop)->text, '\n'));
}

static void without_conditions_it_waits_for_the_engine_alone(void **state)
{
	struct bench *b = *state;

	watch_with(b, "", "0");
	assert_int_equal(own_instances(&b->own, capture_instance(&b->own.state, ".watch").text), 0);
	hit(HIT);
	assert_not_decided(b);
	message_send(b->worker.fd, MESSAGE_STOP, "");
	assert_int_equal(await_stop(b)->by, STOP_KILLED);
	await_end(b);
	assert_false(ring_is_on(b));
}

/* Armed again under the same name: the kernel refuses, and all that was opened is closed. */
static void a_name_that_is_taken_is_said(void **state)
{
	struct bench *b = *state;
	struct watch *second = NULL;
	struct err e = ERR_INIT;

	watch_with(b, ON("first", ""), "0");
	assert_true(watch_arm(&second, &b->own.c, &e) < 0);
	assert_null(second);
	assert_non_null(strstr(e.text, "the stop conditions: cannot make"));
	watch_free(NULL);
}

#define WATCH_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WATCH_TEST(a_hit_decides_with_its_own_time),
		WATCH_TEST(the_first_of_several_hits_decides),
		WATCH_TEST(each_of_two_conditions_on_an_event_has_its_own_records),
		WATCH_TEST(a_condition_on_a_task_looks_up_its_name),
		WATCH_TEST(the_last_of_the_wanted_hits_decides),
		WATCH_TEST(hits_count_only_while_they_are_within_the_window),
		WATCH_TEST(with_post_the_ring_stays_on_until_the_cut),
		WATCH_TEST(an_engine_that_is_gone_ends_it),
		WATCH_TEST(a_successor_decides_and_is_not_certain),
		WATCH_TEST(what_was_lost_before_it_makes_a_stop_uncertain),
		WATCH_TEST(a_line_of_the_kernel_log_decides),
		WATCH_TEST(without_conditions_it_waits_for_the_engine_alone),
		WATCH_TEST(a_name_that_is_taken_is_said),
	};

	prctl(PR_SET_NAME, "unit-watch");
	return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
