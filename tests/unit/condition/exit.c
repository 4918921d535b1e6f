/* Processes of a name, a program or a cgroup that end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "ownjudge.h"
#include "reader/reader.h"

#define EVENT_OF(event) "{'type':'event','event':'" event "'}"
#define EXIT(who, ends, changes, of)                                                              \
	"{'type':'exit','name':'c','at':'r.lua:1'," who ",'ends':" ends ",'begins':" EVENT_OF(    \
		"task:task_newtask") ",'changes':" EVENT_OF(changes) ",'look':{"                  \
								     "'type':'members','of':'" of \
								     "','every':1000000000}}"
#define BY_EXE(rest)                                                           \
	EXIT("'exe':'/usr/bin/db'" rest, EVENT_OF("sched:sched_process_exit"), \
	     "sched:sched_process_exec", "exe /usr/bin/db")
#define BY_COMM                                                                \
	EXIT("'comm':'averylongnameof'", EVENT_OF("sched:sched_process_exit"), \
	     "sched:sched_process_exec", "comm averylongnameof")

enum { ENDS, BEGINS, CHANGES, LOOK, CODE };

/* A look at TIME, which began BEFORE. */
static void look_since(struct bench *b, uint64_t time, uint64_t before, const char *tasks)
{
	autofree char *text = NULL;
	struct observation o = { .time = time, .cpu = UINT32_MAX, .pid = -1 };

	assert_true(asprintf(&text, "%llu\n%s", (unsigned long long)before, tasks) > 0);
	o.data = (const uint8_t *)text;
	o.size = strlen(text);
	judge_see(b->judge, &b->c.selectors[LOOK], &o);
}

static void look(struct bench *b, uint64_t time, const char *tasks)
{
	look_since(b, time, time, tasks);
}

/* An event of task PID with one number, and a text behind it. */
static void happens(struct bench *b, unsigned part, uint64_t time, int pid, const char *name,
		    uint64_t number, const char *text_name, const char *text)
{
	const struct selector *s = &b->c.selectors[part];
	uint8_t record[256] = { 0 };
	struct observation o = {
		.time = time, .cpu = 0, .pid = pid, .data = record, .size = sizeof(record)
	};
	const struct field *field = text_name ? format_field(s->format, text_name) : NULL;

	put(record, s->format, name, number);
	if (field) {
		const uint32_t at = 128, place = (uint32_t)(strlen(text) + 1) << 16 |
						 (field->relative ? at - field->offset - 4 : at);

		memcpy(record + field->offset, &place, sizeof(place));
		strcpy((char *)record + at, text);
	}
	judge_see(b->judge, s, &o);
}

static void ends(struct bench *b, uint64_t time, int tid)
{
	happens(b, ENDS, time, tid, "pid", tid, NULL, NULL);
}

static void executes(struct bench *b, uint64_t time, int pid, const char *path)
{
	happens(b, CHANGES, time, pid, "pid", pid, "filename", path);
}

static void clones(struct bench *b, uint64_t time, int parent, int child, uint64_t flags)
{
	const struct selector *s = &b->c.selectors[BEGINS];
	uint8_t record[256] = { 0 };
	struct observation o = {
		.time = time, .cpu = 0, .pid = parent, .data = record, .size = sizeof(record)
	};

	put(record, s->format, "pid", child);
	put(record, s->format, "clone_flags", flags);
	judge_see(b->judge, s, &o);
}

#define CLONE_THREAD_FLAG 0x10000

static void a_process_ends_with_its_last_thread(void **state)
{
	struct bench *b = *state;

	begin(b, BY_EXE(""));
	ends(b, 1500, 7); /* not known yet: it may be any */
	look(b, 2000, "10 10\n10 11\n20 20\n");
	ends(b, 2100, 99);
	ends(b, 2200, 10); /* the first of two threads */
	clones(b, 2300, 11, 12, CLONE_THREAD_FLAG);
	ends(b, 2400, 11);
	assert_int_equal(b->n, 0);
	ends(b, 2500, 12);
	assert_int_equal(b->n, 1);
	assert_int_equal(b->fired[0].time, 2500);
	assert_int_equal(b->fired[0].pid, 10);
	assert_non_null(strstr(b->fired[0].text, "process 10 of exe '/usr/bin/db' ended: "));
	ends(b, 2600, 12);
	assert_int_equal(b->n, 1);
}

static void what_runs_another_program_is_none_of_them(void **state)
{
	struct bench *b = *state;

	begin(b, BY_EXE(""));
	look(b, 2000, "10 10\n");
	clones(b, 2100, 10, 30, 0); /* a child, before it is another program */
	executes(b, 2200, 30, "/usr/bin/sort");
	ends(b, 2300, 30);
	clones(b, 2400, 10, 31, 0); /* a child that stays what it is */
	ends(b, 2500, 31);
	assert_int_equal(b->n, 1);
	executes(b, 2600, 40, "/usr/bin/dbx");
	executes(b, 2610, 41, "/opt/usr/bin/db");
	executes(b, 2620, 42, "/usr/bin/db");
	ends(b, 2700, 40);
	ends(b, 2700, 41);
	assert_int_equal(b->n, 1);
	ends(b, 2700, 42);
	assert_int_equal(b->n, 2);
	assert_int_equal(b->fired[1].pid, 42);
}

static void a_name_is_that_of_the_program_as_the_kernel_cuts_it(void **state)
{
	struct bench *b = *state;

	begin(b, BY_COMM);
	executes(b, 2000, 50, "/opt/averylongnameofaprogram");
	executes(b, 2000, 51, "averylongname");
	ends(b, 2100, 51);
	assert_int_equal(b->n, 0);
	ends(b, 2200, 50);
	assert_int_equal(b->n, 1);
}

static void what_is_no_longer_there_is_forgotten(void **state)
{
	struct bench *b = *state;

	begin(b, BY_EXE(""));
	look(b, NS_PER_S, "10 10\n20 20\n");
	look(b, NS_PER_S + READER_DEADLINE + 1, "20 20\n"); /* 10 ended, and nobody saw it */
	ends(b, NS_PER_S + READER_DEADLINE + 2, 10);        /* another one of that number */
	assert_int_equal(b->n, 0);
	ends(b, NS_PER_S + READER_DEADLINE + 3, 20);
	assert_int_equal(b->n, 1);
}

static void of_a_cgroup_come_and_go(void **state)
{
	struct bench *b = *state;

	begin(b, EXIT("'cgroup':'/a/b'", EVENT_OF("sched:sched_process_exit"),
		      "cgroup:cgroup_attach_task", "cgroup /a/b"));
	look(b, 2000, "10 10\n11 11\n");
	happens(b, CHANGES, 2100, 1, "pid", 10, "dst_path", "/a/bc");
	happens(b, CHANGES, 2100, 1, "pid", 12, "dst_path", "/a/b/c");
	happens(b, CHANGES, 2100, 1, "pid", 13, "dst_path", "/a");
	ends(b, 2200, 10);
	ends(b, 2200, 13);
	assert_int_equal(b->n, 0);
	ends(b, 2300, 12);
	ends(b, 2300, 11);
	assert_int_equal(b->n, 2);
}

/* It was looked before, and shown after. */
static void who_ended_while_it_was_looked_is_no_ghost(void **state)
{
	struct bench *b = *state;

	begin(b, BY_EXE(""));
	look(b, 2000, "10 10\n10 11\n");
	ends(b, 3100, 11);
	look_since(b, 3200, 3000, "10 10\n10 11\n");
	ends(b, 3300, 10);
	assert_int_equal(b->n, 1);
}

/* The kernel tells of its first thread. */
static void a_process_leaves_its_cgroup_whole(void **state)
{
	struct bench *b = *state;

	begin(b, EXIT("'cgroup':'/a'", EVENT_OF("sched:sched_process_exit"),
		      "cgroup:cgroup_attach_task", "cgroup /a"));
	look(b, 2000, "10 10\n10 11\n");
	happens(b, CHANGES, 2100, 1, "pid", 10, "dst_path", "/b");
	ends(b, 2200, 10);
	ends(b, 2300, 11);
	assert_int_equal(b->n, 0);
}

static void an_end_in_a_hole_is_told_as_uncertain(void **state)
{
	struct bench *b = *state;

	begin(b, BY_EXE(""));
	look(b, NS_PER_S, "10 10\n20 20\n");
	judge_hole(b->judge, STREAM_EVENTS, 2 * NS_PER_S);
	look(b, NS_PER_S + READER_DEADLINE + 1, "20 20\n");
	assert_int_equal(b->n, 1);
	assert_true(b->fired[0].uncertain);
	assert_non_null(strstr(b->fired[0].text, "process 10 of exe '/usr/bin/db' is gone"));
}

static void with_a_code_the_call_counts(void **state)
{
	struct bench *b = *state;

	begin(b, BY_EXE(",'code':{'type':'event','event':'syscalls:sys_enter_exit_group','filter':"
			"'error_code == 7'}"));
	look(b, 2000, "10 10\n10 11\n20 20\n");
	happens(b, CODE, 2100, 99, "error_code", 7, NULL, NULL);
	ends(b, 2150, 20); /* by itself that is not it */
	assert_int_equal(b->n, 0);
	happens(b, CODE, 2200, 11, "error_code", 7, NULL, NULL); /* by any thread */
	assert_int_equal(b->n, 1);
	assert_int_equal(b->fired[0].pid, 10);
}

static void more_threads_than_are_watched_are_counted(void **state)
{
	struct bench *b = *state;

	begin(b, BY_EXE(""));
	look(b, 2000, "10 10\n");
	for (int i = 0; i < 5000; i++)
		clones(b, 2001, 10, 1000 + i, CLONE_THREAD_FLAG);
	judge_tell(b->judge);
	assert_non_null(strstr(b->progress.near, "905 threads more than are watched"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		JUDGE_TEST(a_process_ends_with_its_last_thread),
		JUDGE_TEST(what_runs_another_program_is_none_of_them),
		JUDGE_TEST(a_name_is_that_of_the_program_as_the_kernel_cuts_it),
		JUDGE_TEST(what_is_no_longer_there_is_forgotten),
		JUDGE_TEST(of_a_cgroup_come_and_go),
		JUDGE_TEST(who_ended_while_it_was_looked_is_no_ghost),
		JUDGE_TEST(a_process_leaves_its_cgroup_whole),
		JUDGE_TEST(an_end_in_a_hole_is_told_as_uncertain),
		JUDGE_TEST(with_a_code_the_call_counts),
		JUDGE_TEST(more_threads_than_are_watched_are_counted),
	};

	return cmocka_run_group_tests_name("exit", tests, NULL, NULL);
}
