/* The formats of a host in one text, and tracing that knows nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/auto.h"
#include "scratch.h"
#include "trace/formats.h"
#include "trace/tracing.h"

static char *written(struct tracing *live)
{
	autoclose int events =
		openat(tracing_fd(live), "events", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct scratch dir;
	struct err e = ERR_INIT;
	char *text;

	scratch_open(&dir);
	assert_int_equal(formats_write(events, dir.fd, "formats.txt", &e), 0);
	assert_int_equal(io_read_file(dir.fd, "formats.txt", 64 << 20, &text, NULL, &e), 0);
	scratch_close(&dir);
	return text;
}

/* Each event of this host is found again, and has the same format. */
static void test_host(void **state)
{
	struct tracing *live, *recorded;
	struct err e = ERR_INIT;
	char **names;
	size_t n;

	(void)state;
	assert_int_equal(tracing_open(&live, &e), 0);
	autofree char *text = written(live);
	assert_int_equal(tracing_of_formats(&recorded, text, &e), 0);
	assert_true(tracing_is_recorded(recorded));
	assert_int_equal(tracing_glob(live, "s*:*", &names, &n, &e), 0);
	assert_true(n > 50);
	for (size_t i = 0; i < n; i++) {
		char *colon = strchr(names[i], ':');
		struct format *a, *b;

		*colon = '\0';
		if (tracing_format(live, names[i], colon + 1, &a, &e) < 0 ||
		    tracing_format(recorded, names[i], colon + 1, &b, &e) < 0)
			fail_msg("%s", e.text);
		assert_int_equal(a->id, b->id);
		assert_int_equal(a->n_fields, b->n_fields);
		format_free(a);
		format_free(b);
	}
	names_free(names);
	assert_int_equal(tracing_glob(recorded, "sched:sched_sw*", &names, &n, &e), 0);
	assert_true(n >= 1);
	names_free(names);
	tracing_close(recorded);
	tracing_close(live);
}

/* What it lacks is told with the nearest; what is no such text is refused. */
static void test_refused(void **state)
{
	static const char *const bad[] = { "x", "system: a", "system: a\n", "system: a\nID: 3\n" };
	struct tracing *recorded;
	struct format *format;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(tracing_of_formats(&recorded,
					    "system: sched\nname: sched_switch\nID: 5\nformat:\n",
					    &e),
			 0);
	assert_true(tracing_format(recorded, "sched", "sched_swich", &format, &e) < 0);
	assert_non_null(strstr(e.text, "did you mean 'sched:sched_switch'?"));
	tracing_close(recorded);
	for (size_t i = 0; i < countof(bad); i++) {
		e = (struct err)ERR_INIT;
		assert_true(tracing_of_formats(&recorded, bad[i], &e) < 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests_name("formats", tests, NULL, NULL);
}
