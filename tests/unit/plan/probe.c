/* Real user probes on the test's own binary, in a group of its own. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/auto.h"
#include "base/io.h"
#include "capture/capture.h"
#include "plan/plan.h"
#include "plan/probe.h"
#include "scratch.h"

#if defined(__x86_64__)
#define FIRST "%di"
#elif defined(__aarch64__)
#define FIRST "%x0"
#else
#error "which register holds the first argument?"
#endif

int probe_test_called(int n);

__attribute__((noinline)) int probe_test_called(int n)
{
	__asm__ volatile("nop # called" : "+r"(n));
	return n;
}

/* What a capture is to probes. */
struct fixture {
	char self[4096];
	struct scratch dir;
	struct state state;
	struct plan plan;
	struct capture c;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err e = ERR_INIT;

	*state = f;
	if (!f || readlink("/proc/self/exe", f->self, sizeof(f->self) - 1) < 0)
		return -1;
	scratch_open(&f->dir);
	snprintf(f->state.id, sizeof(f->state.id), "probetest_%d", getpid());
	f->state.fd = f->dir.fd;
	f->c = (struct capture) { .plan = &f->plan, .state = &f->state };
	return tracing_open(&f->c.tracing, &e) < 0 || ledger_open(&f->c.ledger, f->state.fd, &e) < 0
		       ? -1
		       : 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	struct err e = ERR_INIT;

	if (ledger_undo(f->c.ledger, f->c.tracing, &e) < 0)
		print_error("%s\n", e.text);
	ledger_close(f->c.ledger);
	tracing_close(f->c.tracing);
	probes_free(&f->plan.probes);
	json_decref(f->plan.json);
	scratch_close(&f->dir);
	free(f);
	return e.code ? -1 : 0;
}

/* Events as a plan has them in `collect` or in `stop`: JSON without the quotes' noise. */
static json_t *json_of(const char *text)
{
	autofree char *quoted = strdup(text);
	json_error_t where;
	json_t *json;

	for (char *c = quoted; *c; c++)
		if (*c == '\'')
			*c = '"';
	json = json_loads(quoted, 0, &where);
	if (!json)
		fail_msg("%s: %s", text, where.text);
	return json;
}

static int collect(struct fixture *f, const char *events, const char *stop, struct err *e)
{
	probes_free(&f->plan.probes);
	json_decref(f->plan.json);
	f->plan.json = json_pack("{s:[{s:o}], s:o}", "collect", "events", json_of(events), "stop",
				 json_of(stop));
	assert_non_null(f->plan.json);
	return probes_collect(&f->plan.probes, f->plan.json, e);
}

/* One event on a function of this binary, with what else its entry has. */
static struct probe *own(struct fixture *f, const char *symbol, const char *rest)
{
	autofree char *events = NULL;
	struct err e = ERR_INIT;

	assert_true(asprintf(&events, "[{'event': 'uprobe:%s:%s'%s}]", f->self, symbol, rest) > 0);
	if (collect(f, events, "[]", &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(f->plan.probes.n, 1);
	return f->plan.probes.list;
}

static void looks(struct fixture *f, struct probe *probe)
{
	struct err e = ERR_INIT;
	struct format *format;

	if (probe_format(probe, f->c.tracing, &format, &e) < 0)
		fail_msg("%s", e.text);
	assert_null(format);
}

/* The kernel's list of user probes has that text. */
static bool kernel_has(struct fixture *f, const char *text)
{
	struct err e = ERR_INIT;
	char *list;
	bool has;

	if (io_read_file(tracing_fd(f->c.tracing), "uprobe_events", 1 << 20, &list, NULL, &e) < 0)
		fail_msg("%s", e.text);
	has = strstr(list, text) != NULL;
	free(list);
	return has;
}

static void need_uprobes(struct fixture *f)
{
	if (faccessat(tracing_fd(f->c.tracing), "uprobe_events", F_OK, 0) < 0)
		skip();
}

static void names_are_told_by_the_plan_and_unique(void **state)
{
	static const char *const names[] = { "f",   "f_2",      "f_3",    "_Zli2",
					     "_0f", "filter_2", "f_v_1_2" };
	struct fixture *f = *state;
	struct err e = ERR_INIT;

	assert_int_equal(collect(f,
				 "[{'event': 'sched:sched_switch'}, {'event': 'kprobe:f'}, "
				 "{'event': 'uprobe:/b:f'},"
				 " {'event': 'kprobe:f', 'fetch': []}, {'event': 'uprobe:/b:c:f'}]",
				 "[{'event': 'kprobe:f'}, {'event': 'kprobe:.Zli2'}, {'event': "
				 "'kprobe:10f'},"
				 " {'event': 'uprobe:/b:filter'}, {'event': 'uprobe:/b:f@v.1+2'}]",
				 &e),
			 0);
	assert_int_equal(f->plan.probes.n, 7);
	for (size_t i = 0; i < 7; i++)
		if (i != 4)
			assert_string_equal(f->plan.probes.list[i].name, names[i]);
	assert_true(f->plan.probes.list[4].name[0] == '_');
}

static void an_entry_finds_its_probe_by_event_and_fetch(void **state)
{
	struct fixture *f = *state;
	autojson json_t *with = json_of("{'event': 'kprobe:f', 'fetch': ['a=%di:u64']}");
	autojson json_t *without = json_of("{'event': 'kprobe:f'}");
	autojson json_t *other = json_of("{'event': 'kprobe:f', 'fetch': ['b=%di:u64']}");
	autojson json_t *point = json_of("{'event': 'sched:sched_switch'}");
	struct err e = ERR_INIT;

	assert_int_equal(
		collect(f, "[{'event': 'kprobe:f', 'fetch': ['a=%di:u64']}, {'event': 'kprobe:f'}]",
			"[{'event': 'kprobe:f', 'fetch': ['a=%di:u64']}]", &e),
		0);
	assert_int_equal(f->plan.probes.n, 2);
	assert_ptr_equal(probes_find(&f->plan.probes, with), &f->plan.probes.list[0]);
	assert_ptr_equal(probes_find(&f->plan.probes, without), &f->plan.probes.list[1]);
	assert_null(probes_find(&f->plan.probes, other));
	assert_null(probes_find(&f->plan.probes, point));
}

static void a_probe_is_optional_only_if_nobody_needs_it(void **state)
{
	struct fixture *f = *state;
	struct err e = ERR_INIT;

	assert_int_equal(collect(f,
				 "[{'event': 'kprobe:f', 'optional': true}, {'event': 'kprobe:g', "
				 "'optional': true}]",
				 "[{'event': 'kprobe:g'}]", &e),
			 0);
	assert_true(f->plan.probes.list[0].optional);
	assert_false(f->plan.probes.list[1].optional);
}

static void words_that_the_kernel_would_read_otherwise_are_refused(void **state)
{
	static const char *const bad[][2] = {
		{ "[{'event': 'uprobe:/a b:f', 'at': 'r.lua:3'}]",
		  "r.lua:3: 'uprobe:/a b:f': the kernel takes" },
		{ "[{'event': 'uprobe:/a#b:f'}]", "white space or '#'" },
		{ "[{'event': 'kprobe:f\\n-:others'}]", "white space or '#'" },
		{ "[{'event': 'kprobe:'}]", "white space or '#'" },
		{ "[{'event': 'uprobe:/bin/sh'}]", "uprobe:/PATH:SYMBOL" },
		{ "[{'event': 'uprobe:sh:f'}]", "uprobe:/PATH:SYMBOL" },
		{ "[{'event': 'kprobe:f', 'fetch': ['a=%di b=%si']}]", "NAME=WHERE:TYPE" },
		{ "[{'event': 'kprobe:f', 'fetch': ['a=%di\\n-:x']}]", "NAME=WHERE:TYPE" },
		{ "[{'event': 'kprobe:f', 'fetch': [7]}]", "NAME=WHERE:TYPE" },
		{ "[{'event': 'kprobe:f', 'fetch': ['']}]", "NAME=WHERE:TYPE" },
	};

	for (size_t i = 0; i < countof(bad); i++) {
		struct err e = ERR_INIT;

		assert_int_not_equal(collect(*state, bad[i][0], "[]", &e), 0);
		if (!strstr(e.text, bad[i][1]))
			fail_msg("'%s' is not in '%s'", bad[i][1], e.text);
	}
}

static void looking_makes_nothing(void **state)
{
	struct fixture *f = *state;
	struct probe *probe = own(f, "probe_test_called", "");

	need_uprobes(f);
	looks(f, probe);
	assert_int_equal(probe->state, PROBE_FOUND);
	assert_int_not_equal(probe->offset, 0);
	assert_false(kernel_has(f, f->state.id));
}

static void looks_in_vain(struct fixture *f, const char *event, const char *words)
{
	autofree char *events = NULL;
	struct err e = ERR_INIT;
	struct format *format;

	assert_true(asprintf(&events, "[{'event': '%s'}]", event) > 0);
	assert_int_equal(collect(f, events, "[]", &e), 0);
	assert_int_not_equal(probe_format(f->plan.probes.list, f->c.tracing, &format, &e), 0);
	assert_int_equal(e.exit, EXIT_HOST);
	if (!strstr(e.text, words))
		fail_msg("'%s' is not in '%s'", words, e.text);
}

static void a_missing_function_is_named(void **state)
{
	struct fixture *f = *state;
	autofree char *near = NULL;

	need_uprobes(f);
	assert_true(asprintf(&near, "uprobe:%s:probe_test_caled", f->self) > 0);
	looks_in_vain(f, near, "did you mean 'probe_test_called'?");
	looks_in_vain(f, "uprobe:/nowhere/at/all:f", "cannot open '/nowhere/at/all'");
	looks_in_vain(f, "uprobe:/dev/null:f", "'/dev/null' is no regular file");
	looks_in_vain(f, "uprobe:/proc/self/maps:f", "no ELF file");
}

static void a_function_of_the_kernel_needs_kprobes(void **state)
{
	struct fixture *f = *state;

	if (faccessat(tracing_fd(f->c.tracing), "kprobe_events", F_OK, 0) < 0)
		looks_in_vain(f, "kprobe:vfs_read", "this kernel has no kprobes");
	else
		looks_in_vain(f, "kprobe:vfs_rea", "did you mean 'vfs_read'?");
}

static int make(struct capture *c, struct err *e)
{
	return probes_make(&c->plan->probes, c->state->id, c->ledger, c->tracing, e);
}

static void a_probe_is_made_recorded_adopted_and_undone(void **state)
{
	struct fixture *f = *state;
	struct probe *probe = own(f, "probe_test_called", ", 'fetch': ['n=" FIRST ":s32']");
	autofree char *ledger = NULL, *line = NULL;
	struct err e = ERR_INIT;
	struct format *format;

	need_uprobes(f);
	looks(f, probe);
	if (make(&f->c, &e) < 0)
		fail_msg("%s", e.text);
	assert_true(asprintf(&line, "probe tracer_%s probe_test_called\n", f->state.id) > 0);
	assert_int_equal(io_read_file(f->state.fd, "ledger", 4096, &ledger, NULL, &e), 0);
	assert_string_equal(ledger, line);
	assert_int_equal(probe_format(probe, f->c.tracing, &format, &e), 0);
	assert_non_null(format_field(format, "n"));
	format_free(format);

	probe->state = PROBE_WANTED;
	probes_adopt(&f->plan.probes, f->state.id, f->c.tracing);
	assert_int_equal(probe->state, PROBE_MADE);
	if (ledger_undo(f->c.ledger, f->c.tracing, &e) < 0)
		fail_msg("%s", e.text);
	assert_false(kernel_has(f, f->state.id));
	probes_adopt(&f->plan.probes, f->state.id, f->c.tracing);
	assert_int_equal(probe->state, PROBE_ABSENT);
	assert_int_not_equal(probe_format(probe, f->c.tracing, &format, &e), 0);
	assert_int_equal(e.exit, EXIT_HOST);
}

static void what_the_kernel_refuses_is_said_in_its_words(void **state)
{
	struct fixture *f = *state;
	struct err e = ERR_INIT;

	need_uprobes(f);
	looks(f, own(f, "probe_test_called", ", 'fetch': ['n=%nosuch:s32']"));
	assert_int_not_equal(make(&f->c, &e), 0);
	assert_int_equal(e.exit, EXIT_HOST);
	if (!strstr(e.text, "Invalid argument (the kernel says: "))
		fail_msg("%s", e.text);
	assert_int_equal(ledger_undo(f->c.ledger, f->c.tracing, &e), 0);
}

static void an_optional_probe_that_the_kernel_refuses_is_left_out(void **state)
{
	struct fixture *f = *state;
	struct probe *probe =
		own(f, "probe_test_called", ", 'optional': true, 'fetch': ['n=%nosuch:s32']");
	struct err e = ERR_INIT;

	need_uprobes(f);
	looks(f, probe);
	assert_int_equal(make(&f->c, &e), 0);
	assert_int_equal(probe->state, PROBE_ABSENT);
}

static void the_probes_of_others_stay(void **state)
{
	struct fixture *f = *state;
	struct err e = ERR_INIT;
	struct fixture other = *f;

	need_uprobes(f);
	snprintf(other.state.id, sizeof(other.state.id), "probetest_%d_b", getpid());
	other.c.state = &other.state;
	looks(f, own(f, "probe_test_called", ""));
	assert_int_equal(make(&other.c, &e), 0);
	f->plan.probes.list->state = PROBE_FOUND;
	assert_int_equal(make(&f->c, &e), 0);
	assert_true(kernel_has(f, other.state.id)); /* both are in the ledger */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(names_are_told_by_the_plan_and_unique),
		TEST(an_entry_finds_its_probe_by_event_and_fetch),
		TEST(a_probe_is_optional_only_if_nobody_needs_it),
		TEST(words_that_the_kernel_would_read_otherwise_are_refused),
		TEST(looking_makes_nothing),
		TEST(a_missing_function_is_named),
		TEST(a_function_of_the_kernel_needs_kprobes),
		TEST(a_probe_is_made_recorded_adopted_and_undone),
		TEST(what_the_kernel_refuses_is_said_in_its_words),
		TEST(an_optional_probe_that_the_kernel_refuses_is_left_out),
		TEST(the_probes_of_others_stay),
	};

	if (geteuid() != 0) {
		puts("1..0 # SKIP needs root");
		return 0;
	}
	probe_test_called(1);
	return cmocka_run_group_tests_name("probe", tests, NULL, NULL);
}
