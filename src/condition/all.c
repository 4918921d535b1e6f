/* t.all: each of its parts has become true, the first and the last of them within a time. */
#include <stdlib.h>

#include "base/units.h"
#include "condition/judge.h"
#include "plan/condition.h"

struct all {
	uint64_t within; /* 0: ever */
};

/* When each part became true last, 0 if it has not. */
struct all_state {
	uint64_t times[CONDITION_PARTS];
	bool uncertain;
};

static int all_decode(struct condition *c, struct err *e)
{
	struct all *all = c->data = calloc(1, sizeof(*all));

	if (!all)
		return err_set(e, "no memory");
	all->within = c->within;
	c->within = 0; /* that is for the parts, not for several hits */
	return condition_decode_parts(c, json_object_get(c->spec, "of"), e);
}

static int all_begin(struct condition *c, uint64_t start, struct err *e)
{
	(void)start;
	c->state = calloc(1, sizeof(struct all_state));
	return c->state ? 0 : err_set(e, "no memory");
}

static bool all_are_true(const struct condition *c, uint64_t now)
{
	const struct all *all = c->data;
	const struct all_state *state = c->state;

	for (size_t i = 0; i < c->n_parts; i++)
		if (!state->times[i] || (all->within && now - state->times[i] > all->within))
			return false;
	return true;
}

static void all_part(struct condition *c, const struct condition *part, const struct verdict *v)
{
	struct all_state *state = c->state;
	struct verdict verdict = *v;

	state->times[part->index] = v->time;
	state->uncertain |= v->uncertain;
	if (!all_are_true(c, v->time))
		return;
	verdict.uncertain = state->uncertain;
	*state = (struct all_state) { 0 };
	if (judge_hit(c, v->time))
		judge_fire(c, &verdict);
}

static void all_explain(const struct condition *c, FILE *out)
{
	const struct all *all = c->data;

	fprintf(out, "all of %zu", c->n_parts);
	if (all->within)
		fprintf(out, " within %s", duration_text(all->within).text);
}

static void all_tell(const struct condition *c, char *text, size_t room)
{
	const struct all_state *state = c->state;
	size_t n = 0;

	for (size_t i = 0; i < c->n_parts; i++)
		n += state->times[i] != 0;
	snprintf(text, room, "%zu of %zu", n, c->n_parts);
}

const struct condition_ops all_condition = {
	.type = "all",
	.why = "the kernel cannot join conditions",
	.decode = all_decode,
	.begin = all_begin,
	.part = all_part,
	.explain = all_explain,
	.tell = all_tell,
};
