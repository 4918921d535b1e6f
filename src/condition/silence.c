/* t.silence: something has not been seen for so long. */
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "condition/judge.h"
#include "plan/condition.h"

struct silence {
	uint64_t over;
	bool from_start; /* else from the first one seen */
};

struct silence_state {
	bool running;
	uint64_t last; /* seen, or the start */
	uint64_t seen;
};

static int silence_decode(struct condition *c, struct err *e)
{
	const char *from = json_string_value(json_object_get(c->spec, "from"));
	struct silence *silence = c->data = calloc(1, sizeof(*silence));

	if (!silence)
		return err_set(e, "no memory");
	silence->from_start = from && !strcmp(from, "start");
	if (condition_number(c, "over", 1, &silence->over, e) < 0 ||
	    condition_make_selectors(c, 1, e) < 0)
		return e->code;
	if (!silence->over)
		return err_set(e, "`over` has to say for how long nothing is seen");
	return condition_decode_selector(c, 0, json_object_get(c->spec, "of"), e);
}

static int silence_begin(struct condition *c, uint64_t start, struct err *e)
{
	const struct silence *silence = c->data;
	struct silence_state *state = c->state = calloc(1, sizeof(*state));

	if (!state)
		return err_set(e, "no memory");
	*state = (struct silence_state) { .running = silence->from_start, .last = start };
	return 0;
}

static void silence_see(struct condition *c, const struct selector *s, const struct observation *o)
{
	struct silence_state *state = c->state;

	(void)s;
	state->running = true;
	state->last = o->time;
	state->seen++;
}

static uint64_t silence_due(const struct condition *c)
{
	const struct silence *silence = c->data;
	const struct silence_state *state = c->state;

	uint64_t due = state->last + silence->over;

	if (!state->running)
		return UINT64_MAX;
	return due < judge_armed(c) ? judge_armed(c) : due;
}

static void silence_reach(struct condition *c, uint64_t now)
{
	const struct silence *silence = c->data;
	struct silence_state *state = c->state;
	struct verdict verdict = { .time = silence_due(c), .cpu = UINT32_MAX, .pid = -1 };

	if (now <= verdict.time)
		return;
	state->running = false;
	if (!judge_hit(c, verdict.time))
		return;
	verdict.uncertain = judge_missed(c, state->last);
	snprintf(verdict.text, sizeof(verdict.text),
		 "not seen for %s, after it was seen %llu times", duration_text(silence->over).text,
		 (unsigned long long)state->seen);
	judge_fire(c, &verdict);
}

static void silence_explain(const struct condition *c, FILE *out)
{
	const struct silence *silence = c->data;

	fprintf(out, "not seen for %s, counted from %s", duration_text(silence->over).text,
		silence->from_start ? "the start" : "the first one");
}

static void silence_tell(const struct condition *c, char *text, size_t room)
{
	const struct silence_state *state = c->state;

	if (state->running)
		snprintf(text, room, "seen %llu times", (unsigned long long)state->seen);
	else
		snprintf(text, room, "none seen yet, cannot fire");
}

const struct condition_ops silence_condition = {
	.type = "silence",
	.why = "the kernel has no trigger for what does not happen",
	.decode = silence_decode,
	.begin = silence_begin,
	.see = silence_see,
	.reach = silence_reach,
	.due = silence_due,
	.explain = silence_explain,
	.tell = silence_tell,
};
