/* t.event, t.packet, t.line: the record itself. */
#include "condition/judge.h"
#include "plan/condition.h"

static int seen_decode(struct condition *c, struct err *e)
{
	if (condition_make_selectors(c, 1, e) < 0)
		return e->code;
	return condition_decode_selector(c, 0, c->spec, e);
}

static void seen_see(struct condition *c, const struct selector *s, const struct observation *o)
{
	struct verdict verdict = {
		.time = o->time, .cpu = o->cpu, .pid = o->pid, .selector = s, .record = o
	};

	if (!judge_hit(c, o->time))
		return;
	verdict.uncertain = judge_missed(c, 0); /* it may have been an earlier one */
	selector_describe(s, o, verdict.text, sizeof(verdict.text));
	judge_fire(c, &verdict);
}

const struct condition_ops seen_condition = {
	.type = "seen",
	.decode = seen_decode,
	.see = seen_see,
};
