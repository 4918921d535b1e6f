/* File systems that are frozen for too long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ownjudge.h"

static void line(struct bench *b, uint64_t time, const char *text)
{
	struct observation o = { .time = time, .cpu = UINT32_MAX, .pid = -1 };

	o.data = (const uint8_t *)text;
	o.size = strlen(text);
	judge_see(b->judge, &b->c.selectors[0], &o);
}

#define FROZEN_FOR(over) \
	"{'type':'frozen','name':'c','at':'r.lua:1','over':" over ",'of':{'type':'freezes'}}"
#define TAIL " comm=fsfreeze type=ext4 mount=/mnt"

static void it_is_not_thawed(void **state)
{
	struct bench *b = *state;

	begin(b, FROZEN_FOR("1000"));
	line(b, 2000, "freezing 7:0 pid=5 fd=3" TAIL);
	line(b, 2040, "frozen 7:0 pid=5 fd=3 after=0.040ms" TAIL);
	judge_reach(b->judge, 3000);
	assert_int_equal(b->n, 0);
	assert_true(judge_due(b->judge) <= 3000);
	judge_reach(b->judge, 3001);
	assert_int_equal(b->n, 1);
	assert_int_equal(b->fired[0].time, 3000);
	assert_int_equal(b->fired[0].pid, 5);
	assert_false(b->fired[0].uncertain);
	assert_string_equal(b->fired[0].numbers, "pid=5 fd=3 major=7 minor=0 ");
	assert_non_null(strstr(b->fired[0].text, "frozen for"));
	assert_non_null(strstr(b->fired[0].text, "mount=/mnt"));
	judge_reach(b->judge, 90000);
	assert_int_equal(b->n, 1);
}

static void its_freeze_does_not_come_to_an_end(void **state)
{
	struct bench *b = *state;

	begin(b, FROZEN_FOR("1000"));
	line(b, 2000, "freezing 7:0 pid=5 fd=3" TAIL);
	judge_reach(b->judge, 3001);
	assert_int_equal(b->n, 1);
	assert_non_null(strstr(b->fired[0].text, "being frozen, without an end"));
}

static void what_is_thawed_or_refused_is_fine(void **state)
{
	struct bench *b = *state;

	begin(b, FROZEN_FOR("1000"));
	line(b, 2000, "freezing 7:0 pid=5 fd=3" TAIL);
	line(b, 2040, "frozen 7:0 pid=5 fd=3" TAIL);
	line(b, 2100, "freezing 7:0 pid=6 fd=3" TAIL);
	line(b, 2101, "not-frozen 7:0 pid=6 fd=3 error=EBUSY" TAIL);
	line(b, 2200, "freezing 7:1 pid=7 fd=3" TAIL);
	line(b, 2250, "frozen 7:1 pid=7 fd=3" TAIL);
	line(b, 2900, "thawed 7:1 pid=9 fd=3" TAIL);
	line(b, 2950, "not-thawed 7:0 pid=9 fd=3 error=EPERM" TAIL);
	line(b, 2960, "garbage");
	judge_reach(b->judge, 3001);
	assert_int_equal(b->n, 1); /* of 7:0 alone */
	assert_int_equal(b->fired[0].pid, 5);
	judge_reach(b->judge, 9000);
	assert_int_equal(b->n, 1);
}

/* Nobody knows which of two was thawed: one of them still is frozen, perhaps this one. */
static void a_thaw_of_nobody_knows_which(void **state)
{
	struct bench *b = *state;

	begin(b, FROZEN_FOR("1000"));
	line(b, 2000, "freezing 7:0 pid=5 fd=3" TAIL);
	line(b, 2040, "frozen 7:0 pid=5 fd=3" TAIL);
	line(b, 2100, "freezing 7:1 pid=6 fd=3" TAIL);
	line(b, 2140, "frozen 7:1 pid=6 fd=3" TAIL);
	line(b, 2500, "thawed 0:0 pid=9 fd=3" TAIL);
	judge_reach(b->judge, 3001);
	assert_int_equal(b->n, 1);
	assert_true(b->fired[0].uncertain);
	end(b);

	begin(b, FROZEN_FOR("1000"));
	line(b, 2000, "freezing 7:0 pid=5 fd=3" TAIL);
	line(b, 2040, "frozen 7:0 pid=5 fd=3" TAIL);
	line(b, 2100, "freezing 7:1 pid=6 fd=3" TAIL);
	line(b, 2140, "frozen 7:1 pid=6 fd=3" TAIL);
	line(b, 2500, "thawed 0:0 pid=9 fd=3" TAIL);
	line(b, 2600, "thawed 0:0 pid=9 fd=3" TAIL);
	judge_reach(b->judge, 9000);
	assert_int_equal(b->n, 0);
	end(b);

	begin(b, FROZEN_FOR("1000"));
	line(b, 2000, "freezing 7:0 pid=5 fd=3" TAIL);
	line(b, 2040, "frozen 7:0 pid=5 fd=3" TAIL);
	line(b, 2100, "freezing 7:1 pid=6 fd=3" TAIL);
	line(b, 2140, "frozen 7:1 pid=6 fd=3" TAIL);
	line(b, 2500, "thawed 0:0 pid=9 fd=3" TAIL);
	line(b, 2600, "thawed 7:1 pid=9 fd=3" TAIL); /* so the other one was 7:0 */
	judge_reach(b->judge, 9000);
	assert_int_equal(b->n, 0);
}

static void a_freeze_of_which_the_end_was_not_seen(void **state)
{
	struct bench *b = *state;

	begin(b, FROZEN_FOR("1000"));
	line(b, 2000, "freezing 7:0 pid=5 fd=3" TAIL);
	line(b, 2900, "frozen 7:0 pid=5 fd=3 how-it-ended=unseen" TAIL);
	judge_reach(b->judge, 3001);
	assert_int_equal(b->n, 1);
	assert_true(b->fired[0].uncertain);
	end(b);

	begin(b, FROZEN_FOR("1000"));
	line(b, 2000, "freezing 7:0 pid=5 fd=3" TAIL);
	line(b, 2100, "freezing 7:1 pid=5 fd=3" TAIL);
	line(b, 2101, "not-frozen 7:1 pid=5 fd=3 error=EBUSY" TAIL);
	judge_reach(b->judge, 9000);
	assert_int_equal(b->n, 1);
	assert_true(b->fired[0].uncertain);
}

static void what_is_known_at_the_end_of_the_freeze_counts(void **state)
{
	struct bench *b = *state;

	begin(b, FROZEN_FOR("1000"));
	line(b, 2000, "freezing 0:0 pid=5 fd=3 comm=a type=? mount=?");
	line(b, 2001, "frozen 7:4 pid=5 fd=3 after=0.001ms comm=fsfreeze type=xfs mount=/x");
	judge_reach(b->judge, 3001);
	assert_int_equal(b->n, 1);
	assert_string_equal(b->fired[0].numbers, "pid=5 fd=3 major=7 minor=4 ");
	assert_non_null(strstr(b->fired[0].text, "device 7:4, comm=fsfreeze type=xfs mount=/x"));
}

/* One that was frozen before anyone watched, or of which nobody knows which it is. */
static void thaws_of_others(void **state)
{
	struct bench *b = *state;

	begin(b, FROZEN_FOR("1000"));
	line(b, 2000, "freezing 7:0 pid=5 fd=3" TAIL);
	line(b, 2040, "frozen 7:0 pid=5 fd=3" TAIL);
	line(b, 2100, "thawed 7:5 pid=9 fd=3" TAIL);
	judge_reach(b->judge, 3001);
	assert_int_equal(b->n, 1);
	assert_false(b->fired[0].uncertain);
	end(b);

	begin(b, FROZEN_FOR("1000"));
	line(b, 2000, "freezing 0:0 pid=5 fd=3" TAIL);
	line(b, 2040, "frozen 0:0 pid=5 fd=3" TAIL);
	line(b, 2100, "thawed 7:5 pid=9 fd=3" TAIL);
	judge_reach(b->judge, 9000);
	assert_int_equal(b->n, 0);
}

static void more_than_are_told_apart(void **state)
{
	struct bench *b = *state;
	char text[100];

	begin(b, FROZEN_FOR("1000"));
	for (int i = 0; i < 3000; i++) {
		snprintf(text, sizeof(text), "freezing 7:%d pid=%d fd=3" TAIL, i, i + 1);
		line(b, 2000, text);
		snprintf(text, sizeof(text), "thawed 7:%d pid=%d fd=3" TAIL, i, i + 1);
		line(b, 2001, text);
	}
	judge_reach(b->judge, 2500);
	assert_int_equal(b->n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		JUDGE_TEST(it_is_not_thawed),
		JUDGE_TEST(its_freeze_does_not_come_to_an_end),
		JUDGE_TEST(what_is_thawed_or_refused_is_fine),
		JUDGE_TEST(a_thaw_of_nobody_knows_which),
		JUDGE_TEST(a_freeze_of_which_the_end_was_not_seen),
		JUDGE_TEST(what_is_known_at_the_end_of_the_freeze_counts),
		JUDGE_TEST(thaws_of_others),
		JUDGE_TEST(more_than_are_told_apart),
	};

	return cmocka_run_group_tests_name("frozen", tests, NULL, NULL);
}
