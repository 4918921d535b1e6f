/* Which file systems are frozen, told from calls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "log/freezetable.h"

#define SAID_MAX 100

struct bench {
	struct freezetable *table;
	struct freeze said[SAID_MAX];
	uint64_t times[SAID_MAX];
	size_t n;
};

static void say(void *arg, uint64_t time, const struct freeze *freeze)
{
	struct bench *b = arg;

	assert_true(b->n < SAID_MAX);
	b->times[b->n] = time;
	b->said[b->n++] = *freeze;
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct err e = ERR_INIT;

	*state = b;
	return freezetable_create(&b->table, say, b, &e);
}

static int teardown(void **state)
{
	struct bench *b = *state;

	freezetable_free(b->table);
	free(b);
	return 0;
}

static struct mount mount_on(unsigned minor)
{
	struct mount m = { .major = minor ? 7 : 0, .minor = minor };

	strcpy(m.type, minor ? "ext4" : "");
	return m;
}

/* MINOR 0: nobody knows which. LOOKED: when that was known. */
static void call(struct bench *b, uint64_t time, int pid, uint32_t cmd, unsigned minor,
		 uint64_t looked)
{
	struct freezecall c = { .time = time,
				.pid = pid,
				.fd = 3,
				.cmd = cmd,
				.looked = looked,
				.comm = "freezer",
				.mount = mount_on(minor) };

	freezetable_begin(b->table, &c);
}

static void freeze(struct bench *b, uint64_t time, int pid, unsigned minor)
{
	call(b, time, pid, FREEZE_ASKED, minor, time + 1);
	freezetable_end(b->table, time + 40, pid, 0);
}

static void assert_said(struct bench *b, enum freeze_what what, uint64_t time, unsigned minor)
{
	const struct freeze *last = &b->said[b->n - 1];

	assert_true(b->n > 0);
	assert_int_equal(last->what, what);
	assert_int_equal(b->times[b->n - 1], time);
	assert_int_equal(last->mount.minor, minor);
}

static void a_freeze_and_its_thaw(void **state)
{
	struct bench *b = *state;

	call(b, 100, 5, FREEZE_ASKED, 1, 101);
	assert_said(b, FREEZING, 100, 1);
	assert_string_equal(b->said[0].comm, "freezer");
	freezetable_end(b->table, 99, 5, 0);  /* that was before */
	freezetable_end(b->table, 120, 6, 0); /* that is another's */
	assert_int_equal(b->n, 1);
	assert_int_equal(freezetable_is_busy(b->table), true);
	freezetable_end(b->table, 140, 5, 0);
	assert_said(b, FROZEN, 140, 1);
	assert_int_equal(b->said[1].took, 40);
	assert_int_equal(freezetable_is_busy(b->table), false);
	call(b, 300, 9, THAW_ASKED, 1, 301);
	freezetable_end(b->table, 310, 9, 0);
	assert_said(b, THAWED, 310, 1);
	assert_int_equal(b->said[2].what, THAWING);
	assert_int_equal(b->said[3].took, 10);
	assert_int_equal(b->said[3].was_frozen, 210);
	assert_int_equal(b->said[3].pid, 9);
	assert_int_equal(b->n, 4);
}

static void what_is_refused_changes_nothing(void **state)
{
	struct bench *b = *state;

	freeze(b, 100, 5, 1);
	call(b, 200, 6, FREEZE_ASKED, 1, 201);
	freezetable_end(b->table, 210, 6, -EBUSY);
	assert_said(b, NOT_FROZEN, 210, 1);
	assert_int_equal(b->said[b->n - 1].error, EBUSY);
	call(b, 300, 6, THAW_ASKED, 2, 301);
	freezetable_end(b->table, 310, 6, -EINVAL);
	assert_said(b, NOT_THAWED, 310, 2);
	call(b, 400, 5, THAW_ASKED, 0, 450);
	freezetable_end(b->table, 410, 5, 0);
	assert_said(b, THAWED, 410, 1); /* it is the only one, still */
	assert_int_equal(b->said[b->n - 1].was_frozen, 310);
}

/* Who thaws is gone before anyone can look: the only one, or the one that it has frozen itself. */
static void a_thaw_is_named_all_the_same(void **state)
{
	struct bench *b = *state;

	freeze(b, 100, 5, 1);
	freeze(b, 200, 6, 2);
	freeze(b, 300, 7, 3);
	call(b, 400, 6, THAW_ASKED, 0, 450);
	freezetable_end(b->table, 410, 6, 0);
	assert_said(b, THAWED, 410, 2);
	call(b, 500, 8, THAW_ASKED, 0, 550);
	freezetable_end(b->table, 510, 8, 0);
	assert_said(b, THAWED, 510, 0); /* nobody can tell */
	assert_int_equal(b->said[b->n - 1].was_frozen, 0);
	call(b, 600, 8, THAW_ASKED, 0, 650);
	assert_true(freezetable_wants_mount(b->table, 8));
	freezetable_name(b->table, 8, &(struct mount) { .major = 7, .minor = 3, .type = "xfs" });
	assert_false(freezetable_wants_mount(b->table, 8));
	freezetable_end(b->table, 610, 8, 0);
	assert_said(b, THAWED, 610, 3);
}

/* By the time that somebody looked, its descriptor was of another file system. */
static void a_look_that_was_too_late_is_only_a_guess(void **state)
{
	struct bench *b = *state;

	freeze(b, 100, 5, 1);
	freeze(b, 200, 6, 2);
	call(b, 300, 9, THAW_ASKED, 4, 350);
	freezetable_end(b->table, 310, 9, 0);
	assert_said(b, THAWED, 310, 0);
	call(b, 320, 9, THAW_ASKED, 2, 350); /* of one that is frozen, and may not be the one */
	freezetable_end(b->table, 330, 9, 0);
	assert_said(b, THAWED, 330, 0);
	call(b, 400, 9, THAW_ASKED, 4, 405); /* frozen before anyone watched */
	freezetable_end(b->table, 410, 9, 0);
	assert_said(b, THAWED, 410, 4);
	assert_int_equal(b->said[b->n - 1].was_frozen, 0);
}

static bool is_even(int pid)
{
	return pid % 2 == 0;
}

static void a_call_whose_end_was_lost(void **state)
{
	struct bench *b = *state;

	call(b, 100, 5, FREEZE_ASKED, 1, 101);
	call(b, 110, 6, FREEZE_ASKED, 2, 111);
	freezetable_expire(b->table, 1000, 950, is_even); /* not old enough */
	assert_int_equal(b->n, 2);
	freezetable_expire(b->table, 1000, 500, is_even);
	assert_int_equal(b->n, 3);
	assert_said(b, FROZEN, 1000, 0); /* it may have been looked up when it was over */
	assert_true(b->said[b->n - 1].unseen);
	assert_int_equal(b->said[b->n - 1].pid, 5);
	assert_true(freezetable_is_busy(b->table));
	call(b, 1100, 6, FREEZE_ASKED, 3, 1101); /* so its last one has ended */
	assert_int_equal(b->said[b->n - 2].what, FROZEN);
	assert_true(b->said[b->n - 2].unseen);
	freezetable_end(b->table, 1110, 6, -EBUSY);
	assert_said(b, NOT_FROZEN, 1110, 3);
	assert_false(b->said[b->n - 1].unseen);
}

static void a_line_is_read_as_it_was_written(void **state)
{
	struct freeze f = {
		.what = NOT_FROZEN,
		.pid = 12,
		.fd = 4,
		.comm = "a\nb",
		.took = 43288123,
		.was_frozen = 1500 * 1000,
		.error = EBUSY,
		.mount = { .major = 253, .minor = 1, .point = "/mnt/a\033b", .type = "xfs" }
	};
	char text[2000];
	const char *rest;
	struct freeze back;

	(void)state;
	freezeline_write(&f, text, sizeof(text));
	assert_string_equal(
		text, "not-frozen 253:1 pid=12 fd=4 after=43.288ms was-frozen=1.500ms error=EBUSY "
		      "comm=a\\x0ab type=xfs mount=/mnt/a\\x1bb");
	assert_true(freezeline_read(&back, text, &rest));
	assert_int_equal(back.what, NOT_FROZEN);
	assert_int_equal(back.mount.major, 253);
	assert_int_equal(back.mount.minor, 1);
	assert_int_equal(back.pid, 12);
	assert_int_equal(back.fd, 4);
	assert_ptr_equal(rest, strstr(text, "after="));
	assert_false(back.unseen);
	f.unseen = true;
	freezeline_write(&f, text, sizeof(text));
	assert_true(freezeline_read(&back, text, &rest));
	assert_true(back.unseen);
	f.unseen = false;
	strcpy(f.comm, "how-it-ended="); /* what others have named says nothing */
	strcpy(f.mount.point, "/x how-it-ended=unseen");
	freezeline_write(&f, text, sizeof(text));
	assert_true(freezeline_read(&back, text, &rest));
	assert_false(back.unseen);
	for (enum freeze_what what = 0; what < FREEZE_WHATS; what++) {
		f.what = what;
		freezeline_write(&f, text, sizeof(text));
		assert_true(freezeline_read(&back, text, &rest));
		assert_int_equal(back.what, what);
	}
	assert_false(freezeline_read(&back, "frozen", &rest));
	assert_false(freezeline_read(&back, "molten 7:0 pid=1 fd=1 x", &rest));
	assert_false(freezeline_read(&back, "", &rest));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_freeze_and_its_thaw),
		TEST(what_is_refused_changes_nothing),
		TEST(a_thaw_is_named_all_the_same),
		TEST(a_look_that_was_too_late_is_only_a_guess),
		TEST(a_call_whose_end_was_lost),
		cmocka_unit_test(a_line_is_read_as_it_was_written),
	};

	return cmocka_run_group_tests_name("freezetable", tests, NULL, NULL);
}
