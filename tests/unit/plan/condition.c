#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/units.h"
#include "owncapture.h"
#include "plan/condition.h"
#include "trace/instance.h"

#define EVENT(rest) "{'type':'event','name':'e','at':'r.lua:1','event':'" OWN_EVENT "'" rest "}"
#define LINE(rest) "{'type':'line','name':'l','at':'r.lua:2','log':'kernel'" rest "}"
#define CATASTROPHE "(a+)+$"

static struct tracing *tracing_of(void **state)
{
	return *state;
}

static int setup(void **state)
{
	struct err e = ERR_INIT;

	return tracing_open((struct tracing **)state, &e);
}

static int teardown(void **state)
{
	tracing_close(*state);
	return 0;
}

/* One condition with the JSON that it borrows from. */
struct made {
	json_t *spec;
	struct condition c;
	struct err e;
	int r; /* of decoding and probing */
};

static void made_clear(struct made *m)
{
	condition_free(&m->c);
	json_decref(m->spec);
}

#define automade __attribute__((cleanup(made_clear)))

static struct made make(struct tracing *tracing, const char *spec)
{
	autofree char *text = own_json(spec);
	struct made m = { .spec = json_loads(text, 0, NULL), .e = ERR_INIT };

	if (!m.spec)
		fail_msg("no JSON: %s", text);
	m.r = condition_decode(&m.c, m.spec, 0, &m.e);
	if (m.r == 0)
		m.r = condition_probe(&m.c, tracing, &m.e);
	return m;
}

static void assert_made(const struct made *m)
{
	if (m->r < 0)
		fail_msg("%s", m->e.text);
}

static void the_kernel_decides_what_it_can(void **state)
{
	static const struct {
		const char *spec, *why;
		int tier;
	} rows[] = {
		{ EVENT(""), NULL, 1 },
		{ EVENT(",'filter':'which == 1'"), NULL, 1 },
		{ EVENT(",'hits':1"), NULL, 1 },
		{ EVENT(",'hits':2"), "cannot count", 2 },
		{ LINE(",'text':'BUG: x'"), NULL, 1 },
		{ LINE(",'text':'BUG:','hits':2"), "cannot count", 2 },
		{ LINE(",'text':'a*b'"), "cannot match", 2 },
		{ LINE(",'regex':'BUG'"), "cannot match", 2 },
	};

	for (size_t i = 0; i < countof(rows); i++) {
		automade struct made m = make(tracing_of(state), rows[i].spec);

		assert_made(&m);
		assert_int_equal(condition_tier(&m.c), rows[i].tier);
		assert_int_equal(condition_why(&m.c) == NULL, rows[i].why == NULL);
		if (rows[i].why)
			assert_non_null(strstr(condition_why(&m.c), rows[i].why));
	}
}

static void what_cannot_be_watched_is_refused(void **state)
{
	static const struct {
		const char *spec, *why;
		enum exit_code exit;
	} rows[] = {
		{ "{'type':'event','name':'e','at':'r.lua:1','event':'nocolon'}", "SYSTEM:NAME",
		  EXIT_USAGE },
		{ "{'type':'event','name':'e','at':'r.lua:1'}", "SYSTEM:NAME", EXIT_USAGE },
		{ "{'type':'event','name':'e','at':'r.lua:1','event':'sched:*'}", "several",
		  EXIT_USAGE },
		{ "{'type':'event','name':'e','at':'r.lua:1','event':'sched:sched_swich'}",
		  "sched_switch", EXIT_HOST },
		{ "{'type':'event','name':'e','at':'r.lua:1','event':'../x:y'}", "'../x:y'",
		  EXIT_HOST },
		{ EVENT(",'filter':'whch == 1'"), "'which'", EXIT_USAGE },
		{ EVENT(",'filter':'which == '"), "filter of", EXIT_USAGE },
		{ EVENT(",'hits':1000001"), "more than can be counted", EXIT_FAILED },
		{ LINE(""), "`text` or by `regex`", EXIT_FAILED },
		{ LINE(",'text':'a','regex':'a'"), "`text` or by `regex`", EXIT_FAILED },
		{ LINE(",'text':''"), "empty", EXIT_FAILED },
		{ LINE(",'regex':'a(b'"), "at character", EXIT_USAGE },
		{ "{'type':'line','name':'l','at':'r.lua:2','log':'journal','text':'a'}",
		  "'journal'", EXIT_FAILED },
	};

	for (size_t i = 0; i < countof(rows); i++) {
		automade struct made m = make(tracing_of(state), rows[i].spec);

		assert_true(m.r < 0);
		if (!strstr(m.e.text, rows[i].why))
			fail_msg("'%s' is not in '%s'", rows[i].why, m.e.text);
		if (m.c.ops)
			assert_memory_equal(m.e.text, "r.lua:", 6);
		assert_int_equal(m.e.exit, rows[i].exit);
	}
}

#define OF "{'type':'event','at':'r.lua:1','event':'" OWN_EVENT "'}"
#define SAY(type, rest) "{'type':'" type "','name':'c','at':'r.lua:1'," rest "}"
#define EXPECT(key) SAY("expect", "'within':100,'on':" OF ",'need':" OF ",'key':" key)
#define RATE(rest) SAY("rate", "'per':100,'of':" OF "," rest)
#define GAUGE(rest) \
	SAY("gauge", "'of':{'type':'file','path':'/proc/meminfo','every':1000000000}," rest)

static void what_says_nothing_is_refused(void **state)
{
	static const struct {
		const char *spec, *why;
	} rows[] = {
		{ SAY("silence", "'of':" OF), "`over`" },
		{ SAY("silence", "'over':5"), "unknown type" },
		{ SAY("expect", "'on':" OF ",'need':" OF), "`within`" },
		{ SAY("expect", "'within':5,'on':" OF), "unknown type" },
		{ EXPECT("[1]"), "a key is" },
		{ EXPECT("[{'on':'a','need':{'payload':1,'size':9}}]"), "1 to 8" },
		{ EXPECT("[{},{},{},{},{}]"), "at most" },
		{ RATE("'above':2000000"), "shorter time" },
		{ RATE("'above':-1"), "no number" },
		{ RATE("'below':0"), "less than 1" },
		{ RATE("'above':1,'hold':9000000000000000000"), "too large" },
		{ SAY("rate", "'above':1,'of':" OF), "`per`" },
		{ SAY("gauge", "'above':1,'of':" OF), "another type than 'file'" },
		{ SAY("gauge", "'above':1"), "another type" },
		{ GAUGE("'above':1,'below':2"), "one of above and below" },
		{ GAUGE("'above':1,'regex':'('"), "at character" },
		{ SAY("hung", "'over':1,'of':{'type':'packet'}"), "another type than 'tasks'" },
	};

	for (size_t i = 0; i < countof(rows); i++) {
		autofree char *text = own_json(rows[i].spec);
		automade struct made m = { .spec = json_loads(text, 0, NULL), .e = ERR_INIT };

		(void)state;
		assert_true(condition_decode(&m.c, m.spec, 0, &m.e) < 0);
		if (!strstr(m.e.text, rows[i].why))
			fail_msg("'%s' is not in '%s'", rows[i].why, m.e.text);
	}
}

static void a_text_that_no_kernel_filter_holds_is_refused(void **state)
{
	char text[600], spec[700];

	memset(text, 'x', sizeof(text));
	text[599] = '\0';
	snprintf(spec, sizeof(spec), LINE(",'text':'%s'"), text);
	{
		automade struct made m = make(tracing_of(state), spec);

		assert_true(m.r < 0);
		assert_int_equal(m.e.exit, EXIT_USAGE);
		assert_non_null(strstr(m.e.text, "use a part of it"));
	}
}

/* What the plan would have: the selectors of conditions that stay where they are. */
static char *join(struct made *const *list, size_t n, const struct format *event, int max_tier,
		  bool *any)
{
	struct selector *selectors[8];
	struct err e = ERR_INIT;
	char *text = NULL;

	for (size_t i = 0; i < n; i++) {
		selectors[i] = list[i]->c.selectors;
		selectors[i]->owner = &list[i]->c;
	}
	if (condition_join(selectors, n, event, max_tier, any, &text, &e) < 0)
		fail_msg("%s", e.text);
	return text;
}

static void conditions_on_one_event_are_joined(void **state)
{
	automade struct made a = make(tracing_of(state), EVENT(",'filter':'which == 1'"));
	automade struct made b = make(tracing_of(state), EVENT(",'filter':'which == 2','hits':3"));
	automade struct made every = make(tracing_of(state), EVENT(""));
	automade struct made other = make(tracing_of(state), LINE(",'text':'BUG'"));
	struct made *const list[] = { &a, &other, &b, &every };
	const struct format *event = a.c.selectors[0].format;
	autofree char *both = NULL, *first = NULL;
	bool any;

	both = join(list, 3, event, 2, &any);
	assert_true(any);
	assert_string_equal(both, "(which == 1) || (which == 2)");
	first = join(list, 3, event, 1, &any);
	assert_true(any);
	assert_string_equal(first, "(which == 1)");
	/* one of them wants every record */
	assert_null(join(list, 4, event, 2, &any));
	assert_true(any);
	assert_null(join(list + 1, 1, event, 2, &any));
	assert_false(any);
	assert_null(join(list + 2, 1, event, 1, &any));
	assert_false(any);
}

/* The kernel itself is asked, in an instance of our own. */
static void the_kernel_takes_the_filter_of_any_plain_text(void **state)
{
	static const char *const texts[] = {
		"BUG:",     "a'b",  "x|y && z", "100%", "\\t", "\u00fcber",
		" spaced ", "!not", "(",        "~",    "#",   "hung_task: blocked for more than"
	};
	struct err e = ERR_INIT;
	char name[64];

	snprintf(name, sizeof(name), "tracer-unit-condition-%d", getpid());
	assert_int_equal(instance_create(tracing_of(state), name, &e), 0);
	for (size_t i = 0; i < countof(texts); i++) {
		autofree char *spec = NULL, *text = NULL;

		assert_true(asprintf(&spec,
				     "{\"type\":\"line\",\"name\":\"l\",\"at\":\"r.lua:2\",\"log\":"
				     "\"kernel\",\"text\":\"%s\"}",
				     texts[i]) > 0);
		{
			struct made m = { .spec = json_loads(spec, 0, NULL), .e = ERR_INIT };

			assert_non_null(m.spec);
			if (condition_decode(&m.c, m.spec, 0, &m.e) < 0 ||
			    condition_probe(&m.c, tracing_of(state), &m.e) < 0)
				fail_msg("%s", m.e.text);
			assert_int_equal(condition_tier(&m.c), 1);
			text = filter_text(m.c.selectors[0].filter);
			if (instance_write(tracing_of(state), name, "events/printk/console/filter",
					   text, &e) < 0)
				fail_msg("%s", e.text);
			made_clear(&m);
		}
	}
	assert_int_equal(instance_remove(tracing_of(state), name, &e), 0);
}

/* A record of printk:console with that text, as the kernel lays it out. */
static size_t record_of(const struct selector *s, const char *text, size_t length, uint8_t *record)
{
	const struct field *msg = format_field(s->format, "msg");
	uint32_t start = msg->offset + 4, place = (uint32_t)(length + 1) << 16 | start;

	memset(record, 0, start);
	memcpy(record + msg->offset, &place, 4);
	memcpy(record + start, text, length);
	record[start + length] = '\0';
	return start + length + 1;
}

static bool matches(const struct made *m, const char *text)
{
	uint8_t record[8192];
	const struct selector *s = m->c.selectors;
	struct observation o = { .data = record };

	o.size = record_of(s, text, strlen(text), record);
	return s->ops->match(s, &o);
}

static void a_line_is_found_by_its_very_text_or_by_a_pattern(void **state)
{
	automade struct made odd = make(tracing_of(state), LINE(",'text':'a*[b]?\\\\'"));
	automade struct made regex =
		make(tracing_of(state), LINE(",'regex':'^eth[0-9]+: link (down|lost)$'"));
	automade struct made plain = make(tracing_of(state), LINE(",'text':'BUG'"));

	assert_made(&odd);
	assert_made(&regex);
	assert_true(matches(&odd, "x a*[b]?\\ y"));
	assert_false(matches(&odd, "x axb?\\ y"));
	assert_false(matches(&odd, "a*[b]?"));
	assert_true(matches(&regex, "eth12: link down"));
	assert_false(matches(&regex, "eth: link down"));
	assert_false(matches(&regex, "eth12: link downed"));
	/* where the kernel has filtered already */
	assert_true(matches(&plain, "anything"));
}

static void a_text_with_quotes_is_found(void **state)
{
	json_t *spec = json_pack("{s:s, s:s, s:s, s:s, s:s}", "type", "line", "name", "l", "at",
				 "r.lua:2", "log", "kernel", "text", "say \"no\"");
	struct made m = { .spec = spec, .e = ERR_INIT };

	assert_int_equal(condition_decode(&m.c, spec, 0, &m.e), 0);
	assert_int_equal(condition_probe(&m.c, tracing_of(state), &m.e), 0);
	assert_int_equal(condition_tier(&m.c), 2);
	assert_true(matches(&m, "they say \"no\"."));
	assert_false(matches(&m, "they say no"));
	made_clear(&m);
}

static void a_catastrophic_pattern_ends(void **state)
{
	automade struct made m = make(tracing_of(state), LINE(",'regex':'" CATASTROPHE "'"));
	uint64_t start = clock_boot();
	char text[4000];

	assert_made(&m);
	memset(text, 'a', sizeof(text));
	text[3998] = 'b';
	text[3999] = '\0';
	assert_false(matches(&m, text));
	assert_true(clock_boot() - start < NS_PER_S);
	assert_true(matches(&m, "aaaa"));
}

/* The place of the text in a record may be anything. */
static void a_record_that_is_not_well_formed_matches_nothing(void **state)
{
	automade struct made m = make(tracing_of(state), LINE(",'regex':'x'"));
	const struct selector *s = m.c.selectors;
	const struct field *msg = format_field(s->format, "msg");
	static const uint32_t places[] = { 0xffffffff, 0x0001ffff, 0xffff0000,
					   0xffff000c, 0x00000000, 0x7fff000b };
	autofree uint8_t *record = malloc(16);
	struct observation o = { .data = record };

	memset(record, 'x', 16);
	for (size_t i = 0; i < countof(places); i++) {
		memcpy(record + msg->offset, &places[i], 4);
		for (o.size = 0; o.size <= 12; o.size++)
			s->ops->match(s, &o);
	}
	memcpy(record + msg->offset, &places[0], 4);
	o.size = 16;
	assert_false(s->ops->match(s, &o));
	o.size = 0;
	assert_false(s->ops->match(s, &o));
}

static void every_kind_frees_what_it_never_decoded(void **state)
{
	static const char *const types[] = { "event", "line", "silence", "expect", "rate" };

	(void)state;
	for (size_t i = 0; i < countof(types); i++) {
		struct condition c = { .ops = condition_find(types[i]) };

		assert_non_null(c.ops);
		condition_free(&c);
		condition_free(&c);
		assert_null(c.ops);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_kernel_decides_what_it_can),
		cmocka_unit_test(what_cannot_be_watched_is_refused),
		cmocka_unit_test(what_says_nothing_is_refused),
		cmocka_unit_test(a_text_that_no_kernel_filter_holds_is_refused),
		cmocka_unit_test(conditions_on_one_event_are_joined),
		cmocka_unit_test(the_kernel_takes_the_filter_of_any_plain_text),
		cmocka_unit_test(a_line_is_found_by_its_very_text_or_by_a_pattern),
		cmocka_unit_test(a_text_with_quotes_is_found),
		cmocka_unit_test(a_catastrophic_pattern_ends),
		cmocka_unit_test(a_record_that_is_not_well_formed_matches_nothing),
		cmocka_unit_test(every_kind_frees_what_it_never_decoded),
	};

	return cmocka_run_group_tests_name("condition", tests, setup, teardown);
}
