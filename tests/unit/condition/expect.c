/* Questions and their answers: every order of arrival. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pcap/pcap.h>

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

#define PACKET                                                                                 \
	"'type':'packet','at':'r.lua:1','host':[],'src':[],'dst':[],'port':[],'filter':'udp'," \
	"'interface':'lo'"
#define NUMBER "{'payload':0,'size':8,'order':'le'}"

/* A datagram at TIME, with that number as its payload. */
static void see_packet(struct bench *b, unsigned part, uint64_t time, uint64_t number)
{
	uint8_t packet[] = "\x45\0\0\x24\0\0\0\0\x40\x11\0\0\x7f\0\0\1\x7f\0\0\1"
			   "\x4c\xf4\x9c\xb0\0\x10\0\0--------";
	const struct observation o = { .time = time,
				       .cpu = UINT32_MAX,
				       .pid = -1,
				       .link = DLT_RAW,
				       .data = packet,
				       .size = sizeof(packet) - 1,
				       .length = sizeof(packet) - 1 };

	memcpy(packet + 28, &number, sizeof(number));
	judge_see(b->judge, &b->c.selectors[part], &o);
}

/* To the last moment, and no longer. */
static void a_packet_answers_an_event(void **state)
{
	struct bench *b = *state;

	begin(b, "{'type':'expect','name':'c','at':'r.lua:1','within':100,'on':{" EVENT
		 "},'need':{" PACKET "},'key':[{'on':'who','need':" NUMBER "}]}");
	see(b, 0, 2000, 1, 5);
	see(b, 0, 2001, 1, 6);
	see(b, 0, 2002, 1, 7);
	see_packet(b, 1, 2099, 5);
	see_packet(b, 1, 2101, 6);
	see_packet(b, 1, 2101, 8); /* another's */
	assert_int_equal(b->n, 0);
	see_packet(b, 1, 2103, 7);
	assert_int_equal(b->n, 1);
	assert_int_equal(b->fired[0].time, 2102);
	assert_int_equal(b->fired[0].pid, 77);
	assert_memory_equal(b->fired[0].text, "who=7: ", 7);
	assert_false(b->fired[0].uncertain);
}

static void an_event_answers_a_packet(void **state)
{
	struct bench *b = *state;

	begin(b, "{'type':'expect','name':'c','at':'r.lua:1','within':100,'on':{" PACKET
		 "},'need':{" EVENT "},'key':[{'on':" NUMBER ",'need':'who'}]}");
	see_packet(b, 0, 2000, 5);
	see_packet(b, 0, 2001, 6);
	see(b, 1, 2100, 1, 5);
	see_packet(b, 0, 2101, 5); /* a new one */
	see(b, 1, 2102, 1, 6);
	assert_int_equal(b->n, 1);
	assert_int_equal(b->fired[0].time, 2101);
	assert_int_equal(b->fired[0].pid, -1);
	assert_memory_equal(b->fired[0].text, "payload=6: ", 11);
	judge_reach(b->judge, 2202);
	assert_int_equal(b->n, 2);
	assert_int_equal(b->fired[1].time, 2201);
}

/* In one that it looks at, and only there. */
static void a_hole_in_either_stream_makes_it_uncertain(void **state)
{
	static const struct {
		enum stream stream;
		uint64_t to;
		bool uncertain;
	} rows[] = {
		{ STREAM_PACKETS, 1999, false }, { STREAM_PACKETS, 2000, true },
		{ STREAM_PACKETS, 2050, true },  { STREAM_EVENTS, 1999, false },
		{ STREAM_EVENTS, 2050, true },   { STREAM_READINGS, 2050, false },
	};
	struct bench *b = *state;

	for (size_t i = 0; i < countof(rows); i++) {
		begin(b, "{'type':'expect','name':'c','at':'r.lua:1','within':100,'on':{" EVENT
			 "},'need':{" PACKET "},'key':[{'on':'who','need':" NUMBER "}]}");
		see(b, 0, 2000, 1, 5);
		see(b, 0, 2001, 1, 6);
		judge_hole(b->judge, rows[i].stream, rows[i].to);
		see_packet(b, 1, 2101, 6); /* what is seen is certain */
		judge_reach(b->judge, 9000);
		assert_int_equal(b->n, 1);
		assert_int_equal(b->fired[0].uncertain, rows[i].uncertain);
		end(b);
	}
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

/* The model: all questions, answers and holes in a list, looked through from the start each time.
 */
#define KEYS 5
#define STEPS 200

struct model {
	uint64_t since[KEYS]; /* 0: nothing is owed */
	uint64_t fired[STEPS];
	bool uncertain[STEPS];
	size_t n;
	uint64_t hole; /* the end of the last, 0: there was none */
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
		m->uncertain[m->n] = m->hole >= m->since[oldest];
		m->fired[m->n++] = m->since[oldest] + 100;
		m->since[oldest] = 0;
	}
}

static void it_decides_like_its_model(void **state)
{
	struct bench *b = *state;

	for (unsigned seed = 1; seed <= 300; seed++) {
		struct model m = { 0 };
		unsigned holes = seed % 3 * 20; /* one in so many steps; 0: none */
		uint64_t time = START;

		srand(seed);
		begin(b, EXPECT(BY_WHO));
		for (int i = 0; i < STEPS; i++) {
			int key = rand() % KEYS, what = rand() % 5;

			time += rand() % 40;
			model_reach(&m, time);
			if (what == 0)
				judge_reach(b->judge, time);
			if (holes && rand() % holes == 0) {
				judge_reach(b->judge, time);
				judge_hole(b->judge, STREAM_EVENTS, m.hole = time);
			}
			if (what)
				see(b, what % 2, time, 1, key);
			if (what && what % 2)
				m.since[key] = 0;
			else if (what && !m.since[key])
				m.since[key] = time;
		}
		model_reach(&m, time + 1000);
		judge_reach(b->judge, time + 1000);
		assert_int_equal(b->n, m.n);
		for (size_t i = 0; i < m.n; i++) {
			assert_int_equal(b->fired[i].time, m.fired[i]);
			assert_int_equal(b->fired[i].uncertain, m.uncertain[i]);
		}
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

/* What of this process is in memory, in KiB: smaps_rollup counts pages. */
static unsigned long resident(void)
{
	autofree char *text = NULL;
	struct err e = ERR_INIT;
	const char *line;

	if (io_read_file(AT_FDCWD, "/proc/self/smaps_rollup", 1 << 16, &text, NULL, &e) < 0)
		fail_msg("%s", e.text);
	line = strstr(text, "\nRss:");
	assert_non_null(line);
	return strtoul(line + 5, NULL, 10);
}

#define ROOM 65536
#define ROUND 100000

/* More at a time than there is room for; every other one is answered. */
static void see_round(struct bench *b, uint64_t first, uint64_t time)
{
	for (uint64_t i = 0; i < ROUND; i++)
		see(b, 0, time, 1, first + i);
	for (uint64_t i = 0; i < ROUND; i += 2)
		see(b, 1, time + 50, 1, first + i);
	judge_reach(b->judge, time + 101);
}

static void memory_is_that_of_the_bound_however_many_there_are(void **state)
{
	struct bench *b = *state;
	unsigned long before;

	/* hits, so that none of those that are not met is told of */
	begin(b, EXPECT(BY_WHO ",'hits':1000000"));
	see_round(b, 0, 2000);
	before = resident();
	for (uint64_t round = 1; round < 4; round++)
		see_round(b, round * ROUND, 2000 + round * 1000);
	assert_in_range(resident(), 0, before + 256); /* less than a byte for each */
	assert_int_equal(b->progress.seen, 4 * ROOM / 2);
	judge_tell(b->judge);
	assert_string_equal(b->progress.near, "0 waiting, 137856 too many");
	assert_int_equal(4 * (ROUND - ROOM), 137856);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		JUDGE_TEST(an_answer_in_time_is_one),
		JUDGE_TEST(a_second_question_does_not_start_the_clock_again),
		JUDGE_TEST(an_answer_alone_is_nothing),
		JUDGE_TEST(without_a_key_any_answer_will_do),
		JUDGE_TEST(keys_have_several_parts_of_different_names),
		JUDGE_TEST(a_packet_answers_an_event),
		JUDGE_TEST(an_event_answers_a_packet),
		JUDGE_TEST(a_hole_in_either_stream_makes_it_uncertain),
		JUDGE_TEST(a_wrong_key_names_the_nearest),
		JUDGE_TEST(what_can_never_be_the_same_is_no_key),
		JUDGE_TEST(it_decides_like_its_model),
		JUDGE_TEST(a_stall_of_all_fires),
		JUDGE_TEST(memory_is_that_of_the_bound_however_many_there_are),
	};

	return cmocka_run_group_tests_name("expect", tests, NULL, NULL);
}
