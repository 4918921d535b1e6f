/* t.frozen: a file system has been frozen for so long, or its freeze has not come to an end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "condition.h"
#include "freezeline.h"
#include "judge.h"
#include "units.h"

#define FREEZES_MAX 1024 /* that are told apart */

/* A freeze that was asked for. */
struct asked {
	unsigned major, minor;
	int pid;
	unsigned fd;
	uint64_t since;
	bool done; /* else it is still being frozen */
	bool told;
	char who[300]; /* "comm=fsfreeze type=ext4 mount=/mnt/data" */
};

struct frozen_state {
	struct asked asked[FREEZES_MAX]; /* oldest first */
	size_t n;
	size_t strangers; /* thaws of which it is not known which one ended */
};

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
	c->state = calloc(1, sizeof(struct frozen_state));
	return c->state ? 0 : err_set(e, "no memory");
}

static void asked_forget(struct frozen_state *state, struct asked *asked)
{
	memmove(asked, asked + 1, (state->asked + --state->n - asked) * sizeof(*asked));
}

/* The one that this task has asked for and that is not done. */
static struct asked *asked_by(struct frozen_state *state, int pid)
{
	for (size_t i = 0; i < state->n; i++)
		if (!state->asked[i].done && state->asked[i].pid == pid)
			return &state->asked[i];
	return NULL;
}

static void frozen_ask(struct frozen_state *state, const struct freeze *freeze, const char *rest,
		       uint64_t time)
{
	struct asked *asked = &state->asked[state->n];

	if (state->n == FREEZES_MAX)
		return;
	*asked = (struct asked) { .major = freeze->mount.major,
				  .minor = freeze->mount.minor,
				  .pid = freeze->pid,
				  .fd = freeze->fd,
				  .since = time };
	snprintf(asked->who, sizeof(asked->who), "%s", rest);
	state->n++;
}

static size_t frozen_done(const struct frozen_state *state)
{
	size_t n = 0;

	for (size_t i = 0; i < state->n; i++)
		n += state->asked[i].done;
	return n;
}

static void frozen_forget_done(struct frozen_state *state)
{
	for (size_t i = state->n; i-- > 0;)
		if (state->asked[i].done)
			asked_forget(state, &state->asked[i]);
	state->strangers = 0;
}

static void frozen_thaw(struct frozen_state *state, const struct freeze *freeze)
{
	if (!freeze->mount.major && !freeze->mount.minor)
		state->strangers++;
	else
		for (size_t i = state->n; i-- > 0;)
			if (state->asked[i].done && state->asked[i].major == freeze->mount.major &&
			    state->asked[i].minor == freeze->mount.minor)
				asked_forget(state, &state->asked[i]);
	if (frozen_done(state) <= state->strangers)
		frozen_forget_done(state);
}

static void frozen_see(struct condition *c, const struct selector *s, const struct observation *o)
{
	struct frozen_state *state = c->state;
	struct asked *asked;
	struct freeze freeze;
	const char *rest;

	(void)s;
	if (!freezeline_read(&freeze, (const char *)o->data, &rest))
		return;
	asked = asked_by(state, freeze.pid);
	if (freeze.what == FREEZING)
		frozen_ask(state, &freeze, rest, o->time);
	else if (freeze.what == FROZEN && asked)
		asked->done = true;
	else if (freeze.what == NOT_FROZEN && asked)
		asked_forget(state, asked);
	else if (freeze.what == THAWED)
		frozen_thaw(state, &freeze);
}

/* The next one that will have been frozen for too long, NULL if there is none. */
static struct asked *frozen_next(struct condition *c)
{
	struct frozen_state *state = c->state;

	for (size_t i = 0; i < state->n; i++)
		if (!state->asked[i].told)
			return &state->asked[i];
	return NULL;
}

static uint64_t frozen_due(const struct condition *c)
{
	const struct asked *next = frozen_next((struct condition *)c);
	const struct frozen_for *frozen = c->data;
	uint64_t due = next ? next->since + frozen->over : UINT64_MAX;

	return due < judge_armed(c) ? judge_armed(c) : due;
}

static void frozen_fire(struct condition *c, const struct asked *asked, uint64_t time)
{
	const struct frozen_state *state = c->state;
	struct verdict verdict = { .time = time, .cpu = UINT32_MAX, .pid = asked->pid };

	if (!judge_hit(c, time))
		return;
	verdict.uncertain = state->strangers || judge_missed(c, asked->since);
	snprintf(verdict.text, sizeof(verdict.text), "%s for %s by pid=%d: device %u:%u, %s",
		 asked->done ? "frozen" : "being frozen, without an end,",
		 duration_about(time - asked->since).text, asked->pid, asked->major, asked->minor,
		 asked->who);
	snprintf(verdict.numbers, sizeof(verdict.numbers), "pid=%d fd=%u major=%u minor=%u ",
		 asked->pid, asked->fd, asked->major, asked->minor);
	judge_fire(c, &verdict);
}

static void frozen_reach(struct condition *c, uint64_t now)
{
	struct asked *next;

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
	const struct frozen_state *state = c->state;

	if (state->n)
		snprintf(text, room, "%zu frozen, the first %s", state->n, state->asked[0].who);
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
