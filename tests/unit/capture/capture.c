#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "owncapture.h"
#include "trace/instance.h"

static void add_ring(struct owncapture *own, const char *name, bool from_start)
{
	struct capture_name full = capture_instance(&own->state, name);
	struct err e = ERR_INIT;
	int fd;

	if (ledger_instance(own->c.ledger, full.text, &e) < 0 ||
	    instance_create(own->c.tracing, full.text, &e) < 0)
		fail_msg("%s", e.text);
	fd = instance_open(own->c.tracing, full.text, "tracing_on", O_RDWR, &e);
	assert_int_equal(capture_add_switch(&own->c, fd, from_start, &e), 0);
}

static void turn(const struct ring_switch *s, const char *value)
{
	assert_int_equal(pwrite(s->fd, value, 1, 0), 1);
}

static bool is_on(const struct ring_switch *s)
{
	char on = 0;

	assert_int_equal(pread(s->fd, &on, 1, 0), 1);
	return on == '1';
}

static bool tripped(const struct owncapture *own)
{
	return switches_tripped(own->c.switches, own->c.n_switches);
}

static void names_tell_whose_they_are(void **unused)
{
	struct state state = { .id = "01J00000000000000000000AAA" };

	(void)unused;
	assert_string_equal(capture_instance(&state, "hot").text,
			    "tracer-01J00000000000000000000AAA-hot");
	/* the longest that a plan can have, with what a source adds to it */
	assert_int_equal(strlen(capture_instance(&state, "01234567890123456789012345678901234567890"
							 "12345678901234567890123.post")
					.text),
			 7 + 26 + 1 + 64 + 5);
}

static void all_rings_are_turned_off(void **state)
{
	struct owncapture *own = *state;
	struct err e = ERR_INIT;

	add_ring(own, "one", true);
	add_ring(own, "two", false);
	turn(&own->c.switches[0], "1");
	turn(&own->c.switches[1], "1");
	assert_int_equal(switches_off(own->c.switches, own->c.n_switches, &e), 0);
	assert_false(is_on(&own->c.switches[0]));
	assert_false(is_on(&own->c.switches[1]));
	assert_int_equal(switches_off(NULL, 0, &e), 0);
}

static void one_that_cannot_be_turned_off_keeps_no_other_on(void **state)
{
	struct owncapture *own = *state;
	struct err e = ERR_INIT;

	add_ring(own, "one", true);
	assert_int_equal(
		capture_add_switch(&own->c, open("/dev/null", O_RDONLY | O_CLOEXEC), true, &e), 0);
	add_ring(own, "two", true);
	turn(&own->c.switches[0], "1");
	turn(&own->c.switches[2], "1");
	assert_int_equal(switches_off(own->c.switches, own->c.n_switches, &e), -EBADF);
	assert_non_null(strstr(e.text, "cannot turn a kernel ring off"));
	assert_false(is_on(&own->c.switches[0]));
	assert_false(is_on(&own->c.switches[2]));
}

static void a_ring_that_was_on_from_the_start_and_is_off_has_tripped(void **state)
{
	struct owncapture *own = *state;

	assert_false(tripped(own));
	add_ring(own, "before", true);
	add_ring(own, "after", false);
	turn(&own->c.switches[0], "1");
	turn(&own->c.switches[1], "0");
	assert_false(tripped(own));
	turn(&own->c.switches[0], "0");
	assert_true(tripped(own));
}

#define CAPTURE_TEST(name) \
	cmocka_unit_test_setup_teardown(name, owncapture_setup, owncapture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_tell_whose_they_are),
		CAPTURE_TEST(all_rings_are_turned_off),
		CAPTURE_TEST(one_that_cannot_be_turned_off_keeps_no_other_on),
		CAPTURE_TEST(a_ring_that_was_on_from_the_start_and_is_off_has_tripped),
	};

	return cmocka_run_group_tests_name("capture", tests, NULL, NULL);
}
