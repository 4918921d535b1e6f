#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/auto.h"
#include "base/io.h"
#include "base/ring.h"
#include "base/units.h"
#include "capture/capture.h"
#include "plan/source.h"
#include "process/message.h"
#include "scratch.h"

#define BEFORE "# the recording started here\n"

/* A state and an output directory, and the process that records; `kmsg` is our end of what stands
 * for the device. */
struct bench {
	struct scratch dir;
	int out;
	struct state state;
	struct stop_page *stop;
	struct stats stats;
	struct source source;
	json_t *spec;
	struct report report;
	int engine;
	int kmsg;
	pid_t pid;
	char *log; /* what was saved */
};

static int setup_real(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct err e = ERR_INIT;

	scratch_open(&b->dir);
	b->state.fd = b->dir.fd;
	b->out = scratch_dir(&b->dir, "out");
	assert_int_equal(stop_create(&b->stop, b->state.fd, &e), 0);
	b->spec = json_loads("{\"log\":\"kernel\",\"keep\":65536}", 0, NULL);
	b->source = (struct source) {
		.ops = &log_source, .name = "kernel", .at = "x:1", .spec = b->spec, .index = 5
	};
	b->source.stats = &b->stats;
	assert_int_equal(log_source.decode(&b->source, &e), 0);
	b->engine = b->kmsg = -1;
	*state = b;
	return 0;
}

/* A pipe in packet mode over the device's name, in this program's own mount namespace: one write is
 * one record. */
static int setup(void **state)
{
	struct bench *b;
	autofree char *fifo = NULL;

	setup_real(state);
	b = *state;
	assert_true(asprintf(&fifo, "%s/fifo", b->dir.path) > 0);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	b->kmsg = open(fifo, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	assert_int_equal(fcntl(b->kmsg, F_SETFL, O_DIRECT | O_NONBLOCK), 0);
	assert_int_equal(mount(fifo, "/dev/kmsg", NULL, MS_BIND, NULL), 0);
	return 0;
}

static int teardown_real(void **state)
{
	struct bench *b = *state;
	const int fds[] = { b->engine, b->kmsg, b->out };

	if (b->pid > 0) {
		kill(b->pid, SIGKILL);
		waitpid(b->pid, NULL, 0);
	}
	log_source.free(&b->source);
	json_decref(b->spec);
	stop_close(b->stop);
	scratch_close(&b->dir);
	for (size_t i = 0; i < countof(fds); i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
	free(b->log);
	free(b);
	return 0;
}

static int teardown(void **state)
{
	assert_int_equal(umount("/dev/kmsg"), 0);
	return teardown_real(state);
}

static void arm(struct bench *b)
{
	struct capture c = { .state = &b->state, .stop = b->stop };
	struct cost cost = { 0 };
	struct err e = ERR_INIT;

	if (log_source.probe(&b->source, &cost, &e) < 0 || log_source.arm(&b->source, &c, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(cost.tmpfs_bytes, 65536);
}

static void start(struct bench *b)
{
	struct message message = { 0 };
	struct err e = ERR_INIT;
	int pair[2];

	arm(b);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	b->pid = fork();
	if (b->pid == 0) {
		struct live live = { .engine = pair[1], .statedir = b->state.fd, .stop = b->stop };

		close(pair[0]);
		if (log_source.live(&b->source, &live, &e) < 0)
			message_send_error(pair[1], e.code, e.exit, e.text);
		_exit(e.code != 0);
	}
	close(pair[1]);
	b->engine = pair[0];
	assert_true(recv(b->engine, &message, sizeof(message), 0) > 0);
	if (message.type != MESSAGE_ARMED)
		fail_msg("%s", message.text);
	assert_int_equal(message_send(b->engine, MESSAGE_START, ""), 0);
	usleep(50000);
}

static void decide(struct bench *b, uint64_t cut)
{
	struct stop_record record = { .by = STOP_USER, .event = cut, .cut = cut, .pid = -1 };

	assert_true(stop_decide(b->stop, &record));
}

static void leave(struct bench *b)
{
	int status;

	usleep(50000);
	assert_int_equal(message_send(b->engine, MESSAGE_STOP, ""), 0);
	assert_int_equal(waitpid(b->pid, &status, 0), b->pid);
	b->pid = 0;
	assert_int_equal(status, 0);
}

/* In a fresh process, which ends in its sandbox. Returns 1 if that failed. */
static int save(struct bench *b, const struct anchor *anchors, size_t n)
{
	int pipefd[2], status;
	struct err e = ERR_INIT;
	pid_t pid;

	assert_int_equal(pipe(pipefd), 0);
	pid = fork();
	if (pid == 0) {
		struct save s = { .state = &b->state,
				  .statedir = b->state.fd,
				  .outdir = b->out,
				  .stop = stop_get(b->stop),
				  .anchors = anchors,
				  .n_anchors = n,
				  .report = &b->report };
		int r = log_source.save(&b->source, &s, &e) < 0;

		if (write(pipefd[1], &b->report, sizeof(b->report)) != sizeof(b->report))
			_exit(9);
		_exit(r);
	}
	assert_int_equal(read(pipefd[0], &b->report, sizeof(b->report)), sizeof(b->report));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(pipefd[0]);
	close(pipefd[1]);
	assert_true(WIFEXITED(status));
	free(take_ptr(b->log));
	if (WEXITSTATUS(status) == 0)
		assert_int_equal(
			io_read_file(b->out, "logs/kernel.log", 1 << 20, &b->log, NULL, &e), 0);
	return WEXITSTATUS(status);
}

static void stop_and_save(struct bench *b)
{
	struct anchor anchor = anchor_take();

	decide(b, clock_boot() + 20 * NS_PER_MS);
	leave(b);
	assert_int_equal(save(b, &anchor, 1), 0);
}

/* What the kernel would write: the stamp is its own clock, SHIFT ns behind the boot clock. */
static void kernel(struct bench *b, unsigned int priority, uint64_t sequence, uint64_t shift,
		   const char *text)
{
	char record[2000];
	int n = snprintf(record, sizeof(record), "%u,%" PRIu64 ",%" PRIu64 ",%s\n", priority,
			 sequence, (uint64_t)((clock_boot() - shift) / NS_PER_US), text);

	assert_int_equal(write(b->kmsg, record, n), n);
}

static void another_log_is_refused(void **state)
{
	const struct {
		const char *spec, *says;
	} cases[] = {
		{ "{\"log\":\"journal\",\"name\":\"x\"}", "'journal'" },
		{ "{\"keep\":65536}", "well-formed" },
		{ "{\"log\":\"kernel\",\"keep\":\"4M\"}", "well-formed" },
		{ "{\"log\":\"kernel\",\"keep\":100}", "64K" },
		{ "{\"log\":\"kernel\",\"keep\":-1}", "64K" },
	};

	(void)state;
	for (size_t i = 0; i < countof(cases); i++) {
		autojson json_t *spec = json_loads(cases[i].spec, 0, NULL);
		struct source s = { .ops = &log_source, .name = "x", .at = "x:1", .spec = spec };
		struct err e = ERR_INIT;

		assert_true(log_source.decode(&s, &e) < 0);
		assert_non_null(strstr(e.text, cases[i].says));
		log_source.free(&s);
	}
}

static void lines_have_their_level_and_the_backlog_comes_first(void **state)
{
	struct bench *b = *state;

	kernel(b, 6, 10, 0, "-;old line");
	start(b);
	kernel(b, 3, 11, 0, "-,caller=T7;an error\n SUBSYSTEM=net\n DEVICE=n2");
	kernel(b, 30, 12, 0, "-;from a daemon");
	stop_and_save(b);
	assert_non_null(strstr(b->log, " info    old line\n" BEFORE));
	assert_non_null(strstr(b->log, " err     an error\n"));
	assert_non_null(strstr(b->log, " info    from a daemon\n"));
	assert_null(strstr(b->log, "SUBSYSTEM"));
	assert_int_equal(b->report.outcome, OUTCOME_OK);
	assert_int_equal(b->report.records, 3);
	assert_int_equal(b->report.n_holes, 0);
	assert_true(b->report.from > 0 && b->report.to > b->report.from);
}

static void escapes_are_undone_but_for_what_speaks_to_a_terminal(void **state)
{
	struct bench *b = *state;

	start(b);
	kernel(b, 4, 1, 0, "-;two\\x0alines \\xc3\\xa9 \\x5cx41 \\x1b[31m \\x0 \\xzz");
	kernel(b, 4, 2, 0, "c;goes on");
	stop_and_save(b);
	assert_non_null(strstr(b->log, " warning two\n"));
	assert_non_null(strstr(b->log, " warning lines \xc3\xa9 \\x41 \\x1b[31m \\x0 \\xzz\n"));
	assert_non_null(strstr(b->log, " warning ... goes on\n"));
}

static void a_gap_in_the_numbers_is_a_hole(void **state)
{
	struct bench *b = *state;
	uint64_t from, to;

	start(b);
	from = clock_boot();
	kernel(b, 6, 100, 0, "-;before it");
	usleep(20000);
	kernel(b, 6, 150, 0, "-;after it");
	usleep(20000);
	to = clock_boot();
	stop_and_save(b);
	assert_int_equal(b->report.lost, 49);
	assert_int_equal(b->report.n_holes, 1);
	assert_int_equal(b->report.holes[0].count, 49);
	assert_in_range(b->report.holes[0].from, from, to);
	assert_in_range(b->report.holes[0].to, b->report.holes[0].from, to);
	assert_int_equal(b->report.outcome, OUTCOME_PARTIAL);
	assert_non_null(strstr(b->log, "before it\n# 49 records are missing here"));
}

static void the_printk_clock_is_mapped_by_the_anchors(void **state)
{
	struct bench *b = *state;
	struct anchor anchor;
	uint64_t whole, rest, stamp;
	const char *line;

	start(b);
	assert_int_equal(write(b->kmsg, "6,1,5000000,-;at five\n", 22), 22);
	decide(b, clock_boot() + 20 * NS_PER_MS);
	leave(b);
	anchor = anchor_take();
	anchor.printk_ns = 5 * NS_PER_S + 300 * NS_PER_MS;
	assert_int_equal(save(b, &anchor, 1), 0);
	line = strstr(b->log, "Z ");
	assert_non_null(line);
	assert_int_equal(sscanf(line, "Z %" SCNu64 ".%" SCNu64, &whole, &rest), 2);
	stamp = whole * NS_PER_S + rest;
	assert_int_equal(stamp, anchor.boot - 300 * NS_PER_MS);
	assert_null(strstr(b->log, "clock is not known"));
}

static void what_is_later_than_the_cut_is_not_kept(void **state)
{
	struct bench *b = *state;
	struct anchor anchor = anchor_take();
	uint64_t shift = 3 * NS_PER_S;

	start(b);
	kernel(b, 6, 1, shift, "-;first");
	usleep(20000);
	decide(b, clock_boot());
	usleep(1000);
	kernel(b, 6, 2, shift, "-;within the clock's error");
	usleep(20000);
	kernel(b, 6, 3, shift, "-;later");
	leave(b);
	assert_int_equal(save(b, &anchor, 1), 0);
	assert_non_null(strstr(b->log, "first"));
	assert_non_null(strstr(b->log, "within"));
	assert_null(strstr(b->log, "later"));
	assert_int_equal(b->report.outcome, OUTCOME_OK);
}

static void a_cut_in_the_past_drops_what_was_recorded_after_it(void **state)
{
	struct bench *b = *state;
	struct anchor anchor = anchor_take();
	uint64_t cut;

	start(b);
	kernel(b, 6, 1, 0, "-;first");
	usleep(10000);
	cut = clock_boot();
	usleep(20000);
	kernel(b, 6, 2, 0, "-;second");
	usleep(20000);
	decide(b, cut);
	leave(b);
	assert_int_equal(save(b, &anchor, 1), 0);
	assert_non_null(strstr(b->log, "first"));
	assert_null(strstr(b->log, "second"));
	assert_int_equal(b->report.to, cut);
}

static void a_line_that_was_written_before_the_cut_and_read_after_it_is_kept(void **state)
{
	struct bench *b = *state;
	struct anchor anchor = anchor_take();

	start(b);
	kernel(b, 6, 1, 0, "-;first");
	usleep(20000);
	assert_int_equal(kill(b->pid, SIGSTOP), 0);
	kernel(b, 6, 2, 0, "-;last words");
	usleep(2000);
	decide(b, clock_boot());
	usleep(50000);
	assert_int_equal(kill(b->pid, SIGCONT), 0);
	leave(b);
	assert_int_equal(save(b, &anchor, 1), 0);
	assert_non_null(strstr(b->log, "last words"));
}

static void the_oldest_lines_make_room(void **state)
{
	struct bench *b = *state;
	char text[1020] = "-;";

	memset(text + 2, 'x', sizeof(text) - 3);
	start(b);
	for (int i = 1; i <= 200; i++) {
		kernel(b, 6, i, 0, text);
		usleep(500);
	}
	stop_and_save(b);
	assert_in_range(b->report.records, 50, 64);
	assert_int_equal(b->report.records + b->report.overwritten, 200);
	assert_int_equal(b->report.outcome, OUTCOME_OK);
}

static void a_killed_process_leaves_what_it_had_read(void **state)
{
	struct bench *b = *state;
	struct anchor anchor = anchor_take();

	start(b);
	kernel(b, 6, 1, 0, "-;first");
	usleep(20000);
	assert_int_equal(kill(b->pid, SIGKILL), 0);
	assert_int_equal(waitpid(b->pid, NULL, 0), b->pid);
	b->pid = 0;
	decide(b, clock_boot() + 10 * NS_PER_S);
	assert_int_equal(save(b, &anchor, 1), 0);
	assert_non_null(strstr(b->log, "first"));
	assert_int_equal(b->report.outcome, OUTCOME_PARTIAL);
	assert_non_null(strstr(b->report.note, "its process had ended"));
	assert_int_equal(b->report.n_holes, 1);
}

static void absurd_records_do_no_harm(void **state)
{
	static const char *const records[] = {
		"",
		";",
		"6",
		"6,1,1,-",
		"x,y,z,-;t\n",
		"6,1;t\n",
		"4294967295,18446744073709551615,18446744073709551615,-;x\n",
		"6,2,1,-;\\",
		"6,3,1,-;\\x\n",
		"6,4,1,-;\\x0",
		"6,5,1,-;",
		"-1,-1,-1,-;neg\n",
		"6,6,1,-;nul\0nul\n",
	};
	struct bench *b = *state;
	struct anchor anchor = anchor_take();
	struct ring *ring = NULL;
	struct err e = ERR_INIT;

	assert_int_equal(ring_create(&ring, b->state.fd, "log-5.ring", 65536, &e), 0);
	for (uint32_t kind = 0; kind < 5; kind++) {
		for (size_t i = 0; i < countof(records); i++) {
			struct ring_record r = { .time = i, .kind = kind, .aux = i };
			struct iovec data = { (void *)records[i], strlen(records[i]) };

			assert_int_equal(ring_push(ring, &r, &data, 1), 0);
		}
	}
	ring_free(ring);
	decide(b, UINT64_MAX);
	assert_int_equal(save(b, &anchor, 1), 0);
}

static void no_ring_is_a_failure(void **state)
{
	struct bench *b = *state;
	struct anchor anchor = anchor_take();

	decide(b, clock_boot());
	assert_int_equal(save(b, &anchor, 1), 1);
	assert_int_equal(b->report.outcome, OUTCOME_FAILED);
}

/* The kernel itself logs a process that dies of a bad address. */
static void make_the_kernel_speak(void)
{
	const struct rlimit none = { 0, 0 };
	pid_t pid = fork();

	if (pid == 0) {
		volatile int *volatile nowhere = (int *)64;

		setrlimit(RLIMIT_CORE, &none);
		prctl(PR_SET_DUMPABLE, 0);
		prctl(PR_SET_NAME, "log-test-victim");
		signal(SIGSEGV, SIG_DFL);
		_exit(*nowhere);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void what_the_kernel_says_is_in_the_log(void **state)
{
	struct bench *b = *state;
	autofree char *on = NULL;
	struct err e = ERR_INIT;
	const char *mark, *line;

	if (io_read_file(AT_FDCWD, "/proc/sys/debug/exception-trace", 10, &on, NULL, &e) < 0 ||
	    *on != '1')
		skip();
	start(b);
	make_the_kernel_speak();
	usleep(50000);
	stop_and_save(b);
	mark = strstr(b->log, BEFORE);
	assert_non_null(mark);
	line = strstr(mark, "log-test-victim");
	assert_non_null(line);
	assert_non_null(strstr(line, "segfault at 40"));
	assert_int_equal(b->report.outcome, OUTCOME_OK);
}

#define LOG_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_the_kernel_says_is_in_the_log, setup_real,
						teardown_real),
		cmocka_unit_test_setup_teardown(absurd_records_do_no_harm, setup_real,
						teardown_real),
		cmocka_unit_test_setup_teardown(no_ring_is_a_failure, setup_real, teardown_real),
		cmocka_unit_test(another_log_is_refused),
		LOG_TEST(lines_have_their_level_and_the_backlog_comes_first),
		LOG_TEST(escapes_are_undone_but_for_what_speaks_to_a_terminal),
		LOG_TEST(a_gap_in_the_numbers_is_a_hole),
		LOG_TEST(the_printk_clock_is_mapped_by_the_anchors),
		LOG_TEST(what_is_later_than_the_cut_is_not_kept),
		LOG_TEST(a_cut_in_the_past_drops_what_was_recorded_after_it),
		LOG_TEST(a_line_that_was_written_before_the_cut_and_read_after_it_is_kept),
		LOG_TEST(the_oldest_lines_make_room),
		LOG_TEST(a_killed_process_leaves_what_it_had_read),
	};

	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		perror("own mount namespace");
		return 1;
	}
	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
