/* A number in a file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ownjudge.h"

/* A reading of the gauge's file. */
static void read_as(struct bench *b, uint64_t time, const char *text)
{
	struct observation o = { .time = time, .cpu = UINT32_MAX, .pid = -1 };

	o.data = (const uint8_t *)text;
	o.size = strlen(text);
	judge_see(b->judge, &b->c.selectors[0], &o);
}

/* Of /proc/meminfo, where it is not true when it begins. */
#define GAUGE(rest)                                                                    \
	"{'type':'gauge','name':'c','at':'r.lua:1','of':{'type':'file','path':'/proc/" \
	"meminfo','every':1000000000}" rest "}"

static void a_gauge_finds_its_number(void **state)
{
	static const struct {
		const char *spec, *below, *above;
	} rows[] = {
		{ GAUGE(",'line':'MemTotal','above':900000000000"), "MemTotal: 5 kB\n",
		  "MemTotal: 900000000001 kB\n" },
		/* a name that only begins like it is another */
		{ GAUGE(",'line':'MemTotal','above':900000000000"),
		  "MemTotalX: 900000000001\nMemTotal: 7", "a 1\n  MemTotal 900000000001" },
		{ GAUGE(",'line':'MemTotal','column':2,'above':900000000000"),
		  "MemTotal: 5 900000000001", "MemTotal: 900000000001" },
		{ GAUGE(",'above':900000000000"), "no 5 900000000001", "no 900000000001 5" },
		{ GAUGE(",'line':'MemTotal','column':2,'above':900000000000"),
		  "MemTotal avg10=5 avg60=900000000001", "MemTotal avg10=900000000001 avg60=0" },
		/* what its line lacks is not to be found in the next */
		{ GAUGE(",'line':'MemTotal','column':2,'above':900000000000"),
		  "MemTotal:\n900000000001", "MemTotal: 900000000001" },
		{ GAUGE(",'line':'MemTotal','above':1099511627776000,'bytes':true"),
		  "MemTotal: 1099511627776000 B", "MemTotal: 1099511627777 kB" },
		{ GAUGE(",'regex':'MemTotal: +([0-9.]+)','above':9000000000.5"),
		  "MemTotal: 9000000000.5", "MemTotal: 9000000000.75" },
	};
	struct bench *b = *state;

	for (size_t i = 0; i < countof(rows); i++) {
		begin(b, rows[i].spec);
		read_as(b, 2000, rows[i].below);
		read_as(b, 3000, "something else entirely");
		assert_int_equal(b->n, 0);
		read_as(b, 4000, rows[i].above);
		assert_int_equal(b->n, 1);
		assert_int_equal(b->fired[0].time, 4000);
		end(b);
	}
}

static void a_gauge_can_have_to_hold(void **state)
{
	struct bench *b = *state;

	begin(b, GAUGE(",'line':'MemTotal','below':1,'hold':100"));
	read_as(b, 2000, "MemTotal: 0");
	judge_reach(b->judge, 2200); /* nobody has looked since */
	assert_int_equal(b->n, 0);
	read_as(b, 2290, "MemTotal: 1");
	read_as(b, 3000, "MemTotal: 0");
	read_as(b, 3050, ""); /* it could not be read */
	read_as(b, 3110, "MemTotal: 0");
	assert_int_equal(b->n, 0);
	read_as(b, 3150, "MemTotal: -1");
	read_as(b, 3210, "MemTotal: 0");
	assert_int_equal(b->n, 1);
	assert_int_equal(b->fired[0].time, 3210);
}

static void a_gauge_that_is_true_already_is_refused(void **state)
{
	struct bench *b = *state;
	struct err e = ERR_INIT;

	begin(b, GAUGE(",'line':'MemTotal','above':1"));
	assert_true(condition_refuse(&b->c, &e) < 0);
	assert_non_null(strstr(e.text, "'c' is true already"));
	assert_int_equal(e.exit, EXIT_HOST);
	/* between two captures it has to become so anew */
	b->c.was_true = true;
	read_as(b, 2000, "MemTotal: 2");
	read_as(b, 3000, "MemTotal: 3");
	assert_int_equal(b->n, 0);
	read_as(b, 4000, "MemTotal: 1");
	read_as(b, 5000, "MemTotal: 2");
	assert_int_equal(b->n, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		JUDGE_TEST(a_gauge_finds_its_number),
		JUDGE_TEST(a_gauge_can_have_to_hold),
		JUDGE_TEST(a_gauge_that_is_true_already_is_refused),
	};

	return cmocka_run_group_tests_name("gauge", tests, NULL, NULL);
}
