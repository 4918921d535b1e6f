/* t.hung: a task has slept in one go for so long, and cannot be woken. */
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "condition/judge.h"
#include "plan/condition.h"

#define HUNG_TASKS 4096 /* that are told apart */

struct hung {
	uint64_t over;
	const char *comm; /* NULL: any */
};

/* One that was asleep at the last look. */
struct sleeper {
	int tid;
	unsigned long long start, switches; /* with these it is the same sleep of the same task */
	uint64_t since;
	bool told;
};

struct hung_state {
	struct sleeper sleepers[HUNG_TASKS];
	size_t n;
	uint64_t longest; /* ns */
};

static int hung_decode(struct condition *c, struct err *e)
{
	struct hung *hung = c->data = calloc(1, sizeof(*hung));

	if (!hung)
		return err_set(e, "no memory");
	hung->comm = json_string_value(json_object_get(c->spec, "comm"));
	if (condition_number(c, "over", 1, &hung->over, e) < 0 ||
	    condition_make_selectors(c, 1, e) < 0)
		return e->code;
	if (!hung->over)
		return err_set(e, "`over` has to say for how long it sleeps");
	return condition_decode_only(c, &tasks_selector, e);
}

static int hung_begin(struct condition *c, uint64_t start, struct err *e)
{
	(void)start;
	c->state = calloc(1, sizeof(struct hung_state));
	return c->state ? 0 : err_set(e, "no memory");
}

/* The same sleep at the look before, NULL if it is a new one. */
static const struct sleeper *hung_find(const struct hung_state *before, const struct sleeper *now)
{
	for (size_t i = 0; i < before->n; i++)
		if (before->sleepers[i].tid == now->tid &&
		    before->sleepers[i].start == now->start &&
		    before->sleepers[i].switches == now->switches)
			return &before->sleepers[i];
	return NULL;
}

static void hung_fire(struct condition *c, const struct sleeper *sleeper, const char *comm,
		      const char *stack, uint64_t time)
{
	struct verdict verdict = { .time = time, .cpu = UINT32_MAX, .pid = sleeper->tid };

	if (!judge_hit(c, time))
		return;
	snprintf(verdict.text, sizeof(verdict.text), "task %.*s (pid=%d) hangs for %llu ms: %s",
		 (int)strcspn(comm, "\t"), comm, sleeper->tid,
		 (unsigned long long)(time - sleeper->since) / NS_PER_MS, stack);
	judge_fire(c, &verdict);
}

static bool hung_is_ours(const struct hung *hung, const char *comm)
{
	size_t n = strcspn(comm, "\t");

	return !hung->comm || (strlen(hung->comm) == n && !strncmp(hung->comm, comm, n));
}

/* One text of tasks_asleep. */
static void hung_take(struct condition *c, const struct hung_state *before, const char *text,
		      uint64_t time)
{
	const struct hung *hung = c->data;
	struct hung_state *state = c->state;
	struct sleeper sleeper = { .since = time };
	const struct sleeper *known;
	const char *tab = strchr(text, '\t');
	bool fires;
	int at = 0;

	if (sscanf(text, "%d %llu %llu %n", &sleeper.tid, &sleeper.start, &sleeper.switches, &at) <
		    3 ||
	    !tab || !hung_is_ours(hung, text + at) || state->n == HUNG_TASKS)
		return;
	known = hung_find(before, &sleeper);
	if (known)
		sleeper = *known;
	fires = !sleeper.told && time - sleeper.since >= hung->over && time >= judge_armed(c);
	sleeper.told |= fires;
	state->sleepers[state->n++] = sleeper;
	if (time - sleeper.since > state->longest)
		state->longest = time - sleeper.since;
	if (fires)
		hung_fire(c, &sleeper, text + at, tab + 1, time);
}

static void hung_see(struct condition *c, const struct selector *s, const struct observation *o)
{
	struct hung_state *state = c->state, *before = malloc(sizeof(*before));
	const char *end = (const char *)o->data + o->size;

	(void)s;
	if (!before)
		return;
	*before = *state;
	state->n = 0;
	state->longest = 0;
	for (const char *at = (const char *)o->data; at < end; at += strlen(at) + 1)
		hung_take(c, before, at, o->time);
	free(before);
}

static void hung_explain(const struct condition *c, FILE *out)
{
	const struct hung *hung = c->data;

	fprintf(out, "a task%s%s is in state D for %s in one go", hung->comm ? " of the name " : "",
		hung->comm ? hung->comm : "", duration_text(hung->over).text);
}

static void hung_tell(const struct condition *c, char *text, size_t room)
{
	const struct hung_state *state = c->state;

	snprintf(text, room, "%zu asleep, the longest for %llu ms", state->n,
		 (unsigned long long)state->longest / NS_PER_MS);
}

const struct condition_ops hung_condition = {
	.type = "hung",
	.why = "the kernel has triggers for its events only",
	.decode = hung_decode,
	.begin = hung_begin,
	.see = hung_see,
	.explain = hung_explain,
	.tell = hung_tell,
};
