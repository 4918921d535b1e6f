#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/auto.h"
#include "base/io.h"
#include "base/units.h"
#include "capture/capture.h"
#include "process/message.h"
#include "scratch.h"
#include "source/live.h"
#include "source/taken.h"

/* A directory with "in" for what is recorded, "state" and "out", and the process that records. */
struct bench {
	struct scratch dir;
	int in;
	int out;
	struct state state;
	struct stop_page *stop;
	struct stats stats;
	struct source source;
	json_t *spec;
	struct report report;
	int engine;
	pid_t pid;
};

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct err e = ERR_INIT;

	scratch_open(&b->dir);
	b->in = scratch_dir(&b->dir, "in");
	b->out = scratch_dir(&b->dir, "out");
	b->state.fd = scratch_dir(&b->dir, "state");
	assert_int_equal(stop_create(&b->stop, b->state.fd, &e), 0);
	b->engine = -1;
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	if (b->pid > 0) {
		kill(b->pid, SIGKILL);
		waitpid(b->pid, NULL, 0);
	}
	if (b->engine >= 0)
		close(b->engine);
	files_source.free(&b->source);
	json_decref(b->spec);
	stop_close(b->stop);
	scratch_close(&b->dir);
	close(b->in);
	close(b->out);
	close(b->state.fd);
	free(b);
	return 0;
}

static void put(struct bench *b, const char *name, const char *text)
{
	struct err e = ERR_INIT;

	unlinkat(b->in, name, 0);
	assert_int_equal(io_create_file(b->in, name, text, strlen(text), &e), 0);
}

/* A file of the bundle; the path that it was read from is this bench's "in". The caller's to free.
 */
static char *out(struct bench *b, const char *dir, const char *name)
{
	autofree char *path = NULL;
	struct err e = ERR_INIT;
	char *text = NULL;

	if (asprintf(&path, "%s%s/in/%s", dir, b->dir.path, name) < 0)
		return NULL;
	return io_read_file(b->out, path, 64 << 20, &text, NULL, &e) < 0 ? NULL : text;
}

static char *errors(struct bench *b, const char *dir)
{
	autofree char *path = NULL;
	struct err e = ERR_INIT;
	char *text = NULL;

	if (asprintf(&path, "%s/ERRORS-f.txt", dir) < 0)
		return NULL;
	return io_read_file(b->out, path, 1 << 20, &text, NULL, &e) < 0 ? NULL : text;
}

static bool has(struct bench *b, const char *dir, const char *name, const char *text)
{
	autofree char *found = out(b, dir, name);

	return found && strcmp(found, text) == 0;
}

/* PATHS are JSON strings apart by spaces, below "in" unless they begin with '/'; '?' before one
 * makes it optional. */
static void spec(struct bench *b, const char *paths, const char *rest)
{
	autofree char *copy = strdup(paths), *text = NULL;
	char *save = NULL, *list = strdup("");

	for (char *path = strtok_r(copy, " ", &save); path; path = strtok_r(NULL, " ", &save)) {
		bool optional = *path == '?';
		char *longer = NULL;

		path += optional;
		assert_true(asprintf(&longer, "%s%s{\"path\":\"%s%s%s\",\"optional\":%s}", list,
				     *list ? "," : "", *path == '/' ? "" : b->dir.path,
				     *path == '/' ? "" : "/in/", path,
				     optional ? "true" : "false") > 0);
		free(list);
		list = longer;
	}
	assert_true(asprintf(&text,
			     "{\"type\":\"files\",\"name\":\"f\",\"at\":\"x:1\",\"paths\":[%s],%s}",
			     list, rest) > 0);
	free(list);
	b->spec = json_loads(text, 0, NULL);
	assert_non_null(b->spec);
	b->source = (struct source) {
		.ops = &files_source, .name = "f", .at = "x:1", .spec = b->spec, .index = 3
	};
	b->source.stats = &b->stats;
}

static void decode(struct bench *b)
{
	struct err e = ERR_INIT;

	if (files_source.decode(&b->source, &e) < 0)
		fail_msg("%s", e.text);
}

static void expect(struct bench *b, enum message_type type)
{
	struct message message = { 0 };
	ssize_t n = recv(b->engine, &message, sizeof(message), 0);

	if (n <= 0 || message.type != type)
		fail_msg("message %u: %s", message.type, message.text);
}

/* As the engine does it: probe, arm, a process, the start. */
static void start(struct bench *b)
{
	struct capture c = { .state = &b->state, .stop = b->stop };
	struct cost cost = { 0 };
	struct err e = ERR_INIT;
	int pair[2];

	decode(b);
	if (files_source.probe(&b->source, &cost, &e) < 0 ||
	    files_source.arm(&b->source, &c, &e) < 0)
		fail_msg("%s", e.text);
	assert_true(cost.tmpfs_bytes > 0);
	assert_true(cost.output_bytes > 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	b->pid = fork();
	if (b->pid == 0) {
		struct live live = { .engine = pair[1], .statedir = b->state.fd, .stop = b->stop };

		close(pair[0]);
		if (files_source.live(&b->source, &live, &e) < 0)
			message_send_error(pair[1], e.code, e.exit, e.text);
		_exit(e.code != 0);
	}
	close(pair[1]);
	b->engine = pair[0];
	expect(b, MESSAGE_ARMED);
	assert_int_equal(message_send(b->engine, MESSAGE_START, ""), 0);
}

static void decide(struct bench *b, struct stop_record record)
{
	record.by = STOP_CONDITION;
	record.event = clock_boot();
	record.cut = record.cut ? record.cut : record.event;
	assert_true(stop_decide(b->stop, &record));
}

static void leave(struct bench *b)
{
	int status;

	assert_int_equal(message_send(b->engine, MESSAGE_STOP, ""), 0);
	assert_int_equal(waitpid(b->pid, &status, 0), b->pid);
	b->pid = 0;
	assert_int_equal(status, 0);
}

/* In a fresh process, from the state directory alone. */
static int save(struct bench *b)
{
	struct report *shared = (struct report *)&b->report;
	struct anchor anchor = anchor_take();
	int pipefd[2], status;
	pid_t pid;

	assert_int_equal(pipe(pipefd), 0);
	pid = fork();
	if (pid == 0) {
		const struct stop_record *record = stop_get(b->stop);
		struct save s = { .state = &b->state,
				  .statedir = b->state.fd,
				  .outdir = b->out,
				  .stop = record,
				  .anchors = &anchor,
				  .n_anchors = 1,
				  .report = shared };
		struct source fresh = {
			.ops = &files_source, .name = "f", .at = "x:1", .spec = b->spec, .index = 3
		};
		struct err e = ERR_INIT;
		int r = files_source.decode(&fresh, &e) < 0 ? 1
							    : files_source.save(&fresh, &s, &e) < 0;

		files_source.free(&fresh);
		if (write(pipefd[1], shared, sizeof(*shared)) != sizeof(*shared))
			_exit(9);
		_exit(r);
	}
	assert_int_equal(read(pipefd[0], shared, sizeof(*shared)), sizeof(*shared));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(pipefd[0]);
	close(pipefd[1]);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void stop_and_save(struct bench *b)
{
	decide(b, (struct stop_record) { .pid = -1 });
	leave(b);
	assert_int_equal(save(b), 0);
}

static void sleep_ms(unsigned int ms)
{
	usleep(ms * 1000);
}

static void a_bad_plan_is_refused(void **state)
{
	struct bench *b = *state;
	const struct {
		const char *paths, *rest, *says;
	} cases[] = {
		{ "a", "\"stop\":false", "say which" },
		{ "a", "\"stop\":1", "well-formed" },
		{ "a", "\"stop\":true,\"max\":\"1M\"", "well-formed" },
		{ "", "\"stop\":true", "from 1 to" },
		{ "a", "\"stop\":true,\"max\":0", "'max'" },
		{ "a", "\"stop\":true,\"max\":-1", "negative" },
		{ "a", "\"stop\":true,\"max\":99999999", "16M" },
		{ "a", "\"every\":1000", "10ms" },
		{ "a", "\"every\":1000000000,\"keep_ns\":10", "is shorter than" },
		{ "../x", "\"stop\":true", "'..'" },
		{ "/a//b", "\"stop\":true", "empty" },
		{ "/a/./b", "\"stop\":true", "'.'" },
		{ "/a/", "\"stop\":true", "empty" },
		{ "{pid}", "\"start\":true", "not taken at the stop" },
	};

	for (size_t i = 0; i < countof(cases); i++) {
		struct err e = ERR_INIT;

		spec(b, cases[i].paths, cases[i].rest);
		assert_true(files_source.decode(&b->source, &e) < 0);
		if (!strstr(e.text, cases[i].says))
			fail_msg("%zu: %s", i, e.text);
		files_source.free(&b->source);
		json_decref(take_ptr(b->spec));
	}
}

static void a_literal_path_that_is_not_there_is_found_before_the_start(void **state)
{
	struct bench *b = *state;
	struct cost cost = { 0 };
	struct err e = ERR_INIT;

	spec(b, "?absent none* none", "\"stop\":true");
	decode(b);
	assert_int_equal(files_source.probe(&b->source, &cost, &e), -EINVAL);
	assert_int_equal(e.exit, EXIT_HOST);
	assert_non_null(strstr(e.text, "/in/none'"));
	put(b, "none", "");
	assert_int_equal(files_source.probe(&b->source, &cost, &e), 0);
}

static void a_directory_is_no_file(void **state)
{
	struct bench *b = *state;
	struct cost cost = { 0 };
	struct err e = ERR_INIT;

	assert_int_equal(mkdirat(b->in, "dir", 0700), 0);
	spec(b, "dir", "\"stop\":true");
	decode(b);
	assert_true(files_source.probe(&b->source, &cost, &e) < 0);
	assert_int_equal(e.exit, EXIT_HOST);
	assert_non_null(strstr(e.text, "is a directory"));
}

static void a_device_is_no_file(void **state)
{
	struct bench *b = *state;
	struct cost cost = { 0 };
	struct err e = ERR_INIT;

	assert_int_equal(symlinkat("/dev/zero", b->in, "zero"), 0);
	spec(b, "zero", "\"stop\":true");
	decode(b);
	assert_true(files_source.probe(&b->source, &cost, &e) < 0);
	assert_int_equal(e.exit, EXIT_HOST);
	assert_non_null(strstr(e.text, "is a device"));
}

static void files_are_kept_as_they_were_at_both_ends(void **state)
{
	struct bench *b = *state;

	put(b, "a", "old");
	put(b, "empty", "");
	spec(b, "a empty /proc/version", "\"start\":true,\"stop\":true");
	start(b);
	sleep_ms(100);
	put(b, "a", "new\1");
	stop_and_save(b);
	assert_int_equal(b->report.outcome, OUTCOME_OK);
	assert_int_equal(b->report.records, 6);
	assert_true(has(b, "files/start", "a", "old"));
	assert_true(has(b, "files/stop", "a", "new\1"));
	assert_true(has(b, "files/stop", "empty", ""));
	assert_null(errors(b, "files/stop"));
	assert_int_equal(faccessat(b->out, "files/stop/proc/version", F_OK, 0), 0);
}

/* Every header of a samples file is where the one before says; the times must rise by about EVERY.
 */
static size_t walk(const char *text, uint64_t every)
{
	uint64_t last = 0, time;
	unsigned int size;
	size_t n = 0;
	char utc[64];
	int used;

	for (; *text; n++) {
		used = 0;
		assert_int_equal(sscanf(text, "# %" SCNu64 " %63s %u%n", &time, utc, &size, &used),
				 3);
		assert_int_equal(utc[strlen(utc) - 1], 'Z');
		assert_true(time > last);
		if (last)
			assert_in_range(time - last, every - 40 * NS_PER_MS,
					every + 200 * NS_PER_MS);
		last = time;
		text = strchr(text + used, '\n') + 1;
		if (size)
			text += size + (text[size - 1] != '\n');
	}
	return n;
}

static void samples_have_their_times_and_sizes(void **state)
{
	struct bench *b = *state;
	autofree char *a = NULL, *newline = NULL;
	size_t n;

	put(b, "a", "x = 1");
	put(b, "newline", "# looks like a header\n");
	spec(b, "a newline", "\"every\":50000000");
	start(b);
	sleep_ms(1000);
	stop_and_save(b);
	a = out(b, "samples", "a");
	newline = out(b, "samples", "newline");
	n = walk(a, 50 * NS_PER_MS);
	assert_in_range(n, 17, 22);
	assert_int_equal(walk(newline, 50 * NS_PER_MS), n);
	assert_int_equal(b->report.outcome, OUTCOME_OK);
	assert_int_equal(b->report.records, 2 * n);
	assert_int_equal(b->report.bytes, n * (5 + 22));
	assert_in_range(b->report.to - b->report.from, 900 * NS_PER_MS, 1500 * NS_PER_MS);
}

static void no_period_is_lost_to_drift(void **state)
{
	struct bench *b = *state;
	uint64_t began, periods;

	put(b, "a", "x");
	spec(b, "a", "\"every\":10000000");
	start(b);
	began = clock_boot();
	sleep_ms(1500);
	periods = (clock_boot() - began) / (10 * NS_PER_MS);
	stop_and_save(b);
	assert_in_range(b->report.records + b->report.lost, periods - 2, periods + 3);
}

static void what_failed_is_listed_with_its_reason(void **state)
{
	struct bench *b = *state;
	autofree char *stop = NULL, *fifo = NULL;

	put(b, "a", "x");
	put(b, "goes", "x");
	assert_int_equal(mkdirat(b->in, "adir", 0700), 0);
	assert_true(asprintf(&fifo, "%s/in/afifo", b->dir.path) > 0);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	spec(b, "a* goes ?absent none*", "\"stop\":true");
	start(b);
	assert_int_equal(unlinkat(b->in, "goes", 0), 0);
	stop_and_save(b);
	stop = errors(b, "files/stop");
	assert_non_null(strstr(stop, "/in/adir\ta directory\n"));
	assert_non_null(strstr(stop, "/in/afifo\ta device, pipe or socket\n"));
	assert_non_null(strstr(stop, "/in/goes\tabsent\n"));
	assert_non_null(strstr(stop, "/in/absent\tabsent\n"));
	assert_non_null(strstr(stop, "/in/none*\tno path matches\n"));
	assert_int_equal(b->report.outcome, OUTCOME_PARTIAL);
	assert_non_null(strstr(b->report.note, "not taken: 2"));
	assert_true(has(b, "files/stop", "a", "x"));
}

static void nothing_but_failures_is_no_partial(void **state)
{
	struct bench *b = *state;

	put(b, "a", "x");
	spec(b, "a", "\"stop\":true");
	start(b);
	unlinkat(b->in, "a", 0);
	stop_and_save(b);
	assert_int_equal(b->report.outcome, OUTCOME_ABSENT);
	assert_non_null(strstr(b->report.note, "/in/a': absent"));
}

static void what_is_longer_than_the_limit_keeps_its_head(void **state)
{
	struct bench *b = *state;
	autofree char *stop = NULL, *samples = NULL;

	put(b, "a", "0123456789");
	spec(b, "a", "\"stop\":true,\"every\":100000000,\"max\":4");
	start(b);
	sleep_ms(150);
	stop_and_save(b);
	stop = errors(b, "files/stop");
	samples = out(b, "samples", "a");
	assert_true(has(b, "files/stop", "a", "0123"));
	assert_non_null(strstr(stop, "truncated after 4 bytes"));
	assert_non_null(strstr(samples, " 4 truncated\n0123\n"));
	assert_int_equal(b->report.outcome, OUTCOME_TRUNCATED);
}

static void fields_of_the_stop_stand_in_paths(void **state)
{
	struct bench *b = *state;
	struct stop_record record = { .pid = 77,
				      .text = "conn: flags=9 name=7 unknown=8",
				      .numbers = "prev_fd=9 fd=31 flags=3 " };
	autofree char *stop = NULL;

	put(b, "p77", "pid");
	put(b, "f31", "fd");
	spec(b, "p{pid} f{fd} n{name} u{unknown} g{flags}*", "\"stop\":true,\"start\":true");
	put(b, "g3x", "glob");
	start(b);
	decide(b, record);
	leave(b);
	assert_int_equal(save(b), 0);
	stop = errors(b, "files/stop");
	assert_true(has(b, "files/stop", "p77", "pid"));
	assert_true(has(b, "files/stop", "f31", "fd"));
	assert_true(has(b, "files/stop", "g3x", "glob"));
	assert_non_null(strstr(stop, "no integer field 'name'"));
	assert_non_null(strstr(stop, "no integer field 'unknown'"));
	assert_null(errors(b, "files/start"));
}

static void an_events_own_pid_comes_before_its_tasks(void **state)
{
	struct bench *b = *state;
	struct stop_record record = { .pid = 77,
				      .text = "oom:mark_victim comm=pid=99 pid=88",
				      .numbers = "pid=88 " };

	put(b, "p88", "victim");
	put(b, "t77", "task");
	spec(b, "p{pid} t{common_pid}", "\"stop\":true");
	start(b);
	decide(b, record);
	leave(b);
	assert_int_equal(save(b), 0);
	assert_true(has(b, "files/stop", "p88", "victim"));
	assert_true(has(b, "files/stop", "t77", "task"));
}

static void a_stop_without_a_task_has_no_pid(void **state)
{
	struct bench *b = *state;
	autofree char *stop = NULL;

	spec(b, "{pid}", "\"stop\":true");
	start(b);
	stop_and_save(b);
	stop = errors(b, "files/stop");
	assert_non_null(strstr(stop, "no integer field 'pid'"));
	assert_int_not_equal(b->report.outcome, OUTCOME_OK);
}

static void a_path_that_appears_is_sampled(void **state)
{
	struct bench *b = *state;
	autofree char *later = NULL, *failed = NULL;

	put(b, "a", "x");
	spec(b, "* never*", "\"every\":100000000");
	start(b);
	sleep_ms(200);
	put(b, "later", "y");
	sleep_ms(1500);
	stop_and_save(b);
	later = out(b, "samples", "later");
	failed = errors(b, "samples");
	assert_in_range(walk(later, 100 * NS_PER_MS), 3, 16);
	assert_non_null(strstr(failed, "/in/never*\tno path matches"));
}

static void a_sample_that_fails_is_a_record(void **state)
{
	struct bench *b = *state;
	autofree char *a = NULL;

	put(b, "a", "x");
	spec(b, "a", "\"every\":50000000");
	start(b);
	sleep_ms(200);
	unlinkat(b->in, "a", 0);
	sleep_ms(200);
	stop_and_save(b);
	a = out(b, "samples", "a");
	assert_non_null(strstr(a, "Z 1\nx\n"));
	assert_non_null(strstr(a, "Z 0 absent\n"));
	assert_int_equal(b->report.outcome, OUTCOME_PARTIAL);
	assert_non_null(strstr(b->report.note, "/in/a': absent"));
}

static void what_is_later_than_the_cut_is_not_kept(void **state)
{
	struct bench *b = *state;
	autofree char *a = NULL;
	uint64_t cut;

	put(b, "a", "x");
	spec(b, "a", "\"every\":50000000");
	start(b);
	sleep_ms(500);
	cut = clock_boot() - 200 * NS_PER_MS;
	decide(b, (struct stop_record) { .pid = -1, .cut = cut });
	sleep_ms(200);
	leave(b);
	assert_int_equal(save(b), 0);
	a = out(b, "samples", "a");
	assert_in_range(walk(a, 50 * NS_PER_MS), 4, 8);
	assert_true(b->report.to <= cut);
	assert_int_equal(b->report.outcome, OUTCOME_OK);
}

static void missed_periods_are_counted_with_their_interval(void **state)
{
	struct bench *b = *state;
	uint64_t from, to;

	put(b, "a", "x");
	put(b, "b", "x");
	spec(b, "a b", "\"every\":50000000");
	start(b);
	sleep_ms(200);
	from = clock_boot();
	assert_int_equal(kill(b->pid, SIGSTOP), 0);
	sleep_ms(500);
	to = clock_boot();
	assert_int_equal(kill(b->pid, SIGCONT), 0);
	sleep_ms(200);
	stop_and_save(b);
	assert_in_range(b->report.lost, 16, 22);
	assert_int_equal(b->report.n_holes, 1);
	assert_in_range(b->report.holes[0].from, from - 60 * NS_PER_MS, from + 60 * NS_PER_MS);
	assert_in_range(b->report.holes[0].to, to, to + 60 * NS_PER_MS);
}

static pid_t helper_of(pid_t owner)
{
	char path[64];
	autofree char *text = NULL;
	struct err e = ERR_INIT;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", owner, owner);
	assert_int_equal(io_read_file(AT_FDCWD, path, 1000, &text, NULL, &e), 0);
	return atoi(text);
}

static void a_read_that_hangs_takes_no_other_along(void **state)
{
	struct bench *b = *state;
	autofree char *a = NULL, *c = NULL;
	pid_t helper;

	put(b, "a", "x");
	put(b, "c", "x");
	spec(b, "a c", "\"every\":100000000,\"stop\":true");
	start(b);
	sleep_ms(250);
	helper = helper_of(b->pid);
	assert_int_equal(kill(helper, SIGSTOP), 0);
	sleep_ms(2600);
	stop_and_save(b);
	a = out(b, "samples", "a");
	c = out(b, "samples", "c");
	/* the stopped helper takes what is asked first */
	assert_non_null(strstr(a, " 0 timeout\n"));
	assert_null(strstr(c, "timeout"));
	assert_in_range(walk(c, 100 * NS_PER_MS), 25, 32);
	assert_true(has(b, "files/stop", "c", "x"));
	assert_int_equal(b->report.outcome, OUTCOME_PARTIAL);
	assert_non_null(strstr(b->report.note, "/in/a': timeout"));
}

static void what_a_killed_process_has_recorded_is_saved(void **state)
{
	struct bench *b = *state;
	autofree char *a = NULL;

	put(b, "a", "x");
	spec(b, "a", "\"every\":50000000,\"start\":true,\"stop\":true");
	start(b);
	sleep_ms(300);
	assert_int_equal(kill(b->pid, SIGKILL), 0);
	assert_int_equal(waitpid(b->pid, NULL, 0), b->pid);
	b->pid = 0;
	decide(b, (struct stop_record) { .pid = -1, .cut = clock_boot() + 5 * NS_PER_S });
	assert_int_equal(save(b), 0);
	a = out(b, "samples", "a");
	assert_in_range(walk(a, 50 * NS_PER_MS), 4, 8);
	assert_true(has(b, "files/start", "a", "x"));
	assert_int_equal(b->report.outcome, OUTCOME_PARTIAL);
	assert_non_null(strstr(b->report.note, "its process had ended"));
	assert_int_equal(b->report.n_holes, 1);
}

static void an_engine_that_is_gone_ends_it_with_the_ring_kept(void **state)
{
	struct bench *b = *state;
	int status;

	put(b, "a", "x");
	spec(b, "a", "\"every\":50000000,\"stop\":true");
	start(b);
	sleep_ms(200);
	close(take_fd(&b->engine));
	assert_int_equal(waitpid(b->pid, &status, 0), b->pid);
	b->pid = 0;
	assert_int_equal(status, 0);
	decide(b, (struct stop_record) { .pid = -1 });
	assert_int_equal(save(b), 0);
	assert_true(has(b, "files/stop", "a", "x"));
	assert_true(b->report.records >= 4);
}

static void two_sources_of_one_path_do_not_collide(void **state)
{
	struct bench *b = *state;
	struct err e = ERR_INIT;
	autofree char *dir = NULL;

	put(b, "a", "x");
	spec(b, "a", "\"stop\":true");
	assert_true(asprintf(&dir, "files/stop%s/in", b->dir.path) > 0);
	assert_int_equal(io_make_dirs(b->out, dir, &e), 0);
	start(b);
	stop_and_save(b);
	assert_true(has(b, "files/stop", "a", "x"));
	assert_int_equal(save(b), 0);
	assert_true(has(b, "files/stop", "a.f", "x"));
}

/* Turns bytes of a file in the state directory over. */
static void spoil(struct bench *b, const char *name, unsigned int *seed)
{
	autoclose int fd = openat(b->state.fd, name, O_RDWR | O_CLOEXEC);
	off_t size = lseek(fd, 0, SEEK_END);

	assert_true(fd >= 0 && size > 0);
	for (int i = 0; i < 4; i++) {
		unsigned char byte = rand_r(seed);

		/* a ring's head and first records, not its empty rest */
		assert_int_equal(pwrite(fd, &byte, 1, rand_r(seed) % (size < 5000 ? size : 5000)),
				 1);
	}
}

static void spoiled_state_never_leads_astray(void **state)
{
	const char *names[] = { "taken-3.ring", "taken-3.index", "taken-3.names" };
	struct bench *b = *state;
	unsigned int seed = 1;

	put(b, "a", "x");
	put(b, "c", "y");
	spec(b, "* ?none", "\"every\":50000000,\"start\":true,\"stop\":true");
	start(b);
	sleep_ms(200);
	decide(b, (struct stop_record) { .pid = -1 });
	leave(b);
	for (int i = 0; i < 150; i++) {
		struct err e = ERR_INIT;

		spoil(b, names[i % countof(names)], &seed);
		assert_in_range(save(b), 0, 1);
		assert_int_equal(io_remove_tree(b->out, "files", &e), 0);
		assert_int_equal(io_remove_tree(b->out, "samples", &e), 0);
	}
}

static void a_state_without_files_is_a_failure(void **state)
{
	struct bench *b = *state;

	spec(b, "a", "\"stop\":true");
	decide(b, (struct stop_record) { .pid = -1 });
	assert_int_equal(save(b), 1);
	assert_int_equal(b->report.outcome, OUTCOME_FAILED);
}

#define FILES_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILES_TEST(a_bad_plan_is_refused),
		FILES_TEST(a_literal_path_that_is_not_there_is_found_before_the_start),
		FILES_TEST(a_directory_is_no_file),
		FILES_TEST(a_device_is_no_file),
		FILES_TEST(files_are_kept_as_they_were_at_both_ends),
		FILES_TEST(samples_have_their_times_and_sizes),
		FILES_TEST(no_period_is_lost_to_drift),
		FILES_TEST(what_failed_is_listed_with_its_reason),
		FILES_TEST(nothing_but_failures_is_no_partial),
		FILES_TEST(what_is_longer_than_the_limit_keeps_its_head),
		FILES_TEST(fields_of_the_stop_stand_in_paths),
		FILES_TEST(an_events_own_pid_comes_before_its_tasks),
		FILES_TEST(a_stop_without_a_task_has_no_pid),
		FILES_TEST(a_path_that_appears_is_sampled),
		FILES_TEST(a_sample_that_fails_is_a_record),
		FILES_TEST(what_is_later_than_the_cut_is_not_kept),
		FILES_TEST(missed_periods_are_counted_with_their_interval),
		FILES_TEST(a_read_that_hangs_takes_no_other_along),
		FILES_TEST(what_a_killed_process_has_recorded_is_saved),
		FILES_TEST(an_engine_that_is_gone_ends_it_with_the_ring_kept),
		FILES_TEST(two_sources_of_one_path_do_not_collide),
		FILES_TEST(spoiled_state_never_leads_astray),
		FILES_TEST(a_state_without_files_is_a_failure),
	};

	return cmocka_run_group_tests_name("files", tests, NULL, NULL);
}
