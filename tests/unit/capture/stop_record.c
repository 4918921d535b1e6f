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

#include "base/auto.h"
#include "base/io.h"
#include "capture/stop_record.h"
#include "scratch.h"

#define RACERS 8
#define ROUNDS 6000

struct bench {
	struct scratch dir;
	struct stop_page *page;
};

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct err e = ERR_INIT;

	scratch_open(&b->dir);
	assert_int_equal(stop_create(&b->page, b->dir.fd, &e), 0);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	stop_close(b->page);
	scratch_close(&b->dir);
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

/* What the racers share: how many have come to each page, and who has won it. */
struct course {
	uint32_t arrived[ROUNDS];
	uint32_t winners[ROUNDS];
	unsigned char winner[ROUNDS];
};

/* All wait for each other before each page, so that they decide at once. */
static void race(struct stop_page *const *pages, struct course *course, unsigned char who)
{
	struct stop_record r = record_of(who);

	for (int i = 0; i < ROUNDS; i++) {
		__atomic_add_fetch(&course->arrived[i], 1, __ATOMIC_ACQ_REL);
		for (int n = 1; __atomic_load_n(&course->arrived[i], __ATOMIC_ACQUIRE) < RACERS;
		     n++)
			if (n % 64 == 0)
				sched_yield();
		if (stop_decide(pages[i], &r)) {
			course->winner[i] = who;
			__atomic_add_fetch(&course->winners[i], 1, __ATOMIC_ACQ_REL);
		}
	}
	_exit(0);
}

static void one_of_many_at_once_decides_and_its_record_is_whole(void **state)
{
	struct bench *b = *state;
	struct course *course = mmap(NULL, sizeof(*course), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct stop_page *pages[ROUNDS];
	struct err e = ERR_INIT;
	int status;

	for (int i = 0; i < ROUNDS; i++) {
		assert_int_equal(unlinkat(b->dir.fd, "stop", 0), 0);
		assert_int_equal(stop_create(&pages[i], b->dir.fd, &e), 0);
	}
	for (unsigned char i = 0; i < RACERS; i++)
		if (fork() == 0)
			race(pages, course, 'a' + i);
	for (int i = 0; i < RACERS; i++)
		assert_true(wait(&status) > 0 && status == 0);
	for (int i = 0; i < ROUNDS; i++) {
		assert_int_equal(course->winners[i], 1);
		assert_record_of(stop_get(pages[i]), course->winner[i]);
		stop_close(pages[i]);
	}
	munmap(course, sizeof(*course));
}

static void another_process_reads_it_by_name(void **state)
{
	struct bench *b = *state;
	struct stop_record r = record_of('x');
	struct stop_page *page;
	struct err e = ERR_INIT;

	assert_int_equal(stop_open(&page, b->dir.fd, &e), 0);
	assert_true(stop_decide(b->page, &r));
	assert_record_of(stop_get(page), 'x');
	stop_set_comm(page, "a-name-that-is-longer-than-a-task-can-have");
	assert_string_equal(stop_get(b->page)->comm, "a-name-that-is-");
	stop_close(page);
}

/* The first word of the page: open, being written, decided. */
static void what_was_being_written_by_one_that_was_killed_is_open_again(void **state)
{
	struct bench *b = *state;
	struct stop_record r = record_of('x');
	struct stop_page *page;
	uint32_t writing = 1;
	struct err e = ERR_INIT;
	autoclose int fd = openat(b->dir.fd, "stop", O_WRONLY | O_CLOEXEC);

	assert_int_equal(pwrite(fd, &writing, sizeof(writing), 0), sizeof(writing));
	assert_false(stop_decide(b->page, &r));
	assert_int_equal(stop_open(&page, b->dir.fd, &e), 0);
	assert_null(stop_get(page));
	assert_true(stop_decide(page, &r));
	assert_record_of(stop_get(page), 'x');
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

	assert_int_equal(stop_create(&page, b->dir.fd, &e), -EEXIST);
	unlinkat(b->dir.fd, "stop", 0);
	assert_int_equal(stop_open(&page, b->dir.fd, &e), -ENOENT);
	assert_int_equal(io_create_file(b->dir.fd, "stop", "short", 5, &e), 0);
	assert_true(stop_open(&page, b->dir.fd, &e) < 0);
	assert_non_null(strstr(e.text, "cut short"));
	unlinkat(b->dir.fd, "stop", 0);
	assert_int_equal(symlinkat("/dev/zero", b->dir.fd, "stop"), 0);
	assert_int_equal(stop_open(&page, b->dir.fd, &e), -ELOOP);
	stop_close(NULL);
}

static void each_cause_has_its_word(void **state)
{
	static const char *const words[] = { "condition", "user", "max_time", "killed" };

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
		STOP_TEST(one_of_many_at_once_decides_and_its_record_is_whole),
		STOP_TEST(another_process_reads_it_by_name),
		STOP_TEST(what_was_being_written_by_one_that_was_killed_is_open_again),
		STOP_TEST(texts_end_even_if_those_given_do_not),
		STOP_TEST(a_page_that_is_there_or_cut_short_or_missing_is_said),
		cmocka_unit_test(each_cause_has_its_word),
	};

	return cmocka_run_group_tests_name("stop", tests, NULL, NULL);
}
