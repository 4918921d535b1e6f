/* The shared ledger of global knobs, on the real saved_cmdlines_size, which is put back on every
 * way out. */
#include "capture/knob.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/io.h"
#include "capture/state.h"
#include "trace/tracing.h"

#define KNOB "saved_cmdlines_size"

struct place {
	struct state *state; /* the ledger lies beside it */
	struct tracing *tracing;
	unsigned original;
};

static unsigned knob_now(struct tracing *tracing)
{
	autofree char *text = NULL;
	struct err e = ERR_INIT;

	assert_int_equal(io_read_file(tracing_fd(tracing), KNOB, 64, &text, NULL, &e), 0);
	return atoi(text);
}

static void knob_put(struct tracing *tracing, unsigned value)
{
	struct err e = ERR_INIT;
	char text[16];

	snprintf(text, sizeof(text), "%u", value);
	assert_int_equal(io_write_file(tracing_fd(tracing), KNOB, text, &e), 0);
}

static struct place place;

static void place_restore(void)
{
	if (place.tracing)
		knob_put(place.tracing, place.original);
}

static int setup(void **state)
{
	char id[ULID_SIZE];
	struct err e = ERR_INIT;

	ulid_make(id, anchor_take().wall_ns);
	assert_int_equal(state_create(&place.state, id, &e), 0);
	assert_int_equal(tracing_open(&place.tracing, &e), 0);
	place.original = knob_now(place.tracing);
	atexit(place_restore);
	knob_put(place.tracing, 128);
	*state = &place;
	return 0;
}

static int teardown(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	place_restore();
	tracing_close(take_ptr(place.tracing));
	return state_remove(take_ptr(place.state), &e);
}

static void the_first_saves_and_the_last_restores(void **state)
{
	struct tracing *t = ((struct place *)*state)->tracing;
	unsigned before = knob_now(t);
	struct err e = ERR_INIT;

	assert_int_equal(knob_raise(t, KNOB, 4096, "A", &e), 0);
	assert_true(knob_now(t) >= 4096);
	assert_int_equal(knob_raise(t, KNOB, 4096, "B", &e), 0);
	assert_int_equal(knob_release(t, KNOB, "A", &e), 0);
	assert_true(knob_now(t) >= 4096);
	assert_int_equal(knob_release(t, KNOB, "B", &e), 0);
	assert_int_equal(knob_now(t), before);
}

static void what_somebody_else_has_set_since_stays(void **state)
{
	struct tracing *t = ((struct place *)*state)->tracing;
	unsigned before = knob_now(t), foreign;
	struct err e = ERR_INIT;

	assert_int_equal(knob_raise(t, KNOB, 4096, "A", &e), 0);
	knob_put(t, 20000);
	foreign = knob_now(t);
	assert_int_equal(knob_release(t, KNOB, "A", &e), 0);
	assert_int_equal(knob_now(t), foreign);
	knob_put(t, before);
}

static void what_is_high_enough_is_not_touched(void **state)
{
	struct tracing *t = ((struct place *)*state)->tracing;
	autofree char *path = state_shared_path("knobs");
	unsigned before = knob_now(t);
	struct err e = ERR_INIT;

	assert_int_equal(knob_raise(t, KNOB, before / 2, "A", &e), 0);
	assert_int_equal(knob_now(t), before);
	assert_int_equal(knob_release(t, KNOB, "A", &e), 0);
	assert_int_equal(knob_now(t), before);
	assert_non_null(path);
}

static void a_release_without_a_raise_is_fine(void **state)
{
	struct tracing *t = ((struct place *)*state)->tracing;
	struct err e = ERR_INIT;

	assert_int_equal(knob_release(t, KNOB, "nobody", &e), 0);
}

static void an_unknown_knob_is_an_error(void **state)
{
	struct tracing *t = ((struct place *)*state)->tracing;
	autofree char *path = state_shared_path("knobs");
	struct err e = ERR_INIT;

	assert_true(knob_raise(t, "no_such_knob", 1, "A", &e) < 0);
	assert_non_null(strstr(e.text, "no_such_knob"));
	assert_int_equal(access(path, F_OK), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_saves_and_the_last_restores),
		cmocka_unit_test(what_somebody_else_has_set_since_stays),
		cmocka_unit_test(what_is_high_enough_is_not_touched),
		cmocka_unit_test(a_release_without_a_raise_is_fine),
		cmocka_unit_test(an_unknown_knob_is_an_error),
	};

	if (geteuid() != 0) {
		puts("1..0 # SKIP needs root");
		return 0;
	}
	return cmocka_run_group_tests_name("knob", tests, setup, teardown);
}
