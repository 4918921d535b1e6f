/* Tests of a recipe between the streams and the judge: a real script process answers, records stay
 * in their order, and what does not answer is off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "owncapture.h"
#include "plan/plan.h"
#include "recipe/script.h"
#include "watch/testqueue.h"

#define SEEN_MAX 4000

/* A recipe's conditions with the process that runs its tests. */
struct bench {
	struct scratch dir;
	struct tracing *tracing;
	struct plan *plan;
	struct luatest *tests;
	struct script *script;
	struct judge *judge;
	struct testqueue *queue;
	struct progress progress[BOARD_MAX];
	uint32_t fired[SEEN_MAX]; /* conditions, in their order */
	uint64_t times[SEEN_MAX];
	size_t n;
};

static void note(void *arg, const struct verdict *verdict)
{
	struct bench *b = arg;

	assert_true(b->n < SEEN_MAX);
	b->fired[b->n] = verdict->condition->index;
	b->times[b->n++] = verdict->time;
}

static void start_script(struct bench *b, const char *path)
{
	struct script_result result = { 0 };
	struct script_request rq = {
		.recipe_path = path, .version = "1.0", .kernel = "6.1", .n_cpus = 2
	};
	struct err e = ERR_INIT;

	if (script_plan(&rq, &result, &e) < 0 || plan_parse(&b->plan, result.plan, &e) < 0 ||
	    luatest_create(&b->tests, &e) < 0)
		fail_msg("%s", e.text);
	rq.tests = b->tests;
	if (script_start_tests(&b->script, &rq, result.plan, &e) < 0)
		fail_msg("%s", e.text);
	close(take_fd(&b->tests->script_fd));
	script_result_clear(&result);
}

static void begin(struct bench *b, const char *stop)
{
	autofree char *text = NULL;
	autofree char *path = NULL;
	struct err e = ERR_INIT;

	assert_true(asprintf(&text, "return { collect = t.log 'kernel', stop = { %s } }\n", stop) >
		    0);
	assert_true(asprintf(&path, "%s/r.lua", b->dir.path) > 0);
	assert_int_equal(io_create_file(AT_FDCWD, path, text, strlen(text), &e), 0);
	start_script(b, path);
	for (size_t i = 0; i < b->plan->n_conditions; i++)
		if (condition_probe(&b->plan->conditions[i], b->tracing, &e) < 0)
			fail_msg("%s", e.text);
	for (size_t i = 0; i < b->plan->n_selectors; i++)
		if (b->plan->selectors[i]->test)
			luatest_learn(b->tests, b->plan->selectors[i]->test - 1,
				      b->plan->selectors[i]->format, &e);
	if (judge_create(&b->judge, b->plan->conditions, b->plan->n_conditions, b->progress, &e) <
		    0 ||
	    judge_begin(b->judge, 0, 0, note, b, &e) < 0 ||
	    testqueue_create(&b->queue, b->judge, b->tests, -1, &e) < 0)
		fail_msg("%s", e.text);
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct err e = ERR_INIT;

	*state = b;
	scratch_open(&b->dir);
	return tracing_open(&b->tracing, &e);
}

static int teardown(void **state)
{
	struct bench *b = *state;

	testqueue_free(b->queue);
	judge_free(b->judge);
	script_end(b->script);
	luatest_free(b->tests);
	plan_free(b->plan);
	tracing_close(b->tracing);
	scratch_close(&b->dir);
	free(b);
	return 0;
}

/* A record of setpriority, for each selector that wants it. */
static void see(struct bench *b, uint64_t time, uint64_t which, int64_t niceval)
{
	for (size_t i = 0; i < b->plan->n_selectors; i++) {
		const struct selector *s = b->plan->selectors[i];
		uint8_t record[128] = { 0 };
		struct observation o = {
			.time = time, .cpu = 1, .pid = 77, .data = record, .size = sizeof(record)
		};

		memcpy(record + format_field(s->format, "which")->offset, &which, 8);
		memcpy(record + format_field(s->format, "niceval")->offset, &niceval, 8);
		testqueue_see(b->queue, s, &o);
	}
}

#define EVENT "t.event { '" OWN_EVENT "', "

/* Every third passes the test, all are seen by the other condition: in the order of time, over many
 * batches. */
static void test_order(void **state)
{
	struct bench *b = *state;
	uint64_t last = 0;

	begin(b, EVENT "name = 'third', test = function(ev) return ev.which % 3 == 0 end }," EVENT
		       "name = 'all' }");
	for (uint64_t i = 1; i <= 1500; i++)
		see(b, i * 10, i, 0);
	testqueue_reach(b->queue, 20000);
	assert_int_equal(b->n, 1500 + 500);
	for (size_t i = 0; i < b->n; i++) {
		assert_true(b->times[i] >= last);
		assert_true(b->fired[i] == 1 || b->times[i] / 10 % 3 == 0);
		last = b->times[i];
	}
}

/* Nothing is decided while it waits; time comes after what was before it. */
static void test_deadline(void **state)
{
	struct bench *b = *state;

	begin(b, "t.silence { " EVENT
		 "test = function(ev) return ev.which == 1 end }, over = '1us' }");
	see(b, 1000, 1, 0);
	see(b, 1500, 1, 0);
	see(b, 1900, 2, 0);
	assert_int_equal(b->n, 0);
	testqueue_reach(b->queue, 2400);
	assert_int_equal(b->n, 0);
	testqueue_reach(b->queue, 2600);
	assert_int_equal(b->n, 1);
	assert_int_equal(b->times[0], 2500);
}

/* Numbers keep their sign; what is no field is an error that names the nearest. */
static void test_fields(void **state)
{
	struct bench *b = *state;

	begin(b, EVENT "name = 'own', test = function(ev) return ev.niceval == -5 and ev.cpu == 1 "
		       "and ev.pid == 77 and ev.time == 1000 end }," EVENT
		       "name = 'wrong', test = function(ev) return ev.nicevale end }");
	see(b, 1000, 1, -5);
	see(b, 1001, 1, -5);
	testqueue_reach(b->queue, 2000);
	assert_int_equal(b->n, 1);
	assert_string_equal(b->progress[0].fault, "");
	assert_string_equal(b->progress[1].fault,
			    "r.lua:1: the event has no field 'nicevale', did you mean 'niceval'?");
	see(b, 3000, 1, -5);
	testqueue_reach(b->queue, 4000);
	assert_int_equal(b->n, 1);
}

/* What several conditions are made of goes off as a whole, and no deadline of it is kept. */
static void test_parts(void **state)
{
	struct bench *b = *state;

	begin(b,
	      "t.all { " EVENT "test = function(ev) return ev.which < 'x' end }, t.silence { " EVENT
	      "filter = 'which == 2' }, over = '1us', from = 'start' } }");
	see(b, 100, 1, 0);
	testqueue_reach(b->queue, 5000);
	assert_int_equal(b->n, 0);
	assert_int_equal(judge_due(b->judge), UINT64_MAX);
	assert_non_null(strstr(b->progress[0].fault, "r.lua:1: attempt to compare"));
}

/* A big batch, none of which is lost; then its process is gone. */
static void test_gone(void **state)
{
	struct bench *b = *state;

	begin(b, EVENT "name = 'tested', test = function(ev) return true end }," EVENT
		       "name = 'plain' }");
	see(b, 100, 1, 0);
	testqueue_reach(b->queue, 200);
	assert_int_equal(b->n, 2);
	script_end(b->script);
	b->script = NULL;
	for (int i = 0; i < 600; i++)
		see(b, 300 + i, 1, 0);
	testqueue_reach(b->queue, 1000);
	assert_int_equal(b->n, 602);
	assert_string_equal(b->progress[0].fault,
			    "the process that runs the recipe's tests has ended");
	assert_string_equal(b->progress[1].fault, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_deadline, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fields, setup, teardown),
		cmocka_unit_test_setup_teardown(test_parts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gone, setup, teardown),
	};

	return cmocka_run_group_tests_name("testqueue", tests, NULL, NULL);
}
