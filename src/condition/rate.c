/* t.rate: more than so many in a time, or fewer. */
#include <stdlib.h>

#include "base/units.h"
#include "condition/judge.h"
#include "condition/level.h"
#include "plan/condition.h"

#define RATE_MAX 1000000 /* times that are remembered */

struct rate {
	uint64_t limit;
	bool above; /* else below */
	uint64_t per;
	uint64_t hold;
};

/* Above: on while the last limit + 1 are within `per`. Below: while the last `limit` are not.
 * Either way one of the last decides, the mark: when it is `per` old, the level changes. */
struct rate_state {
	struct level level;
	uint64_t seen;
	uint64_t times[]; /* as many as it takes, as a ring */
};

static uint64_t rate_needs(const struct rate *rate)
{
	return rate->above ? rate->limit + 1 : rate->limit;
}

static int rate_decode(struct condition *c, struct err *e)
{
	struct rate *rate = c->data = calloc(1, sizeof(*rate));

	if (!rate)
		return err_set(e, "no memory");
	rate->above = json_object_get(c->spec, "above");
	if (condition_number(c, rate->above ? "above" : "below", !rate->above, &rate->limit, e) <
		    0 ||
	    condition_number(c, "per", 1, &rate->per, e) < 0 ||
	    condition_number(c, "hold", 0, &rate->hold, e) < 0 ||
	    condition_make_selectors(c, 1, e) < 0)
		return e->code;
	if (!rate->per)
		return err_set(e, "`per` has to say in which time");
	if (rate_needs(rate) > RATE_MAX)
		return err_set(e,
			       "a rate of %llu in %s is more than can be counted: take a shorter "
			       "time",
			       (unsigned long long)rate->limit, duration_text(rate->per).text);
	return condition_decode_selector(c, 0, json_object_get(c->spec, "of"), e);
}

/* Before anything was seen, the last ones were at the start. */
static int rate_begin(struct condition *c, uint64_t start, struct err *e)
{
	const struct rate *rate = c->data;
	uint64_t n = rate_needs(rate);
	struct rate_state *state = c->state =
		calloc(1, sizeof(*state) + n * sizeof(state->times[0]));

	if (!state)
		return err_set(e, "no memory for %llu times", (unsigned long long)n);
	if (start < judge_armed(c))
		start = judge_armed(c);
	for (uint64_t i = 0; !rate->above && i < n; i++)
		state->times[i] = start;
	return 0;
}

/* When the oldest of those that count is `per` old. */
static uint64_t rate_mark(const struct condition *c)
{
	const struct rate *rate = c->data;
	const struct rate_state *state = c->state;

	return state->times[state->seen % rate_needs(rate)] + rate->per;
}

static void rate_explain(const struct condition *c, FILE *out)
{
	const struct rate *rate = c->data;

	fprintf(out, "%s %llu in %s", rate->above ? "more than" : "fewer than",
		(unsigned long long)rate->limit, duration_text(rate->per).text);
	if (rate->hold)
		fprintf(out, ", for %s", duration_text(rate->hold).text);
}

/* When what makes it true at TIME began. */
static uint64_t rate_begins(const struct condition *c, uint64_t time)
{
	const struct rate *rate = c->data;

	return time > rate->per + rate->hold ? time - rate->per - rate->hold : 0;
}

static void rate_hit(struct condition *c, uint64_t time)
{
	struct verdict verdict = { .time = time,
				   .cpu = UINT32_MAX,
				   .pid = -1,
				   .uncertain = judge_missed(c, rate_begins(c, time)) };

	if (!judge_hit(c, time))
		return;
	condition_explain(c, verdict.text, sizeof(verdict.text));
	judge_fire(c, &verdict);
}

/* All before NOW is known: what time alone has changed. */
static void rate_reach(struct condition *c, uint64_t now)
{
	const struct rate *rate = c->data;
	struct rate_state *state = c->state;
	uint64_t mark = rate_mark(c);

	if (!rate->above && mark < now)
		level_on(&state->level, mark);
	if (level_held(&state->level, rate->hold, rate->above && mark < now ? mark : now))
		rate_hit(c, state->level.since + rate->hold);
	if (rate->above && mark < now)
		level_off(&state->level);
}

static void rate_see(struct condition *c, const struct selector *s, const struct observation *o)
{
	const struct rate *rate = c->data;
	struct rate_state *state = c->state;
	bool full;

	(void)s;
	if (o->time < judge_armed(c))
		return;
	rate_reach(c, o->time);
	state->times[state->seen++ % rate_needs(rate)] = o->time;
	full = state->seen >= rate_needs(rate) && rate_mark(c) > o->time;
	if (rate->above && full)
		level_on(&state->level, o->time);
	else if (!rate->above && rate_mark(c) > o->time)
		level_off(&state->level);
	if (rate->above && !rate->hold && level_held(&state->level, 0, o->time + 1))
		rate_hit(c, o->time);
}

static uint64_t rate_due(const struct condition *c)
{
	const struct rate *rate = c->data;
	const struct rate_state *state = c->state;
	uint64_t due = level_due(&state->level, rate->hold);
	uint64_t mark = rate_mark(c);

	if (rate->above ? state->level.on && mark < due : !state->level.on)
		due = mark;
	return due;
}

static void rate_tell(const struct condition *c, char *text, size_t room)
{
	const struct rate *rate = c->data;
	const struct rate_state *state = c->state;

	snprintf(text, room, "%s, %llu seen",
		 state->level.on ? rate->above ? "above" : "below"
		 : rate->above   ? "not above"
				 : "not below",
		 (unsigned long long)state->seen);
}

const struct condition_ops rate_condition = {
	.type = "rate",
	.why = "the kernel has no trigger for how often something happens",
	.decode = rate_decode,
	.begin = rate_begin,
	.see = rate_see,
	.reach = rate_reach,
	.due = rate_due,
	.explain = rate_explain,
	.tell = rate_tell,
};
