/* Questions and their answers: every order of arrival. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ownjudge.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		JUDGE_TEST(an_answer_in_time_is_one),
		JUDGE_TEST(a_second_question_does_not_start_the_clock_again),
		JUDGE_TEST(an_answer_alone_is_nothing),
		JUDGE_TEST(without_a_key_any_answer_will_do),
		JUDGE_TEST(keys_have_several_parts_of_different_names),
		JUDGE_TEST(a_wrong_key_names_the_nearest),
		JUDGE_TEST(what_can_never_be_the_same_is_no_key),
		JUDGE_TEST(it_decides_like_its_model),
		JUDGE_TEST(a_stall_of_all_fires),
	};

	return cmocka_run_group_tests_name("expect", tests, NULL, NULL);
}
