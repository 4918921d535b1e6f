#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/units.h"
#include "owncapture.h"
#include "plan/plan.h"

#define LOG "{'type':'log','name':'kernel','at':'r.lua:2','log':'kernel'}"
#define EVENT "{'type':'event','name':'gone','at':'r.lua:3','event':'sched:sched_switch'}"

/* A plan is these, with one of them written otherwise, or left out where it is "". */
struct words {
	const char *schema, *name, *max_time, *collect, *stop;
};

static const struct words good = { "'schema':1,", "'name':'quiet-side.v1_2',",
				   "'max_time':5000000000,", LOG, EVENT };

static char *plan_text(const struct words *w)
{
	autofree char *text = NULL;

	assert_true(asprintf(&text, "{%s%s%s'question':'Who?','post':7,'collect':[%s],'stop':[%s]}",
			     w->schema, w->name, w->max_time, w->collect, w->stop) > 0);
	return own_json(text);
}

static void refuse(const struct words *w, const char *why)
{
	autofree char *text = plan_text(w);
	struct err e = ERR_INIT;
	struct plan *plan = NULL;

	if (plan_parse(&plan, text, &e) == 0)
		fail_msg("taken: %s", text);
	assert_null(plan);
	assert_int_equal(e.exit, EXIT_USAGE);
	if (!strstr(e.text, why))
		fail_msg("'%s' is not in '%s'", why, e.text);
}

static void a_good_plan_is_taken(void **state)
{
	autofree char *text = plan_text(&good);
	struct err e = ERR_INIT;
	struct plan *plan;

	(void)state;
	if (plan_parse(&plan, text, &e) < 0)
		fail_msg("%s", e.text);
	assert_string_equal(plan->name, "quiet-side.v1_2");
	assert_string_equal(plan->question, "Who?");
	assert_int_equal(plan->post, 7);
	assert_int_equal(plan->max_time, 5 * NS_PER_S);
	assert_int_equal(plan->n_sources, 2); /* and what the condition looks at */
	assert_ptr_equal(plan->sources[1].ops, &watched_source);
	assert_string_equal(plan->sources[1].name, "watched-events");
	assert_ptr_equal(plan->sources[0].ops, &log_source);
	assert_string_equal(plan->sources[0].name, "kernel");
	assert_string_equal(plan->sources[0].at, "r.lua:2");
	assert_int_equal(plan->n_conditions, 1);
	assert_string_equal(plan->conditions[0].name, "gone");
	assert_int_equal(plan->conditions[0].hits, 1);
	assert_int_equal(plan->probes.n, 0);
	plan_free(plan);
	plan_free(NULL);
}

static void the_hash_is_that_of_the_text(void **state)
{
	struct err e = ERR_INIT;
	struct plan *plan;

	(void)state;
	/* printf '%s' '...' | sha256sum */
	assert_int_equal(
		plan_parse(
			&plan,
			"{\"collect\":[],\"max_time\":1,\"name\":\"x\",\"schema\":1,\"stop\":[]}",
			&e),
		0);
	assert_string_equal(plan->sha256,
			    "e01be2e323e6edd74ea3a5cb52836b4f8ca2ce36ebcbe0a230dcc9396c335a83");
	plan_free(plan);
}

static void what_is_no_json_is_refused(void **state)
{
	static const char *const texts[] = { "",
					     "{",
					     "[]",
					     "1",
					     "null",
					     "{\"schema\":1,}",
					     "{\"schema\":1} {}",
					     "{\"schema\":1,\"schema\":1}",
					     "{\"name\":\"\xff\"}" };

	(void)state;
	for (size_t i = 0; i < countof(texts); i++) {
		struct err e = ERR_INIT;
		struct plan *plan;

		assert_true(plan_parse(&plan, texts[i], &e) < 0);
		assert_int_equal(e.exit, EXIT_USAGE);
		assert_true(*e.text);
	}
}

static void each_member_is_needed_and_has_its_type(void **state)
{
	static const struct {
		size_t at;
		const char *text, *why;
	} rows[] = {
		{ offsetof(struct words, schema), "", "schema" },
		{ offsetof(struct words, schema), "'schema':2,", "schema" },
		{ offsetof(struct words, schema), "'schema':'1',", "schema" },
		{ offsetof(struct words, schema), "'schema':1,'schema':1,", "duplicate" },
		{ offsetof(struct words, name), "", "no name" },
		{ offsetof(struct words, name), "'name':5,", "no name" },
		{ offsetof(struct words, max_time), "", "no time limit" },
		{ offsetof(struct words, max_time), "'max_time':0,", "no time limit" },
		{ offsetof(struct words, max_time), "'max_time':'5s',", "is no time" },
		{ offsetof(struct words, max_time), "'max_time':-1,", "is no time" },
		{ offsetof(struct words, max_time), "'max_time':9000000000000000000,",
		  "is no time" },
		{ offsetof(struct words, collect), LOG "," LOG, "'kernel' is taken by r.lua:2" },
		{ offsetof(struct words, stop),
		  "{'type':'event','name':'x','at':'r.lua:3','event':'a:b','filter':1}",
		  "no text" },
		{ offsetof(struct words, stop),
		  "{'type':'event','name':'x','at':'r.lua:3','event':'a:b','hits':'3'}",
		  "no number" },
		{ offsetof(struct words, stop),
		  "{'type':'event','name':'x','at':'r.lua:3','event':'a:b','within':-1}",
		  "no number" },
		{ offsetof(struct words, collect), "5", "good name" },
		{ offsetof(struct words, collect), "{'type':'log','at':'r.lua:2','log':'kernel'}",
		  "good name" },
		{ offsetof(struct words, collect), "{'type':'log','name':'kernel','log':'kernel'}",
		  "good name" },
		{ offsetof(struct words, collect),
		  "{'type':'log','name':[],'at':'r.lua:2','log':'kernel'}", "good name" },
		{ offsetof(struct words, collect),
		  "{'name':'kernel','at':'r.lua:2','log':'kernel'}", "unknown type ''" },
		{ offsetof(struct words, collect), "{'type':'lgo','name':'x','at':'r.lua:2'}",
		  "unknown type 'lgo'" },
		{ offsetof(struct words, collect), "{'type':1,'name':'x','at':'r.lua:2'}",
		  "unknown type ''" },
		{ offsetof(struct words, collect),
		  "{'type':'log','name':'x','at':'r.lua:2','log':'x'}", "r.lua:2: 'x' is not the kernel's log" },
		{ offsetof(struct words, collect),
		  LOG ",{'type':'ftrace','name':'x','at':'r.lua:7','keep':65536}",
		  "r.lua:7: t.ftrace has no events" },
		{ offsetof(struct words, stop), "{'type':'event','at':'r.lua:3','event':'a:b'}",
		  "stop condition" },
		{ offsetof(struct words, stop), "{'type':'event','name':'x','event':'a:b'}",
		  "stop condition" },
		{ offsetof(struct words, stop), "{'type':'evnet','name':'x','at':'r.lua:3'}",
		  "unknown type 'evnet'" },
		{ offsetof(struct words, stop), "null", "unknown type ''" },
		{ offsetof(struct words, stop),
		  EVENT ",{'type':'line','name':'x','at':'r.lua:8','log':'kernel'}",
		  "r.lua:8: a line is found by" },
		{ offsetof(struct words, stop),
		  "{'type':'event','name':'x','at':'r.lua:3','event':'kprobe:a b'}",
		  "white space" },
	};

	(void)state;
	for (size_t i = 0; i < countof(rows); i++) {
		struct words w = good;

		*(const char **)((char *)&w + rows[i].at) = rows[i].text;
		refuse(&w, rows[i].why);
	}
}

/* Names become names of files. */
static void names_lead_nowhere_else(void **state)
{
	static const char *const names[] = {
		"",
		".",
		"..",
		".x",
		"../x",
		"a/b",
		"/x",
		"a b",
		"a\\n",
		"a\\u0000b",
		"\u00fc",
		"a*",
		"a:b",
		"a%",
		"0123456789012345678901234567890123456789012345678901234567890123x",
	};

	(void)state;
	for (size_t i = 0; i < countof(names); i++) {
		autofree char *name = NULL, *source = NULL;
		struct words plan = good, part = good;

		assert_true(asprintf(&name, "'name':'%s',", names[i]) > 0);
		assert_true(asprintf(&source,
				     "{'type':'log','name':'%s','at':'r.lua:2','log':'kernel'}",
				     names[i]) > 0);
		plan.name = name;
		part.collect = source;
		refuse(&plan, strstr(names[i], "\\u0000") ? "no JSON" : "no name");
		refuse(&part, strstr(names[i], "\\u0000") ? "no JSON" : "good name");
	}
}

static void times_are_times_and_lists_are_lists(void **state)
{
	static const char *const texts[][2] = {
		{ "{'schema':1,'name':'x','max_time':1,'post':-1,'collect':[],'stop':[]}",
		  "'post' of the plan is no time" },
		{ "{'schema':1,'name':'x','max_time':1,'post':'1s','collect':[],'stop':[]}",
		  "'post' of the plan is no time" },
		{ "{'schema':1,'name':'x','max_time':1,'stop':[]}", "no list 'collect'" },
		{ "{'schema':1,'name':'x','max_time':1,'collect':{},'stop':[]}",
		  "no list 'collect'" },
		{ "{'schema':1,'name':'x','max_time':1,'collect':[],'stop':'x'}",
		  "no list 'stop'" },
	};

	(void)state;
	for (size_t i = 0; i < countof(texts); i++) {
		autofree char *text = own_json(texts[i][0]);
		struct err e = ERR_INIT;
		struct plan *plan;

		assert_true(plan_parse(&plan, text, &e) < 0);
		if (!strstr(e.text, texts[i][1]))
			fail_msg("'%s' is not in '%s'", texts[i][1], e.text);
	}
}

/* The board has so many places. */
static void more_than_the_board_has_room_for_is_refused(void **state)
{
	(void)state;
	for (size_t n = BOARD_MAX - STREAMS; n <= BOARD_MAX + 1; n++) {
		char collect[8192] = "", stop[8192] = "";
		struct words many_sources = good, many_conditions = good;

		for (size_t i = 0; i < n; i++) {
			snprintf(collect + strlen(collect), 100,
				 "%s{'type':'log','name':'x%zu','at':'r.lua:2','log':'kernel'}",
				 i ? "," : "", i);
			snprintf(stop + strlen(stop), 100, "%s" EVENT, i ? "," : "");
		}
		many_sources.collect = collect;
		many_conditions.stop = stop;
		if (n > BOARD_MAX)
			refuse(&many_conditions, "at most 64 stop conditions");
		if (n > BOARD_MAX - STREAMS) {
			refuse(&many_sources, "at most 61 things");
		} else {
			autofree char *text = plan_text(&many_sources);
			struct err e = ERR_INIT;
			struct plan *plan;

			assert_int_equal(plan_parse(&plan, text, &e), 0);
			plan_free(plan);
		}
	}
}

static void the_longest_name_is_taken(void **state)
{
	struct words w = good;
	struct err e = ERR_INIT;
	autofree char *text = NULL;
	struct plan *plan;

	(void)state;
	w.name = "'name':'0123456789012345678901234567890123456789012345678901234567890123',";
	text = plan_text(&w);
	assert_int_equal(plan_parse(&plan, text, &e), 0);
	plan_free(plan);
}

/* An event that a probe makes stands in the plan's list once, wherever it is named. */
static void sources_and_conditions_share_probes(void **state)
{
	struct words w = good;
	struct err e = ERR_INIT;
	autofree char *text = NULL;
	struct plan *plan;

	(void)state;
	w.collect = "{'type':'ftrace','name':'x','at':'r.lua:2','keep':65536,'events':[{'event':'"
		    "kprobe:f'}]}";
	w.stop = "{'type':'event','name':'gone','at':'r.lua:3','event':'kprobe:f'}," EVENT;
	text = plan_text(&w);
	if (plan_parse(&plan, text, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(plan->probes.n, 1);
	assert_ptr_equal(plan->sources[0].probes, &plan->probes);
	assert_ptr_equal(plan->conditions[0].selectors[0].probe, &plan->probes.list[0]);
	assert_null(plan->conditions[1].selectors[0].probe);
	plan_free(plan);
}

/* Cut off at each byte: never a crash, never a leak, never taken. */
static void a_plan_that_is_cut_short_is_refused(void **state)
{
	autofree char *text = plan_text(&good);

	(void)state;
	for (size_t size = strlen(text) - 1; size; size--) {
		struct err e = ERR_INIT;
		struct plan *plan;

		text[size] = '\0';
		assert_true(plan_parse(&plan, text, &e) < 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_plan_is_taken),
		cmocka_unit_test(the_hash_is_that_of_the_text),
		cmocka_unit_test(what_is_no_json_is_refused),
		cmocka_unit_test(each_member_is_needed_and_has_its_type),
		cmocka_unit_test(names_lead_nowhere_else),
		cmocka_unit_test(times_are_times_and_lists_are_lists),
		cmocka_unit_test(more_than_the_board_has_room_for_is_refused),
		cmocka_unit_test(the_longest_name_is_taken),
		cmocka_unit_test(sources_and_conditions_share_probes),
		cmocka_unit_test(a_plan_that_is_cut_short_is_refused),
	};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
