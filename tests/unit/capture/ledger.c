#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "owncapture.h"
#include "plan/function.h"
#include "trace/instance.h"

int ledger_test_called(int n);

__attribute__((noinline)) int ledger_test_called(int n)
{
	__asm__ volatile("nop # called" : "+r"(n));
	return n;
}

static char *ledger_text(const struct owncapture *own)
{
	struct err e = ERR_INIT;
	char *text;

	assert_int_equal(io_read_file(own->state.fd, "ledger", 65536, &text, NULL, &e), 0);
	return text;
}

/* What somebody else has written into it. */
static void append(const struct owncapture *own, const char *text)
{
	autoclose int fd = openat(own->state.fd, "ledger", O_WRONLY | O_APPEND | O_CLOEXEC);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static struct capture_name make_instance(struct owncapture *own, const char *name)
{
	struct capture_name full = capture_instance(&own->state, name);
	struct err e = ERR_INIT;

	if (ledger_instance(own->c.ledger, full.text, &e) < 0 ||
	    instance_create(own->c.tracing, full.text, &e) < 0)
		fail_msg("%s", e.text);
	return full;
}

static void undo(struct owncapture *own)
{
	struct err e = ERR_INIT;

	if (ledger_undo(own->c.ledger, own->c.tracing, &e) < 0)
		fail_msg("%s", e.text);
}

static void what_is_about_to_be_made_is_written_at_once(void **state)
{
	struct owncapture *own = *state;
	autofree char *text = NULL, *undone = NULL;
	struct err e = ERR_INIT;

	assert_int_equal(ledger_instance(own->c.ledger, "tracer-unit-nowhere", &e), 0);
	assert_int_equal(ledger_probe(own->c.ledger, "tracer_unit", "nowhere", &e), 0);
	text = ledger_text(own);
	assert_string_equal(text, "instance tracer-unit-nowhere\nprobe tracer_unit nowhere\n");
	/* none of it was made after all */
	undo(own);
	undone = ledger_text(own);
	assert_string_equal(undone, "");
}

static void all_is_removed_and_again_is_fine(void **state)
{
	struct owncapture *own = *state;
	struct capture_name second;
	struct err e = ERR_INIT;

	make_instance(own, "first");
	second = make_instance(own, "second");
	make_instance(own, "third");
	assert_int_equal(instance_remove(own->c.tracing, second.text, &e), 0);
	undo(own);
	assert_int_equal(own_instances(own, own->state.id), 0);
	undo(own);
}

/* A probe cannot be removed while an instance made after it has it enabled. */
static void the_newest_is_undone_first(void **state)
{
	struct owncapture *own = *state;
	autoclose int events = openat(tracing_fd(own->c.tracing), "uprobe_events",
				      O_WRONLY | O_APPEND | O_CLOEXEC);
	autofree char *line = NULL, *list = NULL;
	struct capture_name name;
	struct err e = ERR_INIT;
	char group[48], self[4096] = "", file[128];
	uint64_t offset;

	if (events < 0)
		skip();
	snprintf(group, sizeof(group), "tracer_%s", own->state.id);
	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	assert_int_equal(function_in_file(self, "ledger_test_called", &offset, &e), 0);
	assert_true(asprintf(&line, "p:%s/called %s:0x%llx\n", group, self,
			     (unsigned long long)offset) > 0);
	assert_int_equal(ledger_probe(own->c.ledger, group, "called", &e), 0);
	assert_int_equal(write(events, line, strlen(line)), strlen(line));
	name = make_instance(own, "ring");
	snprintf(file, sizeof(file), "events/%s/called/enable", group);
	if (instance_write(own->c.tracing, name.text, file, "1", &e) < 0)
		fail_msg("%s", e.text);
	undo(own);
	assert_int_equal(own_instances(own, own->state.id), 0);
	assert_int_equal(
		io_read_file(tracing_fd(own->c.tracing), "uprobe_events", 1 << 20, &list, NULL, &e),
		0);
	assert_null(strstr(list, group));
}

static void a_line_that_nobody_wrote_stops_nothing_and_is_told(void **state)
{
	struct owncapture *own = *state;
	autofree char *kept = NULL;
	struct err e = ERR_INIT;

	make_instance(own, "first");
	append(own, "older rubbish\n\n");
	make_instance(own, "second");
	append(own, "newer rubbish\n");
	assert_true(ledger_undo(own->c.ledger, own->c.tracing, &e) < 0);
	assert_non_null(strstr(e.text, "'newer rubbish'"));
	assert_int_equal(own_instances(own, own->state.id), 0);
	kept = ledger_text(own);
	assert_non_null(strstr(kept, "older rubbish"));
	assert_int_equal(ftruncate(openat(own->state.fd, "ledger", O_WRONLY | O_CLOEXEC), 0), 0);
}

static void what_is_in_use_stays_and_is_told_and_can_be_undone_later(void **state)
{
	struct owncapture *own = *state;
	struct capture_name busy;
	struct err e = ERR_INIT;
	int fd;

	make_instance(own, "first");
	busy = make_instance(own, "busy");
	make_instance(own, "last");
	fd = instance_open(own->c.tracing, busy.text, "tracing_on", O_RDWR, &e);
	assert_true(ledger_undo(own->c.ledger, own->c.tracing, &e) < 0);
	assert_int_equal(e.code, -EBUSY);
	assert_non_null(strstr(e.text, busy.text));
	assert_int_equal(own_instances(own, own->state.id), 1);
	close(fd);
	undo(own);
	assert_int_equal(own_instances(own, own->state.id), 0);
}

/* Killed while it wrote: what was cut off was not made yet. */
static void a_line_that_is_cut_short_is_of_nothing(void **state)
{
	struct owncapture *own = *state;
	struct capture_name never = capture_instance(&own->state, "never-mad");

	make_instance(own, "first");
	append(own, "instance ");
	append(own, never.text);
	undo(own);
	assert_int_equal(own_instances(own, own->state.id), 0);
}

static void another_process_can_undo_it(void **state)
{
	struct owncapture *own = *state;
	struct ledger *other;
	struct err e = ERR_INIT;

	make_instance(own, "first");
	assert_int_equal(ledger_open(&other, own->state.fd, &e), 0);
	assert_int_equal(ledger_undo(other, own->c.tracing, &e), 0);
	ledger_close(other);
	assert_int_equal(own_instances(own, own->state.id), 0);
}

static void a_link_is_no_ledger(void **state)
{
	struct owncapture *own = *state;
	struct ledger *ledger;
	struct err e = ERR_INIT;

	assert_int_equal(symlinkat("/dev/null", own->out, "ledger"), 0);
	assert_int_equal(ledger_open(&ledger, own->out, &e), -ELOOP);
	ledger_close(NULL);
}

#define LEDGER_TEST(name) \
	cmocka_unit_test_setup_teardown(name, owncapture_setup, owncapture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LEDGER_TEST(what_is_about_to_be_made_is_written_at_once),
		LEDGER_TEST(all_is_removed_and_again_is_fine),
		LEDGER_TEST(the_newest_is_undone_first),
		LEDGER_TEST(a_line_that_nobody_wrote_stops_nothing_and_is_told),
		LEDGER_TEST(what_is_in_use_stays_and_is_told_and_can_be_undone_later),
		LEDGER_TEST(a_line_that_is_cut_short_is_of_nothing),
		LEDGER_TEST(another_process_can_undo_it),
		LEDGER_TEST(a_link_is_no_ledger),
	};

	return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
