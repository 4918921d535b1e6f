/* What every source has to keep to, whatever it records: each test runs for each row of
 * source_table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#include "base/units.h"
#include "bundle/tree.h"
#include "owncapture.h"
#include "packet/pcapng.h"
#include "plan/plan.h"
#include "plan/source.h"
#include "process/worker.h"
#include "trace/tracedat.h"

#define PORT 19700
#define WAIT (10 * NS_PER_S)

/* What stands for a source in these tests. */
struct kind {
	const char *type;
	const char *spec;   /* a good one, in own_json's words */
	const char *needed; /* the members that it cannot do without */
	const char *loose;  /* the members that may be of any type */
	void (*provoke)(void);
	bool (*whole)(int fd); /* whether a file that it has saved is well-formed */
};

static void provoke_call(void)
{
	for (int i = 0; i < 10; i++)
		setpriority(77, 0, i);
}

static void provoke_packets(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(PORT),
				  .sin_addr.s_addr = htonl(0x7f000001) };
	autoclose int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	for (int i = 0; i < 10; i++)
		sendto(fd, "unit", 4, 0, (struct sockaddr *)&to, sizeof(to));
}

/* The kernel logs a process that dies of a bad address. */
static void provoke_log(void)
{
	const struct rlimit none = { 0, 0 };
	pid_t pid = fork();

	if (pid == 0) {
		volatile int *volatile nowhere = (int *)64;

		setrlimit(RLIMIT_CORE, &none);
		signal(SIGSEGV, SIG_DFL);
		_exit(*nowhere);
	}
	waitpid(pid, NULL, 0);
}

static void provoke_nothing(void)
{
}

#define LOG_FILE "/dev/shm/tracer-unit-source.log"

static void provoke_lines(void)
{
	autoclose int fd = open(LOG_FILE, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

	for (int i = 0; i < 10; i++)
		assert_int_equal(write(fd, "unit\n", 5), 5);
}

static int leave(void **state)
{
	(void)state;
	return unlink(LOG_FILE);
}

/* How many records the kernel said were in the rings. */
static uint64_t dat_entries(const struct tracedat *dat)
{
	uint64_t sum = 0, entries;

	for (unsigned cpu = 0; cpu < tracedat_cpus(dat); cpu++)
		if (sscanf(tracedat_stats(dat, cpu).at, "entries: %lu", &entries) == 1)
			sum += entries;
	return sum;
}

static bool dat_is_whole(int fd)
{
	struct tracedat_record record;
	struct tracedat_walk *walk = NULL;
	struct tracedat *dat = NULL;
	struct err e = ERR_INIT;
	bool whole = tracedat_open(&dat, fd, &e) == 0 && tracedat_walk_open(&walk, dat, &e) == 0;
	uint64_t n;

	for (n = 0; whole && tracedat_walk_next(walk, &record); n++)
		whole = tracedat_format(dat, *(const uint16_t *)record.data) != NULL;
	whole = whole && n >= dat_entries(dat); /* and those of a second ring */
	tracedat_walk_close(walk);
	tracedat_close(dat);
	return whole;
}

static bool pcapng_is_whole(int fd)
{
	struct pcapng_reader *reader = NULL;
	struct pcapng_packet packet;
	struct err e = ERR_INIT;
	int r = pcapng_reader_new(&reader, fd, &e);

	while (r == 0 && pcapng_reader_next(reader, &packet, NULL, &e) > 0)
		;
	pcapng_reader_free(reader);
	return e.code == 0;
}

/* Whole lines, each with words that a terminal can show. */
static bool text_is_whole(int fd)
{
	autofree char *text = NULL;
	struct err e = ERR_INIT;
	size_t size;

	if (io_read(fd, 64 << 20, &text, &size, &e) < 0 || !size || text[size - 1] != '\n')
		return false;
	return strlen(text) == size && !strchr(text, '\033');
}

static const struct kind kinds[] = {
	{ "ftrace",
	  "{'type':'ftrace','name':'unit','at':'test.lua:1','keep':1048576,'post_keep':65536,"
	  "'stack':false,'pids':[],'comm':['unit-source'],'events':["
	  "{'event':'" OWN_EVENT "','filter':'which == 77','stack':true,'at':'test.lua:2'},"
	  "{'event':'signal:*','optional':true,'at':'test.lua:3'}]}",
	  "keep events", "", provoke_call, dat_is_whole },
	{ "packets",
	  "{'type':'packets','name':'unit','at':'test.lua:1','host':['127.0.0.1'],'src':[],'dst':[]"
	  ","
	  "'port':[19700],'filter':'udp','keep':1048576,'payload':128,'interface':'lo'}",
	  "keep", "", provoke_packets, pcapng_is_whole },
	{ "files",
	  "{'type':'files','name':'unit','at':'test.lua:1','paths':["
	  "{'path':'/proc/uptime','optional':false,'at':'test.lua:2'}],"
	  "'start':true,'stop':true,'every':20000000,'keep_ns':1000000000,'max':65536}",
	  "paths", "", provoke_nothing, text_is_whole },
	{ "tasks",
	  "{'type':'tasks','name':'unit','at':'test.lua:1','pid':[1,'2'],'comm':['unit-source'],"
	  "'cgroup':'/','state':'RSDZ','start':true,'stop':true,'every':20000000,"
	  "'keep_ns':1000000000,'max':65536}",
	  "", "", provoke_nothing, text_is_whole },
	{ "sockets",
	  "{'type':'sockets','name':'unit','at':'test.lua:1','host':['127.0.0.1'],'port':[19700],"
	  "'protocol':'udp','start':true,'stop':true,'every':20000000,'keep_ns':1000000000,"
	  "'max':65536}",
	  "", "", provoke_nothing, text_is_whole },
	{ "exec",
	  "{'type':'exec','name':'unit','at':'test.lua:1','argv':['echo','unit'],"
	  "'deadline':2000000000,'start':true,'stop':true,'every':20000000,'keep_ns':1000000000,"
	  "'max':65536}",
	  "argv deadline", "", provoke_nothing, text_is_whole },
	{ "log", "{'type':'log','name':'unit','at':'test.lua:1','log':'kernel','keep':65536}",
	  "log", "", provoke_log, text_is_whole },
	{ "textlog",
	  "{'type':'textlog','name':'unit','at':'test.lua:1','log':'" LOG_FILE "','keep':65536}",
	  "log", "", provoke_lines, text_is_whole },
};

struct bench {
	const struct kind *kind;
	const struct source_ops *ops;
	struct owncapture own;
	struct source *source;
	struct worker worker;  /* that records */
	struct report *report; /* shared with the process that saves */
	struct anchor anchors[2];
};

static const struct kind *kind_of(const struct source_ops *ops)
{
	for (size_t i = 0; i < countof(kinds); i++)
		if (!strcmp(kinds[i].type, ops->type))
			return &kinds[i];
	fail_msg("nothing stands for source '%s' in this test", ops->type);
	return NULL;
}

/* The condition makes the ring after the event as well as the one before it. */
static void bench_open_plan(struct bench *b)
{
	autofree char *plan = NULL;

	assert_true(asprintf(&plan,
			     "{'schema':1,'name':'unit','max_time':1000000000,'post':1000000,'"
			     "collect':[%s],'stop':["
			     "{'type':'event','name':'s','at':'test.lua:9','event':'" OWN_EVENT
			     "','filter':'which == 78'}]}",
			     b->kind->spec) > 0);
	owncapture_open(&b->own, plan);
	b->source = &b->own.c.plan->sources[0];
}

/* The initial state is the row of source_table. */
static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	b->ops = *state;
	b->kind = kind_of(b->ops);
	b->worker.fd = -1;
	b->report = mmap(NULL, sizeof(*b->report), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	b->anchors[0] = anchor_take();
	bench_open_plan(b);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	worker_kill(&b->worker);
	owncapture_close(&b->own);
	munmap(b->report, sizeof(*b->report));
	free(b);
	return 0;
}

static json_t *good_spec(const struct bench *b)
{
	autofree char *text = own_json(b->kind->spec);

	return json_loads(text, 0, NULL);
}

/* Decodes, and probes what was taken; whatever SPEC is, all of it is freed. Returns whether it was
 * taken. */
static bool takes(const struct bench *b, const json_t *spec)
{
	struct probes probes = { 0 };
	struct source s = { .ops = b->ops,
			    .name = "unit",
			    .at = "test.lua:1",
			    .spec = spec,
			    .probes = &probes,
			    .tracing = b->own.c.tracing };
	struct err e = ERR_INIT, probe = ERR_INIT;
	struct cost cost = { 0 };
	int r = b->ops->decode(&s, &e);

	if (r == 0 && b->ops->probe(&s, &cost, &probe) < 0)
		assert_true(probe.code < 0 && *probe.text);
	b->ops->free(&s);
	assert_null(s.data);
	b->ops->free(&s);
	if (r < 0 && (e.code >= 0 || !*e.text))
		fail_msg("refused without a sentence");
	return r == 0;
}

/* What members are replaced by: one of each type, and numbers that lead astray. */
static const char *const palette[] = {
	"null",
	"true",
	"0",
	"-1",
	"9223372036854775807",
	"1.5",
	"\"\"",
	"\"\\\" || 1 == 1 %s ../../etc\"",
	"[]",
	"[null, 1, [\"x\"]]",
	"{}",
	"{\"path\": 1}",
};

static json_t *palette_json(size_t i)
{
	return json_loads(palette[i], JSON_DECODE_ANY, NULL);
}

/* Counts N down over all members at any depth; where it ends, one is dropped or replaced. */
static bool mutate(json_t *node, size_t *n)
{
	size_t size = json_is_object(node) ? json_object_size(node) : json_array_size(node);
	void *at = json_object_iter(node);

	for (size_t i = 0; i < size; i++, at = at ? json_object_iter_next(node, at) : NULL) {
		json_t *child = at ? json_object_iter_value(at) : json_array_get(node, i);

		if (*n < countof(palette) && at)
			json_object_iter_set_new(node, at, palette_json(*n));
		else if (*n < countof(palette))
			json_array_set_new(node, i, palette_json(*n));
		else if (*n == countof(palette) && at)
			json_object_del(node, json_object_iter_key(at));
		else if (*n == countof(palette))
			json_array_remove(node, i);
		if (*n <= countof(palette))
			return true;
		*n -= countof(palette) + 1;
		if (mutate(child, n))
			return true;
	}
	return false;
}

static void garbage_in_any_member_is_refused_or_harmless(void **state)
{
	const struct bench *b = *state;
	size_t tried = 0;
	bool some;

	do {
		autojson json_t *spec = good_spec(b);
		size_t n = tried++;

		some = mutate(spec, &n);
		takes(b, spec);
	} while (some);
	assert_true(tried > 5 * countof(palette));
}

static bool has_word(const char *list, const char *word)
{
	const char *at = strstr(list, word);

	return at && (at == list || at[-1] == ' ') && strchr(" ", at[strlen(word)]);
}

static void a_member_of_another_type_is_refused(void **state)
{
	const struct bench *b = *state;
	autojson json_t *good = good_spec(b);
	const char *key;
	json_t *value;

	assert_true(takes(b, good));
	json_object_foreach (good, key, value) {
		if (has_word("type name at", key) || has_word(b->kind->loose, key))
			continue;
		for (size_t i = 0; i < countof(palette); i++) {
			autojson json_t *spec = good_spec(b), *other = palette_json(i);

			if (json_typeof(other) == json_typeof(value) ||
			    (json_is_boolean(other) && json_is_boolean(value)))
				continue;
			json_object_set(spec, key, other);
			if (takes(b, spec))
				fail_msg("'%s' is taken where it is %s", key, palette[i]);
		}
	}
}

static void a_needed_member_is_missed(void **state)
{
	const struct bench *b = *state;
	autojson json_t *good = good_spec(b);
	const char *key;
	json_t *value;

	json_object_foreach (good, key, value) {
		autojson json_t *spec = good_spec(b);

		json_object_del(spec, key);
		if (takes(b, spec) == has_word(b->kind->needed, key))
			fail_msg("without '%s'", key);
	}
}

static void a_source_that_was_never_decoded_is_freed(void **state)
{
	const struct bench *b = *state;
	struct source s = { .ops = b->ops };

	b->ops->free(&s);
	assert_null(s.data);
}

struct sum {
	uint64_t until; /* wall clock: what was written later does not count */
	uint64_t value;
};

static int sum_add(void *arg, int dirfd, const char *path, struct err *e)
{
	struct sum *sum = arg;
	struct stat st;

	(void)e;
	if (fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_mtim.tv_sec * NS_PER_S + st.st_mtim.tv_nsec <= sum->until)
		sum->value += (strlen(path) + 1) * (st.st_size + 1) + st.st_mtim.tv_nsec;
	return 0;
}

/* A number that changes with every file from before UNTIL. */
static uint64_t tree_sum(int dirfd, uint64_t until)
{
	struct sum sum = { .until = until };
	struct err e = ERR_INIT;

	assert_int_equal(tree_walk(dirfd, sum_add, &sum, &e), 0);
	return sum.value;
}

static size_t open_descriptors(void)
{
	autoclosedir DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	while (readdir(dir))
		n++;
	return n;
}

static void probe(struct bench *b)
{
	struct cost cost = { 0 };
	struct err e = ERR_INIT;

	if (b->ops->probe(b->source, &cost, &e) < 0)
		fail_msg("%s", e.text);
	assert_true(cost.kernel_bytes + cost.tmpfs_bytes > 0);
	assert_true(cost.output_bytes > 0);
}

static void probing_changes_nothing(void **state)
{
	struct bench *b = *state;
	uint64_t files = tree_sum(b->own.state.fd, UINT64_MAX);
	size_t descriptors = open_descriptors(), same = 0;

	/* others make instances too, but not in each of three moments */
	for (int i = 0; i < 3; i++) {
		size_t before = own_instances(&b->own, "");

		probe(b);
		same += own_instances(&b->own, "") == before;
	}
	assert_true(same > 0);
	assert_int_equal(tree_sum(b->own.state.fd, UINT64_MAX), files);
	assert_int_equal(open_descriptors(), descriptors);
	assert_true(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
}

static void arm(struct bench *b)
{
	struct err e = ERR_INIT;

	probe(b);
	if (b->ops->arm(b->source, &b->own.c, &e) < 0)
		fail_msg("%s", e.text);
}

static void undo(struct bench *b)
{
	struct err e = ERR_INIT;

	own_let_go(&b->own);
	if (ledger_undo(b->own.c.ledger, b->own.c.tracing, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(own_instances(&b->own, b->own.state.id), 0);
}

static void arming_and_undoing_leaves_nothing(void **state)
{
	struct bench *b = *state;

	arm(b);
	undo(b);
	b->ops->free(b->source);
}

static void arming_twice_says_that_the_name_is_taken(void **state)
{
	struct bench *b = *state;
	struct err e = ERR_INIT;

	arm(b);
	assert_true(b->ops->arm(b->source, &b->own.c, &e) < 0);
	assert_int_equal(e.code, -EEXIST);
	assert_non_null(strstr(e.text, strerror(EEXIST)));
	undo(b);
}

/* In a directory that is not the capture's own, so that nothing else fails there. */
static void arming_where_no_room_is_left_fails_with_nothing_made(void **state)
{
	struct bench *b = *state;
	char full[128];
	autoclose int fill = -1, dir = -1;
	struct err e = ERR_INIT;

	probe(b);
	snprintf(full, sizeof(full), "%s/full", b->own.dir.path);
	assert_int_equal(mkdir(full, 0700), 0);
	assert_int_equal(mount("none", full, "tmpfs", 0, "size=64k"), 0);
	dir = open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fill = openat(dir, "fill", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(posix_fallocate(fill, 0, 65536), 0);
	ledger_close(b->own.c.ledger);
	assert_int_equal(ledger_open(&b->own.c.ledger, dir, &e), 0);
	assert_int_equal(dup3(dir, b->own.state.fd, O_CLOEXEC), b->own.state.fd);

	assert_true(b->ops->arm(b->source, &b->own.c, &e) < 0);
	assert_int_equal(e.code, -ENOSPC);
	assert_non_null(strstr(e.text, strerror(ENOSPC)));
	undo(b);
	assert_int_equal(umount2(full, MNT_DETACH), 0);
}

static void stopping_is_fine_at_any_time(void **state)
{
	struct bench *b = *state;
	struct err e = ERR_INIT;

	for (int armed = 0; armed < 2; armed++) {
		if (armed)
			arm(b);
		for (int i = 0; b->ops->stop && i < 2; i++)
			if (b->ops->stop(b->source, &b->own.c, &e) < 0)
				fail_msg("%s", e.text);
	}
	undo(b);
	if (b->ops->stop && b->ops->stop(b->source, &b->own.c, &e) < 0)
		fail_msg("%s", e.text);
}

static int record_main(void *arg, int fd, struct err *e)
{
	struct bench *b = arg;
	struct live live = { .engine = fd, .statedir = b->own.state.fd, .stop = b->own.c.stop };

	return b->ops->live(b->source, &live, e);
}

/* The source's own process, if it has one. */
static void enlist(struct bench *b)
{
	struct err e = ERR_INIT;

	if (b->ops->live &&
	    worker_start(&b->worker, "unit", record_main, b, &b->own.state.fd, 1, &e) < 0)
		fail_msg("%s", e.text);
}

static void await_armed(struct bench *b)
{
	uint64_t until = clock_boot() + WAIT;
	struct message message;

	while (b->ops->live && !b->worker.armed && b->worker.fd >= 0 && clock_boot() < until) {
		worker_receive(&b->worker, &message);
		usleep(1000);
	}
	if (b->ops->live && !b->worker.armed)
		fail_msg("%s", b->worker.err.text);
}

static void start(struct bench *b)
{
	if (b->worker.fd >= 0)
		message_send(b->worker.fd, MESSAGE_START, "");
	for (size_t i = 0; i < b->own.c.n_switches; i++)
		if (b->own.c.switches[i].from_start)
			assert_int_equal(pwrite(b->own.c.switches[i].fd, "1", 1, 0), 1);
	usleep(50000);
}

static void decide(struct bench *b)
{
	struct stop_record record = {
		.by = STOP_USER, .event = clock_boot(), .pid = -1, .text = "enough"
	};

	record.cut = record.event;
	assert_true(stop_decide(b->own.c.stop, &record));
}

/* As the engine does it: the rings are off, and the process has ended, well or by force. */
static void halt(struct bench *b)
{
	struct err e = ERR_INIT;

	assert_int_equal(switches_off(b->own.c.switches, b->own.c.n_switches, &e), 0);
	if (b->worker.fd >= 0)
		message_send(b->worker.fd, MESSAGE_STOP, "");
	if (worker_finish(&b->worker, clock_boot() + WAIT, NULL, NULL, &e) < 0)
		fail_msg("%s", e.text);
}

static int save_main(void *arg, int fd, struct err *e)
{
	struct bench *b = arg;
	struct save save = { .state = &b->own.state,
			     .statedir = b->own.state.fd,
			     .outdir = b->own.out,
			     .stop = stop_get(b->own.c.stop),
			     .anchors = b->anchors,
			     .n_anchors = 2,
			     .report = b->report };

	(void)fd;
	return b->ops->save(b->source, &save, e);
}

/* In a fresh process. Returns 0, or why not in E. */
static int save(struct bench *b, struct err *e)
{
	int keep[] = { b->own.state.fd, b->own.out, tracing_fd(b->own.c.tracing) };
	struct worker worker;

	b->anchors[1] = anchor_take();
	*b->report = (struct report) { 0 };
	*e = (struct err)ERR_INIT;
	if (worker_start(&worker, "save", save_main, b, keep, countof(keep), e) < 0)
		fail_msg("%s", e->text);
	return worker_finish(&worker, clock_boot() + WAIT, NULL, NULL, e);
}

/* What no report may be, whatever has happened. */
static void assert_report(const struct bench *b, int saved, const struct err *e)
{
	const struct report *r = b->report;

	assert_true(memchr(r->note, '\0', sizeof(r->note)) != NULL);
	assert_in_range(r->n_holes, 0, countof(r->holes));
	assert_true(r->from <= r->to && r->to <= clock_boot());
	for (uint32_t i = 0; i < r->n_holes; i++)
		assert_true(r->holes[i].from <= r->holes[i].to);
	assert_string_not_equal(outcome_text(r->outcome), "");
	if (saved < 0 && !*e->text)
		fail_msg("failed without a sentence");
	if (saved == 0 && r->outcome != OUTCOME_OK && !*r->note)
		fail_msg("'%s' without a reason", outcome_text(r->outcome));
}

struct inspection {
	const struct bench *b;
	size_t n;
};

static int inspect(void *arg, int dirfd, const char *path, struct err *e)
{
	struct inspection *inspection = arg;
	autoclose int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);

	(void)e;
	inspection->n++;
	if (!inspection->b->kind->whole(fd))
		fail_msg("'%s' is not whole", path);
	return 0;
}

/* Returns how many files there are. */
static size_t assert_files_whole(const struct bench *b)
{
	struct inspection inspection = { .b = b };
	struct err e = ERR_INIT;

	assert_int_equal(tree_walk(b->own.out, inspect, &inspection, &e), 0);
	return inspection.n;
}

static void record(struct bench *b)
{
	arm(b);
	enlist(b);
	await_armed(b);
	start(b);
	b->kind->provoke();
	usleep(50000);
	decide(b);
	halt(b);
}

static void what_was_recorded_is_saved_whole(void **state)
{
	struct bench *b = *state;
	struct err e;

	record(b);
	if (save(b, &e) < 0)
		fail_msg("%s", e.text);
	assert_report(b, 0, &e);
	if (b->report->outcome != OUTCOME_OK)
		fail_msg("%s: %s", outcome_text(b->report->outcome), b->report->note);
	assert_true(b->report->records > 0);
	assert_true(b->report->bytes > 0);
	assert_true(b->report->to > b->anchors[0].boot);
	assert_true(assert_files_whole(b) > 0);
	undo(b);
}

static void the_live_figures_are_those_of_the_report(void **state)
{
	struct bench *b = *state;
	const struct stats *stats = b->source->stats;
	struct err e;

	if (b->ops->stats)
		b->ops->stats(b->source, &b->own.c); /* nothing is there yet */
	assert_int_equal(stats->records, 0);
	record(b);
	if (b->ops->stats)
		b->ops->stats(b->source, &b->own.c);
	assert_int_equal(save(b, &e), 0);
	assert_true(stats->records > 0 && stats->bytes > 0);
	assert_int_equal(stats->overwritten, b->report->overwritten);
	undo(b);
	if (b->ops->stats)
		b->ops->stats(b->source, &b->own.c);
}

static void saving_again_harms_nothing_that_was_saved(void **state)
{
	struct bench *b = *state;
	uint64_t sum, until;
	struct err e;

	record(b);
	assert_int_equal(save(b, &e), 0);
	usleep(20000);
	until = anchor_take().wall_ns;
	usleep(20000);
	sum = tree_sum(b->own.out, until);
	assert_report(b, save(b, &e), &e);
	assert_int_equal(tree_sum(b->own.out, until), sum);
	assert_true(assert_files_whole(b) > 0);
}

static void what_was_never_started_is_saved_with_a_reason(void **state)
{
	struct bench *b = *state;
	struct err e;

	arm(b);
	decide(b);
	assert_report(b, save(b, &e), &e);
	assert_files_whole(b);
}

static void what_was_never_armed_is_a_failure_with_a_sentence(void **state)
{
	struct bench *b = *state;
	struct err e;

	decide(b);
	if (save(b, &e) < 0)
		assert_true(*e.text);
	else
		assert_int_not_equal(b->report->outcome, OUTCOME_OK);
	assert_report(b, e.code, &e);
}

/* Killed N eighths of the way from its fork to its last words. */
static void die(struct bench *b, unsigned n)
{
	enlist(b);
	if (n < 3) {
		usleep(n * 300);
		return;
	}
	await_armed(b);
	if (n > 3)
		start(b);
	if (n > 4)
		b->kind->provoke();
	usleep((unsigned)rand() % 3000);
	if (n > 6) {
		decide(b);
		message_send(b->worker.fd, MESSAGE_STOP, "");
		usleep((unsigned)rand() % 300);
	}
}

static void a_process_that_is_killed_leaves_files_that_are_whole(void **state)
{
	struct bench *b = *state;
	struct err e;

	if (!b->ops->live)
		return;
	for (unsigned n = 0; n < 9; n++) {
		arm(b);
		die(b, n);
		worker_kill(&b->worker);
		if (n <= 6)
			decide(b);
		assert_report(b, save(b, &e), &e);
		if (n > 6)
			assert_int_not_equal(b->report->outcome, OUTCOME_FAILED);
		assert_files_whole(b);
		owncapture_close(&b->own);
		bench_open_plan(b);
	}
}

static void every_word_for_an_outcome_is_its_own(void **state)
{
	(void)state;
	for (enum outcome a = OUTCOME_FAILED; a <= OUTCOME_TRUNCATED; a++) {
		for (enum outcome b = OUTCOME_FAILED; b < a; b++)
			assert_string_not_equal(outcome_text(a), outcome_text(b));
		assert_string_equal(outcome_text(OUTCOME_TRUNCATED + 1 + a), "failed");
	}
}

static void holes_beyond_the_last_one_are_put_together(void **state)
{
	struct report report = { 0 };

	(void)state;
	for (uint64_t i = 0; i < countof(report.holes) + 10; i++)
		report_hole(&report,
			    "a place with a name that is longer than what a hole has room for",
			    100 + i, 200 + i, 2);
	assert_int_equal(report.n_holes, countof(report.holes));
	assert_int_equal(report.lost, 2 * (countof(report.holes) + 10));
	assert_int_equal(report.holes[0].from, 100);
	assert_string_equal(report.holes[countof(report.holes) - 1].what, "several");
	assert_int_equal(report.holes[countof(report.holes) - 1].from,
			 100 + countof(report.holes) - 1);
	assert_int_equal(report.holes[countof(report.holes) - 1].to,
			 200 + countof(report.holes) + 9);
	assert_int_equal(report.holes[countof(report.holes) - 1].count, 22);
}

static void an_unknown_type_is_not_found(void **state)
{
	(void)state;
	assert_null(source_find("ftrac"));
	assert_null(source_find(""));
	for (const struct source_ops *const *ops = source_table; *ops; ops++)
		assert_ptr_equal(source_find((*ops)->type), *ops);
}

#define ROW(test)                                  \
	{                                          \
#test, test, setup, teardown, NULL \
	}

static const struct CMUnitTest rows[] = {
	ROW(garbage_in_any_member_is_refused_or_harmless),
	ROW(a_member_of_another_type_is_refused),
	ROW(a_needed_member_is_missed),
	ROW(a_source_that_was_never_decoded_is_freed),
	ROW(probing_changes_nothing),
	ROW(arming_and_undoing_leaves_nothing),
	ROW(arming_twice_says_that_the_name_is_taken),
	ROW(arming_where_no_room_is_left_fails_with_nothing_made),
	ROW(stopping_is_fine_at_any_time),
	ROW(what_was_recorded_is_saved_whole),
	ROW(the_live_figures_are_those_of_the_report),
	ROW(saving_again_harms_nothing_that_was_saved),
	ROW(what_was_never_started_is_saved_with_a_reason),
	ROW(what_was_never_armed_is_a_failure_with_a_sentence),
	ROW(a_process_that_is_killed_leaves_files_that_are_whole),
};

static int enter(void **state)
{
	struct ifreq up = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	autoclose int fd = -1;

	(void)state;
	if (unshare(CLONE_NEWNS | CLONE_NEWNET) < 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -1;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	provoke_lines();
	signal(SIGPIPE, SIG_IGN);
	return prctl(PR_SET_NAME, "unit-source") < 0 ? -1 : ioctl(fd, SIOCSIFFLAGS, &up);
}

int main(void)
{
	struct CMUnitTest tests[countof(rows) * 16 + 3] = {
		cmocka_unit_test(every_word_for_an_outcome_is_its_own),
		cmocka_unit_test(holes_beyond_the_last_one_are_put_together),
		cmocka_unit_test(an_unknown_type_is_not_found),
	};
	size_t n = 3;
	int failed;

	for (const struct source_ops *const *ops = source_table; *ops; ops++) {
		for (size_t i = 0; i < countof(rows) && n < countof(tests); i++, n++) {
			char *name = NULL;

			tests[n] = rows[i];
			tests[n].initial_state = (void *)*ops;
			tests[n].name = asprintf(&name, "%s: %s", (*ops)->type, rows[i].name) < 0
						? rows[i].name
						: name;
		}
	}
	failed = _cmocka_run_group_tests("source", tests, n, enter, leave);
	for (size_t i = 3; i < n; i++)
		free((char *)tests[i].name);
	return failed;
}
