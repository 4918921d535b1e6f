/* Tasks that sleep without an end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ownjudge.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		JUDGE_TEST(a_task_hangs_in_one_sleep),
		JUDGE_TEST(a_task_of_that_name_hangs),
	};

	return cmocka_run_group_tests_name("hung", tests, NULL, NULL);
}
