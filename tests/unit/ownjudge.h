/* A condition of a test's own before a judge, by a clock that the test sets. */
#pragma once

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "condition/judge.h"
#include "owncapture.h"

#define EVENT "'type':'event','at':'r.lua:1','event':'" OWN_EVENT "'"
#define START 1000

/* One condition and what became of it. */
struct bench {
	struct tracing *tracing;
	json_t *spec;
	struct condition c;
	struct judge *judge;
	struct progress progress;
	struct verdict fired[1000];
	size_t n;
};

static inline void note(void *arg, const struct verdict *verdict)
{
	struct bench *b = arg;

	assert_true(b->n < countof(b->fired));
	b->fired[b->n++] = *verdict;
}

static inline void begin(struct bench *b, const char *spec)
{
	autofree char *text = own_json(spec);
	struct err e = ERR_INIT;

	b->spec = json_loads(text, 0, NULL);
	if (!b->spec)
		fail_msg("no JSON: %s", text);
	if (condition_decode(&b->c, b->spec, 0, &e) < 0 ||
	    condition_probe(&b->c, b->tracing, &e) < 0 ||
	    judge_create(&b->judge, &b->c, 1, &b->progress, &e) < 0 ||
	    judge_begin(b->judge, START, START, note, b, &e) < 0)
		fail_msg("%s", e.text);
}

static inline void end(struct bench *b)
{
	judge_free(b->judge);
	condition_free(&b->c);
	json_decref(b->spec);
	b->judge = NULL;
	b->spec = NULL;
	b->n = 0;
	b->progress = (struct progress) { 0 };
}

static inline int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct err e = ERR_INIT;

	*state = b;
	return tracing_open(&b->tracing, &e);
}

static inline int teardown(void **state)
{
	struct bench *b = *state;

	end(b);
	tracing_close(b->tracing);
	free(b);
	return 0;
}

#define JUDGE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static inline void put(uint8_t *record, const struct format *format, const char *name,
		       uint64_t value)
{
	const struct field *field = format_field(format, name);

	assert_non_null(field);
	memcpy(record + field->offset, &value, field->size);
}

/* A record of setpriority at TIME. */
static inline void see_by(struct bench *b, const struct selector *s, uint64_t time, uint64_t which,
			  uint64_t who)
{
	uint8_t record[128] = { 0 };
	struct observation o = {
		.time = time, .cpu = 1, .pid = 77, .data = record, .size = sizeof(record)
	};

	put(record, s->format, "which", which);
	put(record, s->format, "who", who);
	judge_see(b->judge, s, &o);
}

/* The same for selector PART of the condition. */
static inline void see(struct bench *b, unsigned part, uint64_t time, uint64_t which, uint64_t who)
{
	see_by(b, &b->c.selectors[part], time, which, who);
}

/* The same for PART of what the condition is made of. */
static inline void see_part(struct bench *b, unsigned part, uint64_t time, uint64_t who)
{
	see_by(b, &b->c.parts[part].selectors[0], time, 1, who);
}
