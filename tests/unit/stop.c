#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "auto.h"
#include "io.h"
#include "stop.h"

#define RACERS 8
#define ROUNDS 20

struct bench {
	char path[32];
	int dir;
	struct stop_page *page;
};

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct err e = ERR_INIT;

	strcpy(b->path, "/dev/shm/unit-XXXXXX");
	assert_non_null(mkdtemp(b->path));
	b->dir = open(b->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(stop_create(&b->page, b->dir, &e), 0);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;
	struct err e = ERR_INIT;

	stop_close(b->page);
	close(b->dir);
	assert_int_equal(io_remove_tree(AT_FDCWD, b->path, &e), 0);
	free(b);
	return 0;
}

/* A record each byte of which tells who wrote it. */
static struct stop_record record_of(unsigned char who)
{
	struct stop_record r = { .by = STOP_CONDITION,
				 .condition = who,
				 .event = who,
				 .cut = who,
				 .pid = who,
				 .cpu = who };

	memset(r.text, who, sizeof(r.text) - 1);
	return r;
}

static void assert_record_of(const struct stop_record *r, unsigned char who)
{
	struct stop_record whole = record_of(who);

	assert_non_null(r);
	assert_memory_equal(r, &whole, sizeof(whole));
}

static void nothing_is_decided_at_first(void **state)
{
	struct bench *b = *state;

	assert_null(stop_get(b->page));
	assert_true(stop_cut(b->page) == UINT64_MAX);
}

static void the_first_decision_stays(void **state)
{
	struct bench *b = *state;
	struct stop_record first = record_of('a'), second = record_of('b');

	assert_true(stop_decide(b->page, &first));
	assert_false(stop_decide(b->page, &second));
	assert_record_of(stop_get(b->page), 'a');
	assert_int_equal(stop_cut(b->page), 'a');
}

/* All wait on one byte of shared memory, so that they run at once. */
static void race(struct bench *b, uint32_t *gate, unsigned char who)
{
	struct stop_record r = record_of(who);
	bool won;

	__atomic_add_fetch(gate, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(gate, __ATOMIC_ACQUIRE) < RACERS)
		sched_yield();
	won = stop_decide(b->page, &r);
	while (!stop_get(b->page))
		sched_yield();
	_exit((won ? 100 : 0) + stop_get(b->page)->condition - 'a');
}

static void one_of_many_at_once_decides_and_all_see_its_whole_record(void **state)
{
	struct bench *b = *state;
	uint32_t *gate =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct err e = ERR_INIT;

	for (int round = 0; round < ROUNDS; round++) {
		int winners = 0, winner = -1, seen[RACERS], status;

		*gate = 0;
		for (unsigned char i = 0; i < RACERS; i++)
			if (fork() == 0)
				race(b, gate, 'a' + i);
		for (int i = 0; i < RACERS; i++) {
			assert_true(wait(&status) > 0);
			assert_true(WIFEXITED(status));
			seen[i] = WEXITSTATUS(status) % 100;
			winners += WEXITSTATUS(status) >= 100;
			winner = WEXITSTATUS(status) >= 100 ? seen[i] : winner;
		}
		assert_int_equal(winners, 1);
		for (int i = 0; i < RACERS; i++)
			assert_int_equal(seen[i], winner);
		assert_record_of(stop_get(b->page), 'a' + winner);
		stop_close(b->page);
		unlinkat(b->dir, "stop", 0);
		assert_int_equal(stop_create(&b->page, b->dir, &e), 0);
	}
	munmap(gate, 4096);
}

static void another_process_reads_it_by_name(void **state)
{
	struct bench *b = *state;
	struct stop_record r = record_of('x');
	struct stop_page *page;
	struct err e = ERR_INIT;

	assert_int_equal(stop_open(&page, b->dir, &e), 0);
	assert_true(stop_decide(b->page, &r));
	assert_record_of(stop_get(page), 'x');
	stop_set_comm(page, "a-name-that-is-longer-than-a-task-can-have");
	assert_string_equal(stop_get(b->page)->comm, "a-name-that-is-");
	stop_close(page);
}

static void texts_end_even_if_those_given_do_not(void **state)
{
	struct bench *b = *state;
	struct stop_record r;

	memset(&r, 'x', sizeof(r));
	assert_true(stop_decide(b->page, &r));
	assert_int_equal(strlen(stop_get(b->page)->comm), sizeof(r.comm) - 1);
	assert_int_equal(strlen(stop_get(b->page)->text), sizeof(r.text) - 1);
}

static void a_page_that_is_there_or_cut_short_or_missing_is_said(void **state)
{
	struct bench *b = *state;
	struct stop_page *page;
	struct err e = ERR_INIT;

	assert_int_equal(stop_create(&page, b->dir, &e), -EEXIST);
	unlinkat(b->dir, "stop", 0);
	assert_int_equal(stop_open(&page, b->dir, &e), -ENOENT);
	assert_int_equal(io_create_file(b->dir, "stop", "short", 5, &e), 0);
	assert_true(stop_open(&page, b->dir, &e) < 0);
	assert_non_null(strstr(e.text, "cut short"));
	unlinkat(b->dir, "stop", 0);
	assert_int_equal(symlinkat("/dev/zero", b->dir, "stop"), 0);
	assert_int_equal(stop_open(&page, b->dir, &e), -ELOOP);
	stop_close(NULL);
}

static void each_cause_has_its_word(void **state)
{
	static const char *const words[] = { "condition", "user", "max_time", "fault", "killed" };

	(void)state;
	for (enum stop_by by = STOP_CONDITION; by <= STOP_KILLED; by++)
		assert_string_equal(stop_by_text(by), words[by - STOP_CONDITION]);
	assert_string_equal(stop_by_text(0), "unknown");
	assert_string_equal(stop_by_text(STOP_KILLED + 1), "unknown");
}

#define STOP_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STOP_TEST(nothing_is_decided_at_first),
		STOP_TEST(the_first_decision_stays),
		STOP_TEST(one_of_many_at_once_decides_and_all_see_its_whole_record),
		STOP_TEST(another_process_reads_it_by_name),
		STOP_TEST(texts_end_even_if_those_given_do_not),
		STOP_TEST(a_page_that_is_there_or_cut_short_or_missing_is_said),
		cmocka_unit_test(each_cause_has_its_word),
	};

	return cmocka_run_group_tests_name("stop", tests, NULL, NULL);
}
