/* t.frozen: a file system has been frozen for so long, or its freeze has not come to an end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "condition/frozenset.h"
#include "condition/judge.h"
#include "log/freezeline.h"
#include "plan/condition.h"

struct frozen_for {
	uint64_t over;
};

static int frozen_decode(struct condition *c, struct err *e)
{
	struct frozen_for *frozen = c->data = calloc(1, sizeof(*frozen));

	if (!frozen)
		return err_set(e, "no memory");
	if (condition_number(c, "over", 1, &frozen->over, e) < 0 ||
	    condition_make_selectors(c, 1, e) < 0)
		return e->code;
	if (!frozen->over)
		return err_set(e, "`over` has to say for how long it is frozen");
	return condition_decode_only(c, &freezes_selector, e);
}

static int frozen_begin(struct condition *c, uint64_t start, struct err *e)
{
	(void)start;
	c->state = calloc(1, sizeof(struct frozenset));
	return c->state ? 0 : err_set(e, "no memory");
}

static void frozen_see(struct condition *c, const struct selector *s, const struct observation *o)
{
	struct freeze freeze;
	const char *rest;

	(void)s;
	if (freezeline_read(&freeze, (const char *)o->data, &rest))
		frozenset_take(c->state, &freeze, rest, o->time);
}

/* The next one that will have been frozen for too long, NULL if there is none. */
static struct frozen *frozen_next(struct condition *c)
{
	struct frozenset *set = c->state;

	for (size_t i = 0; i < set->n; i++)
		if (!set->list[i].told)
			return &set->list[i];
	return NULL;
}

static uint64_t frozen_due(const struct condition *c)
{
	const struct frozen *next = frozen_next((struct condition *)c);
	const struct frozen_for *frozen = c->data;
	uint64_t due = next ? next->since + frozen->over : UINT64_MAX;

	return due < judge_armed(c) ? judge_armed(c) : due;
}

static void frozen_fire(struct condition *c, const struct frozen *one, uint64_t time)
{
	const struct frozenset *set = c->state;
	struct verdict verdict = { .time = time, .cpu = UINT32_MAX, .pid = one->pid };

	if (!judge_hit(c, time))
		return;
	verdict.uncertain = set->strangers || one->unsure || judge_missed(c, one->since);
	snprintf(verdict.text, sizeof(verdict.text), "%s for %s by pid=%d: device %u:%u, %s",
		 one->done ? "frozen" : "being frozen, without an end,",
		 duration_about(time - one->since).text, one->pid, one->major, one->minor,
		 one->who);
	snprintf(verdict.numbers, sizeof(verdict.numbers), "pid=%d fd=%u major=%u minor=%u ",
		 one->pid, one->fd, one->major, one->minor);
	judge_fire(c, &verdict);
}

static void frozen_reach(struct condition *c, uint64_t now)
{
	struct frozen *next;

	while ((next = frozen_next(c)) && frozen_due(c) < now) {
		uint64_t due = frozen_due(c);

		next->told = true;
		frozen_fire(c, next, due);
	}
}

static void frozen_explain(const struct condition *c, FILE *out)
{
	const struct frozen_for *frozen = c->data;

	fprintf(out, "a file system is frozen for %s", duration_text(frozen->over).text);
}

static void frozen_tell(const struct condition *c, char *text, size_t room)
{
	const struct frozenset *set = c->state;

	if (set->n)
		snprintf(text, room, "%zu frozen, the first %s", set->n, set->list[0].who);
	else
		snprintf(text, room, "nothing is frozen");
}

const struct condition_ops frozen_condition = {
	.type = "frozen",
	.why = "the kernel has no trigger for what does not happen",
	.decode = frozen_decode,
	.begin = frozen_begin,
	.see = frozen_see,
	.reach = frozen_reach,
	.due = frozen_due,
	.explain = frozen_explain,
	.tell = frozen_tell,
};
