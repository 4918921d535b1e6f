/* Conditions before a judge, by a clock that the test sets: every order of arrival. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "judge.h"
#include "obligations.h"
#include "owncapture.h"
#include "units.h"

#define EVENT "'type':'event','at':'r.lua:1','event':'" OWN_EVENT "'"
#define START 1000

/* One condition and what became of it. */
struct bench {
	struct tracing *tracing;
	json_t *spec;
	struct condition c;
	struct judge *judge;
	struct progress progress;
	struct verdict fired[1000];
	size_t n;
};

static void note(void *arg, const struct verdict *verdict)
{
	struct bench *b = arg;

	assert_true(b->n < countof(b->fired));
	b->fired[b->n++] = *verdict;
}

static void begin(struct bench *b, const char *spec)
{
	autofree char *text = own_json(spec);
	struct err e = ERR_INIT;

	b->spec = json_loads(text, 0, NULL);
	if (!b->spec)
		fail_msg("no JSON: %s", text);
	if (condition_decode(&b->c, b->spec, 0, &e) < 0 ||
	    condition_probe(&b->c, b->tracing, &e) < 0 ||
	    judge_create(&b->judge, &b->c, 1, &b->progress, &e) < 0 ||
	    judge_begin(b->judge, START, START, note, b, &e) < 0)
		fail_msg("%s", e.text);
}

static void end(struct bench *b)
{
	judge_free(b->judge);
	condition_free(&b->c);
	json_decref(b->spec);
	b->judge = NULL;
	b->spec = NULL;
	b->n = 0;
	b->progress = (struct progress) { 0 };
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct err e = ERR_INIT;

	*state = b;
	return tracing_open(&b->tracing, &e);
}

static int teardown(void **state)
{
	struct bench *b = *state;

	end(b);
	tracing_close(b->tracing);
	free(b);
	return 0;
}

static void put(uint8_t *record, const struct format *format, const char *name, uint64_t value)
{
	const struct field *field = format_field(format, name);

	assert_non_null(field);
	memcpy(record + field->offset, &value, field->size);
}

/* A record of setpriority at TIME. */
static void see_by(struct bench *b, const struct selector *s, uint64_t time, uint64_t which,
		   uint64_t who)
{
	uint8_t record[128] = { 0 };
	struct observation o = {
		.time = time, .cpu = 1, .pid = 77, .data = record, .size = sizeof(record)
	};

	put(record, s->format, "which", which);
	put(record, s->format, "who", who);
	judge_see(b->judge, s, &o);
}

/* The same for selector PART of the condition. */
static void see(struct bench *b, unsigned part, uint64_t time, uint64_t which, uint64_t who)
{
	see_by(b, &b->c.selectors[part], time, which, who);
}

static void hits_count_within_a_sliding_time(void **state)
{
	struct bench *b = *state;

	begin(b, "{" EVENT ",'name':'c','hits':3,'within':100}");
	see(b, 0, 1000, 1, 0);
	see(b, 0, 1090, 1, 0);
	see(b, 0, 1101, 1, 0); /* the first is 101 old */
	assert_int_equal(b->n, 0);
	see(b, 0, 1190, 7, 8);
	assert_int_equal(b->n, 1);
	assert_int_equal(b->fired[0].time, 1190);
	assert_int_equal(b->fired[0].pid, 77);
	assert_int_equal(b->fired[0].cpu, 1);
	assert_non_null(strstr(b->fired[0].text, "which=7"));
	assert_int_equal(b->progress.seen, 4);
}

static void silence_counts_from_the_first_one_seen(void **state)
{
	struct bench *b = *state;

	begin(b, "{'type':'silence','name':'c','at':'r.lua:1','over':100,'of':{" EVENT "}}");
	judge_reach(b->judge, 5000);
	assert_int_equal(b->n, 0);
	assert_int_equal(judge_due(b->judge), UINT64_MAX);
	see(b, 0, 5000, 1, 0);
	see(b, 0, 5100, 1, 0); /* at the last moment */
	judge_reach(b->judge, 5101);
	assert_int_equal(judge_due(b->judge), 5200);
	judge_reach(b->judge, 5200);
	assert_int_equal(b->n, 0);
	judge_reach(b->judge, 5201);
	assert_int_equal(b->n, 1);
	assert_int_equal(b->fired[0].time, 5200);
	assert_false(b->fired[0].uncertain);
	judge_reach(b->judge, 9000);
	assert_int_equal(b->n, 1);
}

static void silence_can_count_from_the_start(void **state)
{
	struct bench *b = *state;

	begin(b,
	      "{'type':'silence','name':'c','at':'r.lua:1','over':100,'from':'start','of':{" EVENT
	      "}}");
	judge_reach(b->judge, START + 101);
	assert_int_equal(b->n, 1);
	assert_int_equal(b->fired[0].time, START + 100);
}

/* Seen by the next record alone, without anybody asking between. */
static void a_late_record_does_not_hide_a_silence(void **state)
{
	struct bench *b = *state;

	begin(b, "{'type':'silence','name':'c','at':'r.lua:1','over':100,'of':{" EVENT "}}");
	see(b, 0, 5000, 1, 0);
	see(b, 0, 5101, 1, 0);
	assert_int_equal(b->n, 1);
	assert_int_equal(b->fired[0].time, 5100);
}

#define EXPECT(rest)                                                                              \
	"{'type':'expect','name':'c','at':'r.lua:1','within':100,'on':{" EVENT "},'need':{" EVENT \
	"}" rest "}"
#define BY_WHO ",'key':[{'on':'who','need':'who'}]"

static void an_answer_in_time_is_one(void **state)
{
	struct bench *b = *state;

	begin(b, EXPECT(BY_WHO));
	see(b, 0, 2000, 1, 5);
	see(b, 0, 2010, 1, 6);
	see(b, 1, 2100, 1, 5); /* at the deadline */
	assert_int_equal(b->n, 0);
	see(b, 1, 2111, 1, 6); /* behind it */
	assert_int_equal(b->n, 1);
	assert_int_equal(b->fired[0].time, 2110);
	assert_non_null(strstr(b->fired[0].text, "who=6"));
	assert_int_equal(b->fired[0].pid, 77);
}

static void a_second_question_does_not_start_the_clock_again(void **state)
{
	struct bench *b = *state;

	begin(b, EXPECT(BY_WHO));
	see(b, 0, 2000, 1, 5);
	see(b, 0, 2090, 1, 5);
	assert_int_equal(judge_due(b->judge), 2100);
	judge_reach(b->judge, 2101);
	assert_int_equal(b->n, 1);
	assert_int_equal(b->fired[0].time, 2100);
}

static void an_answer_alone_is_nothing(void **state)
{
	struct bench *b = *state;

	begin(b, EXPECT(BY_WHO));
	see(b, 1, 2000, 1, 5);
	see(b, 0, 2001, 1, 5);
	judge_reach(b->judge, 2102);
	assert_int_equal(b->n, 1);
}

static void without_a_key_any_answer_will_do(void **state)
{
	struct bench *b = *state;

	begin(b, EXPECT(""));
	see(b, 0, 2000, 1, 5);
	see(b, 1, 2050, 9, 9);
	judge_reach(b->judge, 9000);
	assert_int_equal(b->n, 0);
}

static void keys_have_several_parts_of_different_names(void **state)
{
	struct bench *b = *state;

	begin(b, EXPECT(",'key':[{'on':'which','need':'who'},{'on':'who','need':'which'}]"));
	see(b, 0, 2000, 3, 4);
	see(b, 1, 2050, 3, 4);
	assert_int_equal(b->progress.seen, 0);
	judge_reach(b->judge, 2101);
	assert_int_equal(b->n, 1);
	assert_non_null(strstr(b->fired[0].text, "which=3 who=4"));
	see(b, 0, 3000, 3, 4);
	see(b, 1, 3050, 4, 3);
	judge_reach(b->judge, 9000);
	assert_int_equal(b->n, 1);
}

static void a_hole_makes_it_uncertain(void **state)
{
	struct bench *b = *state;

	begin(b, EXPECT(BY_WHO));
	judge_hole(b->judge, STREAM_EVENTS, 1500);
	see(b, 0, 2000, 1, 5);
	judge_reach(b->judge, 2101);
	assert_int_equal(b->n, 1);
	assert_false(b->fired[0].uncertain);
	see(b, 0, 3000, 1, 5);
	judge_hole(b->judge, STREAM_PACKETS, 3050); /* not its business */
	judge_reach(b->judge, 3101);
	assert_false(b->fired[1].uncertain);
	see(b, 0, 4000, 1, 5);
	judge_hole(b->judge, STREAM_EVENTS, 4050);
	judge_reach(b->judge, 4101);
	assert_int_equal(b->n, 3);
	assert_true(b->fired[2].uncertain);
}

static void a_wrong_key_names_the_nearest(void **state)
{
	struct bench *b = *state;
	autofree char *text = own_json(EXPECT(",'key':[{'on':'whoo','need':'who'}]"));
	struct err e = ERR_INIT;

	b->spec = json_loads(text, 0, NULL);
	assert_int_equal(condition_decode(&b->c, b->spec, 0, &e), 0);
	assert_true(condition_probe(&b->c, b->tracing, &e) < 0);
	assert_non_null(strstr(e.text, "did you mean 'who'"));
	assert_int_equal(e.exit, EXIT_USAGE);
}

/* The model: all questions and answers in a list, looked through from the start each time. */
#define KEYS 5
#define STEPS 200

struct model {
	uint64_t since[KEYS]; /* 0: nothing is owed */
	uint64_t fired[STEPS];
	size_t n;
};

static void model_reach(struct model *m, uint64_t now)
{
	for (;;) {
		int oldest = -1;

		for (int key = 0; key < KEYS; key++)
			if (m->since[key] && m->since[key] + 100 < now &&
			    (oldest < 0 || m->since[key] < m->since[oldest]))
				oldest = key;
		if (oldest < 0)
			return;
		m->fired[m->n++] = m->since[oldest] + 100;
		m->since[oldest] = 0;
	}
}

static void it_decides_like_its_model(void **state)
{
	struct bench *b = *state;

	for (unsigned seed = 1; seed <= 300; seed++) {
		struct model m = { 0 };
		uint64_t time = START;

		srand(seed);
		begin(b, EXPECT(BY_WHO));
		for (int i = 0; i < STEPS; i++) {
			int key = rand() % KEYS, what = rand() % 5;

			time += rand() % 40;
			model_reach(&m, time);
			if (what == 0)
				judge_reach(b->judge, time);
			else
				see(b, what % 2, time, 1, key);
			if (what && what % 2)
				m.since[key] = 0;
			else if (what && !m.since[key])
				m.since[key] = time;
		}
		model_reach(&m, time + 1000);
		judge_reach(b->judge, time + 1000);
		assert_int_equal(b->n, m.n);
		for (size_t i = 0; i < m.n; i++)
			assert_int_equal(b->fired[i].time, m.fired[i]);
		end(b);
	}
}

static struct key key_of(uint64_t number)
{
	const struct key_part part = { .width = 8 };
	struct key key = { 0 };

	key_add_number(&key, &part, number);
	return key;
}

/* In a stall of all, those that came first have to reach their deadline. */
static void there_is_no_room_for_more_than_so_many(void **state)
{
	struct obligations *o;
	struct err e = ERR_INIT;
	struct key key;

	(void)state;
	assert_int_equal(obligations_create(&o, 100, &e), 0);
	for (uint64_t i = 0; i < 10000; i++) {
		key = key_of(i);
		assert_int_equal(obligations_open(o, &key, i) != NULL, i < 100);
	}
	assert_int_equal(obligations_count(o), 100);
	assert_int_equal(obligations_dropped(o), 9900);
	assert_int_equal(obligations_oldest(o)->since, 0);
	key = key_of(50);
	assert_null(obligations_open(o, &key, 1));
	obligations_close(o, obligations_find(o, &key));
	assert_null(obligations_find(o, &key));
	for (int i = 0; i < 99; i++)
		obligations_close(o, obligations_oldest(o));
	assert_null(obligations_oldest(o));
	assert_int_equal(obligations_count(o), 0);
	for (int round = 0; round < 1000; round++) { /* and all of it is there again */
		key = key_of(round);
		obligations_close(o, obligations_open(o, &key, round));
	}
	obligations_free(o);
}

static void a_stall_of_all_fires(void **state)
{
	struct bench *b = *state;

	begin(b, EXPECT(BY_WHO));
	for (uint64_t i = 0; i < 70000; i++)
		see(b, 0, 2000 + i / 1000, 1, i);
	judge_reach(b->judge, 2101);
	assert_int_equal(b->n, 1000);
	assert_int_equal(b->fired[0].time, 2100);
}

/* Stamps of two CPUs may be a little out of order. */
static void a_record_that_is_late_is_taken_to_be_of_the_last_ones_time(void **state)
{
	struct bench *b = *state;

	begin(b, "{" EVENT ",'name':'c','hits':2,'within':100}");
	see(b, 0, 2000, 1, 0);
	see(b, 0, 1999, 1, 0);
	assert_int_equal(b->n, 1);
	assert_int_equal(b->fired[0].time, 2000);
}

static void what_is_armed_later_still_fires(void **state)
{
	struct bench *b = *state;

	begin(b, "{'type':'silence','name':'c','at':'r.lua:1','over':100,'arm_after':1000,'from':"
		 "'start','of':{" EVENT "}}");
	judge_reach(b->judge, START + 1000);
	assert_int_equal(b->n, 0);
	judge_reach(b->judge, START + 1001);
	assert_int_equal(b->n, 1);
	end(b);
	begin(b, "{'type':'rate','name':'c','at':'r.lua:1','per':100,'below':2,'arm_after':1000,"
		 "'of':{" EVENT "}}");
	judge_reach(b->judge, START + 1100);
	assert_int_equal(b->n, 0);
	judge_reach(b->judge, START + 1101);
	assert_int_equal(b->n, 1);
}

static void long_texts_are_told_apart(void **state)
{
	static const char *const texts[] = { "a name that is the same for a while, and then one",
					     "a name that is the same for a while, and then two" };
	struct key keys[3] = { 0 };
	const struct key_part parts[] = { { .name = "text" }, { .name = "n", .width = 8 } };
	char text[200];

	(void)state;
	for (int i = 0; i < 3; i++) {
		key_add_text(&keys[i], texts[i % 2], strlen(texts[i % 2]));
		key_add_number(&keys[i], &parts[1], 7);
	}
	assert_int_equal(keys[0].size, keys[1].size);
	assert_memory_not_equal(keys[0].data, keys[1].data, keys[0].size);
	assert_memory_equal(keys[0].data, keys[2].data, keys[0].size);
	key_print(&keys[0], parts, 2, text, sizeof(text));
	assert_string_equal(text, "text=a name that is... n=7");
}

static void what_can_never_be_the_same_is_no_key(void **state)
{
	struct bench *b = *state;
	autofree char *text = own_json(
		"{'type':'expect','name':'c','at':'r.lua:1','within':100,'on':{" EVENT
		"},'need':{'type':'event','at':'r.lua:1','event':'sched:sched_process_exit'},"
		"'key':[{'on':'who','need':'comm'}]}");
	struct err e = ERR_INIT;

	b->spec = json_loads(text, 0, NULL);
	assert_int_equal(condition_decode(&b->c, b->spec, 0, &e), 0);
	assert_true(condition_probe(&b->c, b->tracing, &e) < 0);
	assert_non_null(strstr(e.text, "'who' is a number and 'comm' is a text"));
}

#define RATE(rest) "{'type':'rate','name':'c','at':'r.lua:1','per':100,'of':{" EVENT "}" rest "}"

static void more_than_so_many_in_a_time(void **state)
{
	struct bench *b = *state;

	begin(b, RATE(",'above':2"));
	see(b, 0, 2000, 1, 0);
	see(b, 0, 2050, 1, 0);
	see(b, 0, 2100, 1, 0); /* the first is no longer in it */
	assert_int_equal(b->n, 0);
	see(b, 0, 2149, 1, 0);
	assert_int_equal(b->n, 1);
	assert_int_equal(b->fired[0].time, 2149);
	see(b, 0, 2150, 1, 0); /* still above: once is enough */
	assert_int_equal(b->n, 1);
	see(b, 0, 3000, 1, 0);
	see(b, 0, 3001, 1, 0);
	see(b, 0, 3002, 1, 0);
	assert_int_equal(b->n, 2);
}

static void above_it_for_so_long(void **state)
{
	struct bench *b = *state;

	begin(b, RATE(",'above':0,'hold':250"));
	see(b, 0, 2000, 1, 0);
	see(b, 0, 2099, 1, 0);
	see(b, 0, 2198, 1, 0);
	judge_reach(b->judge, 2250);
	assert_int_equal(b->n, 0);
	judge_reach(b->judge, 2251);
	assert_int_equal(b->n, 1);
	assert_int_equal(b->fired[0].time, 2250);
	see(b, 0, 4000, 1, 0);
	see(b, 0, 4090, 1, 0);
	judge_reach(b->judge, 5000); /* it ended at 4190 */
	assert_int_equal(b->n, 1);
}

static void fewer_than_so_many_in_a_time(void **state)
{
	struct bench *b = *state;

	begin(b, RATE(",'below':2"));
	see(b, 0, START + 10, 1, 0);
	see(b, 0, START + 90, 1, 0);
	see(b, 0, START + 105, 1, 0);
	assert_int_equal(b->n, 0);
	judge_reach(b->judge, START + 111);
	assert_int_equal(judge_due(b->judge), START + 190);
	judge_reach(b->judge, START + 191);
	assert_int_equal(b->n, 1);
	assert_int_equal(b->fired[0].time, START + 190);
	end(b);
	begin(b, RATE(",'below':1"));
	judge_reach(b->judge, START + 100);
	assert_int_equal(b->n, 0);
	judge_reach(b->judge, START + 101);
	assert_int_equal(b->n, 1);
}

/* The same for what the condition is made of. */
static void see_part(struct bench *b, unsigned part, uint64_t time, uint64_t who)
{
	see_by(b, &b->c.parts[part].selectors[0], time, 1, who);
}

#define PART(name) "{" EVENT ",'name':'" name "'}"
#define ALL(rest)                                                                          \
	"{'type':'all','name':'c','at':'r.lua:1','of':[" PART("a") "," PART("b") "," PART( \
		"d") "]" rest "}"
#define SEQUENCE(rest)                                                                          \
	"{'type':'sequence','name':'c','at':'r.lua:1','of':[" PART("a") "," PART("b") "," PART( \
		"d") "]" rest "}"

static void all_come_in_any_order(void **state)
{
	struct bench *b = *state;

	begin(b, ALL(""));
	see_part(b, 2, 2000, 1);
	see_part(b, 2, 2001, 1);
	see_part(b, 0, 9000, 1);
	assert_int_equal(b->n, 0);
	see_part(b, 1, 99000, 1);
	assert_int_equal(b->n, 1);
	assert_int_equal(b->fired[0].time, 99000);
	assert_string_equal(b->fired[0].condition->name, "c");
	see_part(b, 1, 99001, 1); /* it begins anew */
	assert_int_equal(b->n, 1);
}

static void all_within_a_time_are_near_each_other(void **state)
{
	struct bench *b = *state;

	begin(b, ALL(",'within':100"));
	see_part(b, 0, 2000, 1);
	see_part(b, 1, 2090, 1);
	see_part(b, 2, 2101, 1); /* the first is 101 old */
	assert_int_equal(b->n, 0);
	see_part(b, 0, 2190, 1);
	assert_int_equal(b->n, 1);
}

static void a_sequence_has_its_order(void **state)
{
	struct bench *b = *state;

	begin(b, SEQUENCE(""));
	see_part(b, 1, 2000, 1);
	see_part(b, 2, 2001, 1);
	see_part(b, 0, 2002, 1);
	see_part(b, 2, 2003, 1);
	assert_int_equal(b->n, 0);
	see_part(b, 1, 2004, 1);
	see_part(b, 2, 2005, 1);
	assert_int_equal(b->n, 1);
	assert_int_equal(b->fired[0].time, 2005);
}

/* A later begin leaves more time. */
static void a_sequence_within_a_time_counts_from_its_last_begin(void **state)
{
	struct bench *b = *state;

	begin(b, SEQUENCE(",'within':100"));
	see_part(b, 0, 2000, 1);
	see_part(b, 0, 2050, 1);
	see_part(b, 1, 2100, 1);
	see_part(b, 2, 2150, 1);
	assert_int_equal(b->n, 1);
	see_part(b, 0, 3000, 1);
	see_part(b, 1, 3001, 1);
	see_part(b, 2, 3101, 1);
	assert_int_equal(b->n, 1);
}

static void a_sequence_by_a_key_is_one_for_each(void **state)
{
	struct bench *b = *state;

	begin(b, SEQUENCE(",'key':[{'on':'who','need':'who'}]"));
	see_part(b, 0, 2000, 7);
	see_part(b, 1, 2001, 8);
	see_part(b, 2, 2002, 7);
	see_part(b, 0, 2003, 8);
	see_part(b, 1, 2004, 7);
	see_part(b, 2, 2005, 8);
	assert_int_equal(b->n, 0);
	see_part(b, 2, 2006, 7);
	assert_int_equal(b->n, 1);
	assert_memory_equal(b->fired[0].text, "who=7: ", 7);
}

static void nothing_counts_before_it_is_armed(void **state)
{
	struct bench *b = *state;

	begin(b, "{" EVENT ",'name':'c','hits':2,'arm_after':100}");
	see(b, 0, START + 99, 1, 0);
	see(b, 0, START + 100, 1, 0);
	assert_int_equal(b->n, 0);
	see(b, 0, START + 101, 1, 0);
	assert_int_equal(b->n, 1);
}

/* Deadlines of several parts that are told all at once come one after the other. */
static void what_is_due_comes_in_the_order_of_time(void **state)
{
	struct bench *b = *state;

	begin(b, "{'type':'sequence','name':'c','at':'r.lua:1','of':["
		 "{'type':'silence','name':'a','at':'r.lua:1','over':100,'of':{" EVENT "}},"
		 "{'type':'silence','name':'b','at':'r.lua:1','over':50,'of':{" EVENT "}}]}");
	see_part(b, 0, 2000, 1); /* due at 2100 */
	see_part(b, 1, 2040, 1); /* at 2090: before it */
	judge_reach(b->judge, 9000);
	assert_int_equal(b->n, 0);
	see_part(b, 1, 9000, 1);
	judge_reach(b->judge, 9999);
	assert_int_equal(b->n, 1);
	assert_int_equal(b->fired[0].time, 9050);
}

/* A reading of the gauge's file. */
static void read_as(struct bench *b, uint64_t time, const char *text)
{
	struct observation o = { .time = time, .cpu = UINT32_MAX, .pid = -1 };

	o.data = (const uint8_t *)text;
	o.size = strlen(text);
	judge_see(b->judge, &b->c.selectors[0], &o);
}

/* Of /proc/meminfo, where it is not true when it begins. */
#define GAUGE(rest)                                                                    \
	"{'type':'gauge','name':'c','at':'r.lua:1','of':{'type':'file','path':'/proc/" \
	"meminfo','every':1000000000}" rest "}"

static void a_gauge_finds_its_number(void **state)
{
	static const struct {
		const char *spec, *below, *above;
	} rows[] = {
		{ GAUGE(",'line':'MemTotal','above':900000000000"), "MemTotal: 5 kB\n",
		  "MemTotal: 900000000001 kB\n" },
		/* a name that only begins like it is another */
		{ GAUGE(",'line':'MemTotal','above':900000000000"),
		  "MemTotalX: 900000000001\nMemTotal: 7", "a 1\n  MemTotal 900000000001" },
		{ GAUGE(",'line':'MemTotal','column':2,'above':900000000000"),
		  "MemTotal: 5 900000000001", "MemTotal: 900000000001" },
		{ GAUGE(",'above':900000000000"), "no 5 900000000001", "no 900000000001 5" },
		{ GAUGE(",'line':'MemTotal','column':2,'above':900000000000"),
		  "MemTotal avg10=5 avg60=900000000001", "MemTotal avg10=900000000001 avg60=0" },
		/* what its line lacks is not to be found in the next */
		{ GAUGE(",'line':'MemTotal','column':2,'above':900000000000"),
		  "MemTotal:\n900000000001", "MemTotal: 900000000001" },
		{ GAUGE(",'line':'MemTotal','above':1099511627776000,'bytes':true"),
		  "MemTotal: 1099511627776000 B", "MemTotal: 1099511627777 kB" },
		{ GAUGE(",'regex':'MemTotal: +([0-9.]+)','above':9000000000.5"),
		  "MemTotal: 9000000000.5", "MemTotal: 9000000000.75" },
	};
	struct bench *b = *state;

	for (size_t i = 0; i < countof(rows); i++) {
		begin(b, rows[i].spec);
		read_as(b, 2000, rows[i].below);
		read_as(b, 3000, "something else entirely");
		assert_int_equal(b->n, 0);
		read_as(b, 4000, rows[i].above);
		assert_int_equal(b->n, 1);
		assert_int_equal(b->fired[0].time, 4000);
		end(b);
	}
}

static void a_gauge_can_have_to_hold(void **state)
{
	struct bench *b = *state;

	begin(b, GAUGE(",'line':'MemTotal','below':1,'hold':100"));
	read_as(b, 2000, "MemTotal: 0");
	judge_reach(b->judge, 2200); /* nobody has looked since */
	assert_int_equal(b->n, 0);
	read_as(b, 2290, "MemTotal: 1");
	read_as(b, 3000, "MemTotal: 0");
	read_as(b, 3050, ""); /* it could not be read */
	read_as(b, 3110, "MemTotal: 0");
	assert_int_equal(b->n, 0);
	read_as(b, 3150, "MemTotal: -1");
	read_as(b, 3210, "MemTotal: 0");
	assert_int_equal(b->n, 1);
	assert_int_equal(b->fired[0].time, 3210);
}

static void a_gauge_that_is_true_already_is_refused(void **state)
{
	struct bench *b = *state;
	struct err e = ERR_INIT;

	begin(b, GAUGE(",'line':'MemTotal','above':1"));
	assert_true(condition_refuse(&b->c, &e) < 0);
	assert_non_null(strstr(e.text, "'c' is true already"));
	assert_int_equal(e.exit, EXIT_HOST);
	/* between two captures it has to become so anew */
	b->c.was_true = true;
	read_as(b, 2000, "MemTotal: 2");
	read_as(b, 3000, "MemTotal: 3");
	assert_int_equal(b->n, 0);
	read_as(b, 4000, "MemTotal: 1");
	read_as(b, 5000, "MemTotal: 2");
	assert_int_equal(b->n, 1);
}

/* A look at the tasks that sleep: texts of tasks_asleep, each ended by a NUL. */
static void look_at(struct bench *b, uint64_t time, const char *tasks, size_t size)
{
	struct observation o = { .time = time, .cpu = UINT32_MAX, .pid = -1 };

	o.data = (const uint8_t *)tasks;
	o.size = size;
	judge_see(b->judge, &b->c.selectors[0], &o);
}
#define LOOK(time, tasks) look_at(b, time, tasks, sizeof(tasks) - 1)
#define HUNG(rest)                                                                          \
	"{'type':'hung','name':'c','at':'r.lua:1','over':100,'of':{'type':'tasks','every':" \
	"25000000}" rest "}"

static void a_task_hangs_in_one_sleep(void **state)
{
	struct bench *b = *state;

	begin(b, HUNG(""));
	LOOK(2000, "7 50 3 dd\tio_schedule\0"
		   "8 51 9 kworker/0:1\t\0");
	LOOK(2050, "7 50 4 dd\tio_schedule\0"
		   "8 51 9 kworker/0:1\t\0"); /* 7 ran meanwhile */
	LOOK(2099, "7 50 4 dd\tio_schedule\0");
	LOOK(2149, "7 50 4 dd\tio_schedule\0"
		   "8 51 9 kworker/0:1\t\0"); /* and 8 */
	assert_int_equal(b->n, 0);
	LOOK(2150, "8 51 9 kworker/0:1\t\0"
		   "7 50 4 dd\tio_schedule < wait\0");
	assert_int_equal(b->n, 1);
	assert_int_equal(b->fired[0].pid, 7);
	assert_string_equal(b->fired[0].text, "task dd (pid=7) hangs for 0 ms: io_schedule < wait");
	LOOK(2240, "7 50 4 dd\tio_schedule\0"
		   "8 51 9 kworker/0:1\t\0");
	assert_int_equal(b->n, 1); /* once for each sleep */
	LOOK(2250, "7 50 4 dd\tio_schedule\0"
		   "8 51 9 kworker/0:1\t\0");
	assert_int_equal(b->n, 2);
	assert_int_equal(b->fired[1].pid, 8);
}

static void a_task_of_that_name_hangs(void **state)
{
	struct bench *b = *state;

	begin(b, HUNG(",'comm':'a b'"));
	LOOK(2000, "7 50 3 a\tx\0"
		   "8 51 9 a b c\tx\0"
		   "9 51 9 a b\tx\0");
	LOOK(2100, "7 50 3 a\tx\0"
		   "8 51 9 a b c\tx\0"
		   "9 51 9 a b\tx\0");
	assert_int_equal(b->n, 1);
	assert_int_equal(b->fired[0].pid, 9);
	LOOK(2200, "garbage\0"
		   "9\0"
		   "\0"
		   "9 51 9\0"
		   "-1 x\t\0");
	assert_int_equal(b->n, 1);
}

static void what_says_nothing_is_refused(void **state)
{
	static const struct {
		const char *spec, *why;
	} rows[] = {
		{ "{'type':'silence','name':'c','at':'r.lua:1','of':{" EVENT "}}", "`over`" },
		{ "{'type':'silence','name':'c','at':'r.lua:1','over':5}", "unknown type" },
		{ "{'type':'expect','name':'c','at':'r.lua:1','on':{" EVENT "},'need':{" EVENT "}}",
		  "`within`" },
		{ "{'type':'expect','name':'c','at':'r.lua:1','within':5,'on':{" EVENT "}}",
		  "unknown type" },
		{ RATE(",'above':2000000"), "shorter time" },
		{ RATE(",'above':-1"), "no number" },
		{ RATE(",'below':0"), "less than 1" },
		{ "{'type':'rate','name':'c','at':'r.lua:1','above':1,'of':{" EVENT "}}", "`per`" },
		{ "{'type':'gauge','name':'c','at':'r.lua:1','above':1,'of':{" EVENT "}}",
		  "another type than 'file'" },
		{ "{'type':'hung','name':'c','at':'r.lua:1','over':1,'of':{'type':'packet'}}",
		  "another type than 'tasks'" },
		{ "{'type':'gauge','name':'c','at':'r.lua:1','above':1}", "another type" },
		{ RATE(",'above':1,'hold':9000000000000000000"), "too large" },
		{ GAUGE(",'above':1,'below':2"), "one of above and below" },
		{ GAUGE(",'above':1,'regex':'('"), "at character" },
		{ EXPECT(",'key':[1]"), "a key is" },
		{ EXPECT(",'key':[{'on':'a','need':{'payload':1,'size':9}}]"), "1 to 8" },
		{ EXPECT(",'key':[{},{},{},{},{}]"), "at most" },
	};

	for (size_t i = 0; i < countof(rows); i++) {
		autofree char *text = own_json(rows[i].spec);
		autojson json_t *spec = json_loads(text, 0, NULL);
		struct condition c;
		struct err e = ERR_INIT;

		(void)state;
		assert_true(condition_decode(&c, spec, 0, &e) < 0);
		if (!strstr(e.text, rows[i].why))
			fail_msg("'%s' is not in '%s'", rows[i].why, e.text);
		condition_free(&c);
	}
}

#define JUDGE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		JUDGE_TEST(hits_count_within_a_sliding_time),
		JUDGE_TEST(silence_counts_from_the_first_one_seen),
		JUDGE_TEST(silence_can_count_from_the_start),
		JUDGE_TEST(a_late_record_does_not_hide_a_silence),
		JUDGE_TEST(an_answer_in_time_is_one),
		JUDGE_TEST(a_second_question_does_not_start_the_clock_again),
		JUDGE_TEST(an_answer_alone_is_nothing),
		JUDGE_TEST(without_a_key_any_answer_will_do),
		JUDGE_TEST(keys_have_several_parts_of_different_names),
		JUDGE_TEST(a_hole_makes_it_uncertain),
		JUDGE_TEST(a_wrong_key_names_the_nearest),
		JUDGE_TEST(it_decides_like_its_model),
		JUDGE_TEST(there_is_no_room_for_more_than_so_many),
		JUDGE_TEST(a_stall_of_all_fires),
		JUDGE_TEST(a_record_that_is_late_is_taken_to_be_of_the_last_ones_time),
		JUDGE_TEST(what_is_armed_later_still_fires),
		JUDGE_TEST(long_texts_are_told_apart),
		JUDGE_TEST(what_can_never_be_the_same_is_no_key),
		JUDGE_TEST(more_than_so_many_in_a_time),
		JUDGE_TEST(above_it_for_so_long),
		JUDGE_TEST(fewer_than_so_many_in_a_time),
		JUDGE_TEST(all_come_in_any_order),
		JUDGE_TEST(all_within_a_time_are_near_each_other),
		JUDGE_TEST(a_sequence_has_its_order),
		JUDGE_TEST(a_sequence_within_a_time_counts_from_its_last_begin),
		JUDGE_TEST(a_sequence_by_a_key_is_one_for_each),
		JUDGE_TEST(nothing_counts_before_it_is_armed),
		JUDGE_TEST(what_is_due_comes_in_the_order_of_time),
		JUDGE_TEST(a_gauge_finds_its_number),
		JUDGE_TEST(a_gauge_can_have_to_hold),
		JUDGE_TEST(a_gauge_that_is_true_already_is_refused),
		JUDGE_TEST(a_task_hangs_in_one_sleep),
		JUDGE_TEST(a_task_of_that_name_hangs),
		JUDGE_TEST(what_says_nothing_is_refused),
	};

	return cmocka_run_group_tests_name("judge", tests, NULL, NULL);
}
