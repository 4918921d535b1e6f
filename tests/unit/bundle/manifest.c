#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/units.h"
#include "base/version.h"
#include "bundle/manifest.h"
#include "owncapture.h"
#include "plan/plan.h"

#define PLAN                                                                                       \
	"{'schema':1,'name':'quiet','question':'Who?','max_time':1000000000,'args':{'ip':'10.0.0." \
	"5'},'collect':["                                                                          \
	"{'type':'log','name':'kernel','at':'r.lua:2','log':'kernel','keep':65536},"               \
	"{'type':'packets','name':'pkt','at':'r.lua:3','keep_ns':5000000000}],"                    \
	"'stop':[{'type':'event','name':'gone','at':'r.lua:5','event':'sched:sched_switch','hits'" \
	":2}]}"

struct bench {
	struct owncapture own;
	struct about about;
	struct output output;
	struct anchor anchors[2];
	struct report reports[3]; /* the last one: what the conditions look at */
	json_t *json;
};

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	owncapture_open(&b->own, PLAN);
	b->about = (struct about) { .json = json_pack("{s:[s]}", "arguments", "ip=10.0.0.5"),
				    .outdir = b->own.dir.path,
				    .hostname = "box" };
	b->output = (struct output) { .capture = &b->own.c,
				      .about = &b->about,
				      .name = "quiet-box-now-ABCD" };
	b->anchors[0] = (struct anchor) { .boot = 1000,
					  .wall_ns = 5000000001000,
					  .mono_ns = 900,
					  .tai_ns = 7,
					  .printk_ns = 3,
					  .width = 2 };
	b->anchors[1] = (struct anchor) {
		.boot = 2000, .wall_ns = 6000000002000, .mono_ns = 1900, .width = 4
	};
	b->reports[0] = (struct report) {
		.outcome = OUTCOME_OK, .records = 7, .bytes = 700, .from = 1100, .to = 1900
	};
	b->reports[1] = (struct report) { .outcome = OUTCOME_PARTIAL,
					  .overwritten = 3,
					  .note = "cut short" };
	b->own.c.board->armed = 1050;
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	json_decref(b->json);
	json_decref(b->about.json);
	owncapture_close(&b->own);
	free(b);
	return 0;
}

static void decide(struct bench *b, const struct stop_record *record)
{
	assert_true(stop_decide(b->own.c.stop, record));
}

static const json_t *make(struct bench *b)
{
	struct err e = ERR_INIT;

	if (manifest_make(&b->json, &b->output, b->reports, b->anchors, 2, &e) < 0)
		fail_msg("%s", e.text);
	return b->json;
}

/* A member by a path like "sources.1.name". */
static const json_t *member(const json_t *json, const char *path)
{
	autofree char *copy = strdup(path);
	char *rest = copy, *key;

	while ((key = strsep(&rest, ".")))
		json = json_is_array(json) ? json_array_get(json, atoi(key))
					   : json_object_get(json, key);
	if (!json)
		fail_msg("no '%s'", path);
	return json;
}

static void assert_text(const json_t *json, const char *path, const char *want)
{
	const char *text = json_string_value(member(json, path));

	assert_non_null(text);
	assert_string_equal(text, want);
}

static void assert_number(const json_t *json, const char *path, json_int_t want)
{
	assert_true(json_is_integer(member(json, path)));
	assert_int_equal(json_integer_value(member(json, path)), want);
}

static void it_tells_what_fired_when_and_where(void **state)
{
	struct bench *b = *state;
	const json_t *m;

	decide(b, &(struct stop_record) { .by = STOP_CONDITION,
					  .event = 1500,
					  .cut = 1700,
					  .uncertain = 1,
					  .cpu = 3,
					  .pid = 42,
					  .comm = "task",
					  .text = "sched:sched_switch prev_pid=1" });
	b->own.c.board->whole = 0;
	m = make(b);
	assert_number(m, "schema", 1);
	assert_text(m, "tracer", TRACER_VERSION);
	assert_text(m, "id", b->own.state.id);
	assert_text(m, "bundle", "quiet-box-now-ABCD");
	assert_text(m, "ended_by", "condition");
	assert_true(json_is_false(member(m, "whole")));
	assert_text(m, "stop.condition", "gone");
	assert_text(m, "stop.at", "r.lua:5");
	assert_number(m, "stop.tier", 2);
	assert_number(m, "stop.event.boot", 1500);
	assert_number(m, "stop.event.wall", 6000000001500);
	assert_text(m, "stop.event.utc", "1970-01-01T01:40:00.000001500Z");
	assert_number(m, "stop.cut.boot", 1700);
	assert_true(json_is_false(member(m, "stop.certain")));
	assert_number(m, "stop.cpu", 3);
	assert_number(m, "stop.pid", 42);
	assert_text(m, "stop.comm", "task");
	assert_text(m, "stop.text", "sched:sched_switch prev_pid=1");
	assert_number(m, "started.boot", 1050);
	assert_text(m, "recipe.name", "quiet");
	assert_text(m, "recipe.plan_sha256", b->own.c.plan->sha256);
	assert_text(m, "recipe.args.ip", "10.0.0.5");
	assert_text(m, "recipe.arguments.0", "ip=10.0.0.5");
	assert_text(m, "host.hostname", "box");
	assert_number(m, "clocks.anchors.0.printk", 3);
	assert_number(m, "clocks.anchors.1.wall", 6000000002000);
	assert_int_equal(json_array_size(member(m, "clocks.anchors")), 2);
}

static void it_tells_what_became_of_each_source(void **state)
{
	struct bench *b = *state;
	const json_t *m;

	decide(b, &(struct stop_record) { .by = STOP_USER,
					  .event = 1,
					  .cut = 1,
					  .pid = -1,
					  .cpu = UINT32_MAX,
					  .text = "enough" });
	report_hole(&b->reports[1], "cpu 1", 1200, 1300, 5);
	report_hole(&b->reports[1], "seam", 1400, 1500, 0);
	m = make(b);
	assert_text(m, "ended_by", "user");
	assert_null(json_object_get(member(m, "stop"), "condition"));
	assert_null(json_object_get(member(m, "stop"), "pid"));
	assert_null(json_object_get(member(m, "stop"), "cpu"));
	assert_text(m, "sources.0.name", "kernel");
	assert_text(m, "sources.0.type", "log");
	assert_text(m, "sources.0.outcome", "ok");
	assert_number(m, "sources.0.records", 7);
	assert_number(m, "sources.0.bytes", 700);
	assert_number(m, "sources.0.wanted.bytes", 65536);
	assert_number(m, "sources.0.got.from", 1100);
	assert_number(m, "sources.0.got.to", 1900);
	assert_null(json_object_get(member(m, "sources.0"), "note"));
	assert_text(m, "sources.1.outcome", "partial");
	assert_text(m, "sources.1.note", "cut short");
	assert_number(m, "sources.1.wanted.ns", 5 * NS_PER_S);
	assert_number(m, "sources.1.overwritten", 3);
	assert_number(m, "sources.1.lost", 5);
	assert_text(m, "sources.1.holes.0.what", "cpu 1");
	assert_number(m, "sources.1.holes.0.count", 5);
	assert_number(m, "sources.1.holes.1.from", 1400);
	assert_int_equal(json_array_size(member(m, "sources.1.holes")), 2);
}

static void what_is_written_is_read_again(void **state)
{
	struct bench *b = *state;
	json_t *again;
	struct err e = ERR_INIT;

	decide(b, &(struct stop_record) { .by = STOP_USER, .pid = -1, .text = "enough" });
	make(b);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(manifest_write(b->json, b->own.out, &e), 0);
		assert_int_equal(manifest_read(&again, b->own.out, &e), 0);
		assert_true(json_equal(b->json, again));
		json_decref(again);
		/* what a killed one has left half written */
		assert_int_equal(io_create_file(b->own.out, "manifest.json.new", "{", 1, &e), 0);
	}
}

static void what_is_no_manifest_is_refused(void **state)
{
	static const char *const texts[] = {
		"", "{", "[]", "{}", "{\"schema\":2}", "{\"schema\":\"1\"}", "1", "{\"schema\":1} x"
	};
	struct bench *b = *state;
	json_t *json;
	struct err e = ERR_INIT;

	assert_int_equal(manifest_read(&json, b->own.out, &e), -ENOENT);
	for (size_t i = 0; i < countof(texts); i++) {
		assert_int_equal(
			io_create_file(b->own.out, "manifest.json", texts[i], strlen(texts[i]), &e),
			0);
		assert_true(manifest_read(&json, b->own.out, &e) < 0);
		assert_non_null(strstr(e.text, "not a manifest"));
		unlinkat(b->own.out, "manifest.json", 0);
	}
}

/* Whoever reads meanwhile sees the old one or the new one. */
static void it_is_replaced_at_once(void **state)
{
	struct bench *b = *state;
	autojson json_t *small = json_pack("{s:i}", "schema", 1),
			*large = json_pack("{s:i, s:o}", "schema", 1, "files", json_array());
	struct err e = ERR_INIT;
	int status;
	pid_t pid;

	for (int i = 0; i < 2000; i++)
		json_array_append_new(json_object_get(large, "files"),
				      json_string("a file with a longer name"));
	assert_int_equal(manifest_write(small, b->own.out, &e), 0);
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < 300; i++) {
			json_t *json;

			if (manifest_read(&json, b->own.out, &e) < 0)
				_exit(1);
			json_decref(json);
		}
		_exit(0);
	}
	for (int i = 0; waitpid(pid, &status, WNOHANG) == 0; i++)
		assert_int_equal(manifest_write(i % 2 ? small : large, b->own.out, &e), 0);
	assert_int_equal(status, 0);
}

static void make_file(const struct bench *b, const char *path, size_t size)
{
	autofree char *data = malloc(size + 1);
	struct err e = ERR_INIT;

	for (size_t i = 0; i < size; i++)
		data[i] = i * 7 + i / 251;
	if (io_create_file(b->own.out, path, data, size, &e) < 0)
		fail_msg("%s", e.text);
}

/* The hash of each file, as coreutils see it. */
static void assert_hashes(const struct bench *b, const json_t *files)
{
	autofree char *command = NULL;
	char line[300], hash[65], path[200];
	FILE *out;
	size_t n = 0;

	/* a directory comes where its name does */
	assert_true(asprintf(&command,
			     "cd %s/out && find . -type f ! -name manifest.json | tr / '\\001' | "
			     "LC_ALL=C sort |"
			     " tr '\\001' / | sed 's|^./||' | xargs -d '\\n' sha256sum",
			     b->own.dir.path) > 0);
	out = popen(command, "re");
	while (fgets(line, sizeof(line), out)) {
		const json_t *file = json_array_get(files, n++);

		assert_int_equal(sscanf(line, "%64s %199[^\n]", hash, path), 2);
		assert_string_equal(manifest_text(file, "path"), path);
		assert_string_equal(manifest_text(file, "sha256"), hash);
	}
	assert_int_equal(pclose(out), 0);
	assert_int_equal(json_array_size(files), n);
}

static void each_file_stands_in_it_with_its_hash(void **state)
{
	struct bench *b = *state;
	autojson json_t *json = json_object();
	struct err e = ERR_INIT;

	assert_int_equal(io_make_dirs(b->own.out, "files/stop/etc", &e), 0);
	make_file(b, "summary.txt", 0);
	make_file(b, "manifest.json", 10);
	make_file(b, "files/stop/etc/a name with spaces", 65536);
	make_file(b, "files.txt", 200001);
	make_file(b, "files/\u00fcber", 1);
	assert_int_equal(symlinkat("/etc/passwd", b->own.out, "link"), 0);
	assert_int_equal(manifest_add_files(json, b->own.out, &e), 0);
	assert_text(json, "files.2.path", "files.txt");
	assert_number(json, "files.2.size", 200001);
	assert_hashes(b, json_object_get(json, "files"));
	/* again: no file twice */
	assert_int_equal(manifest_add_files(json, b->own.out, &e), 0);
	assert_hashes(b, json_object_get(json, "files"));
}

/* Names of tasks and files are any bytes. */
static void bytes_that_are_no_text_lose_nothing_else(void **state)
{
	struct bench *b = *state;
	struct err e = ERR_INIT;
	const json_t *m;

	decide(b, &(struct stop_record) {
			  .by = STOP_CONDITION,
			  .event = 1500,
			  .cut = 1500,
			  .pid = 42,
			  .comm = "t\xffk",
			  .text = "sched:sched_switch prev_comm=\xff\xfe next_pid=7" });
	snprintf(b->reports[1].note, sizeof(b->reports[1].note), "cannot read '/tmp/\xff'");
	report_hole(&b->reports[1], "if \xff", 1, 2, 3);
	m = make(b);
	assert_non_null(strstr(json_string_value(member(m, "stop.text")), "next_pid=7"));
	assert_number(m, "stop.event.boot", 1500);
	assert_number(m, "stop.pid", 42);
	assert_non_null(json_string_value(member(m, "stop.comm")));
	assert_non_null(
		strstr(json_string_value(member(m, "sources.1.note")), "cannot read '/tmp/"));
	assert_number(m, "sources.1.holes.0.count", 3);
	make_file(b, "log-\xff", 5);
	assert_int_equal(manifest_add_files(b->json, b->own.out, &e), 0);
	assert_number(m, "files.0.size", 5);
}

#define MANIFEST_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MANIFEST_TEST(it_tells_what_fired_when_and_where),
		MANIFEST_TEST(it_tells_what_became_of_each_source),
		MANIFEST_TEST(what_is_written_is_read_again),
		MANIFEST_TEST(what_is_no_manifest_is_refused),
		MANIFEST_TEST(it_is_replaced_at_once),
		MANIFEST_TEST(each_file_stands_in_it_with_its_hash),
		MANIFEST_TEST(bytes_that_are_no_text_lose_nothing_else),
	};

	return cmocka_run_group_tests_name("manifest", tests, NULL, NULL);
}
