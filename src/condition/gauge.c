/* t.gauge: a number in a file is above or below a limit, for so long. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/units.h"
#include "condition/judge.h"
#include "condition/level.h"
#include "plan/condition.h"
#include "selector/pattern.h"
#include "selector/reading.h"

struct gauge {
	double limit;
	bool above; /* else below */
	bool bytes; /* the limit is a size: the unit in the file counts */
	uint64_t hold;
	const char *line;      /* how the line begins, NULL: the first */
	uint64_t column;       /* in words, from 1; 0: the first number of the line */
	struct pattern *regex; /* whose first group is the number; NULL if there is none */
};

struct gauge_state {
	struct level level;
	double value;
	bool known, looked;
};

static int gauge_limit(struct gauge *gauge, const json_t *spec, struct err *e)
{
	const json_t *above = json_object_get(spec, "above"),
		     *below = json_object_get(spec, "below");

	if (!above == !below || !json_is_number(above ? above : below))
		return err_set(e, "one of above and below has to be the limit");
	gauge->above = above;
	gauge->limit = json_number_value(above ? above : below);
	gauge->bytes = json_is_true(json_object_get(spec, "bytes"));
	return 0;
}

static int gauge_decode(struct condition *c, struct err *e)
{
	const char *regex = json_string_value(json_object_get(c->spec, "regex"));
	struct gauge *gauge = c->data = calloc(1, sizeof(*gauge));

	if (!gauge)
		return err_set(e, "no memory");
	gauge->line = json_string_value(json_object_get(c->spec, "line"));
	if (gauge_limit(gauge, c->spec, e) < 0 ||
	    condition_number(c, "column", 1, &gauge->column, e) < 0 ||
	    condition_number(c, "hold", 0, &gauge->hold, e) < 0 ||
	    (regex && pattern_compile(&gauge->regex, regex, true, e) < 0) ||
	    condition_make_selectors(c, 1, e) < 0)
		return e->code;
	return condition_decode_only(c, &file_selector, e);
}

static int gauge_begin(struct condition *c, uint64_t start, struct err *e)
{
	(void)start;
	c->state = calloc(1, sizeof(struct gauge_state));
	return c->state ? 0 : err_set(e, "no memory");
}

/* The line that begins with the gauge's words; NULL if there is none. */
static const char *gauge_line(const struct gauge *gauge, const char *text)
{
	size_t n = gauge->line ? strlen(gauge->line) : 0;

	for (; text && *text; text = strchr(text, '\n') ? strchr(text, '\n') + 1 : NULL) {
		text += strspn(text, " \t");
		if (!n || (!strncmp(text, gauge->line, n) && !isalnum((unsigned char)text[n])))
			return text;
	}
	return NULL;
}

static const char *gauge_column(const struct gauge *gauge, const char *line)
{
	const char *at = line + (gauge->line && !gauge->column ? strlen(gauge->line) : 0);
	size_t n;

	if (!gauge->column)
		return at + strcspn(at, "-0123456789\n");
	for (uint64_t i = 1; i < gauge->column; i++) {
		at += strcspn(at, " \t\n");
		at += strspn(at, " \t");
	}
	n = strcspn(at, "= \t\n"); /* "avg10=0.00" */
	return at[n] == '=' ? at + n + 1 : at;
}

static const char *gauge_find(const struct gauge *gauge, const char *text, size_t size)
{
	const char *line;

	if (gauge->regex)
		return pattern_find(gauge->regex, text, size);
	line = gauge_line(gauge, text);
	return line ? gauge_column(gauge, line) : NULL;
}

/* The number in the text, in bytes if the limit is a size. */
static bool gauge_read(const struct gauge *gauge, const char *text, size_t size, double *value)
{
	const char *at = gauge_find(gauge, text, size);
	char *end;

	if (!at || !(isdigit((unsigned char)*at) || *at == '-' || *at == '+' || *at == '.'))
		return false;
	*value = strtod(at, &end);
	if (end == at)
		return false;
	end += strspn(end, " ");
	if (gauge->bytes && (!strncasecmp(end, "kB", 2) || !strncasecmp(end, "KiB", 3)))
		*value *= 1024;
	else if (gauge->bytes && (!strncasecmp(end, "MB", 2) || !strncasecmp(end, "MiB", 3)))
		*value *= 1 << 20;
	return true;
}

static bool gauge_is_true(const struct gauge *gauge, double value)
{
	return gauge->above ? value > gauge->limit : value < gauge->limit;
}

/* The number now; an error if there is none. */
static int gauge_now(const struct condition *c, double *value, struct err *e)
{
	const struct reading_selector *reading = c->selectors[0].data;
	autofree char *text = malloc(READING_TEXT);
	size_t size;

	if (!text)
		return err_set(e, "no memory");
	if (reading_read(reading, text, &size, e) < 0)
		return e->code;
	if (gauge_read(c->data, text, size, value))
		return 0;
	err_set(e, "t.gauge: there is no such number in '%s'", reading->path);
	return err_exit(e, EXIT_HOST);
}

static int gauge_probe(struct condition *c, struct err *e)
{
	double value;

	return gauge_now(c, &value, e);
}

static int gauge_refuse(struct condition *c, struct err *e)
{
	const struct gauge *gauge = c->data;
	double value;

	if (gauge->hold || gauge_now(c, &value, e) < 0 || !gauge_is_true(gauge, value))
		return e->code;
	err_set(e, "t.gauge: '%s' is true already: the number is %.12g", c->name, value);
	return err_exit(e, EXIT_HOST);
}

static void gauge_fire(struct condition *c, uint64_t time)
{
	const struct gauge *gauge = c->data;
	const struct gauge_state *state = c->state;
	struct verdict verdict = { .time = time,
				   .cpu = UINT32_MAX,
				   .pid = -1,
				   .uncertain = judge_missed(c, time - gauge->hold) };
	char what[300];

	if (!judge_hit(c, time))
		return;
	condition_explain(c, what, sizeof(what));
	snprintf(verdict.text, sizeof(verdict.text), "%s: %.12g", what, state->value);
	judge_fire(c, &verdict);
}

/* Only a reading can say that it has held: between two of them nobody knows. */
static void gauge_see(struct condition *c, const struct selector *s, const struct observation *o)
{
	const struct gauge *gauge = c->data;
	struct gauge_state *state = c->state;
	bool first;

	(void)s;
	first = !state->looked;
	state->looked = true;
	state->known = gauge_read(gauge, (const char *)o->data, o->size, &state->value);
	if (!state->known || !gauge_is_true(gauge, state->value)) {
		level_off(&state->level);
		return;
	}
	level_on(&state->level, o->time);
	if (first && c->was_true)
		state->level.told = true;
	if (o->time >= judge_armed(c) && level_held(&state->level, gauge->hold, o->time + 1))
		gauge_fire(c, o->time);
}

static void gauge_explain(const struct condition *c, FILE *out)
{
	const struct gauge *gauge = c->data;
	const struct reading_selector *reading = c->selectors[0].data;

	fprintf(out, "%s%s%s is %s %.12g", reading->path, gauge->line ? " " : "",
		gauge->line ? gauge->line : "", gauge->above ? "above" : "below", gauge->limit);
	if (gauge->hold)
		fprintf(out, " for %s", duration_text(gauge->hold).text);
}

static void gauge_tell(const struct condition *c, char *text, size_t room)
{
	const struct gauge *gauge = c->data;
	const struct gauge_state *state = c->state;

	if (state->known)
		snprintf(text, room, "%.12g, %s %.12g", state->value,
			 gauge->above ? "above" : "below", gauge->limit);
	else
		snprintf(text, room, "not read yet");
}

static void gauge_free(struct condition *c)
{
	struct gauge *gauge = c->data;

	if (gauge)
		pattern_free(gauge->regex);
}

const struct condition_ops gauge_condition = {
	.type = "gauge",
	.why = "the kernel has triggers for its events only",
	.decode = gauge_decode,
	.probe = gauge_probe,
	.refuse = gauge_refuse,
	.begin = gauge_begin,
	.see = gauge_see,
	.explain = gauge_explain,
	.tell = gauge_tell,
	.free = gauge_free,
};
