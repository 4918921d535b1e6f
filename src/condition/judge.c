#include "condition/judge.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/auto.h"

/* The times of the hits that still count. */
struct tally {
	uint64_t *times; /* the last `hits` of them, as a ring; only if there is `within` */
	uint64_t count;
};

struct judge {
	struct condition **all; /* those of the plan, and what they are made of */
	size_t n;
	struct progress *progress;
	struct tally *tallies; /* one for each condition; shared */
	size_t tallies_size;
	judge_fired *fired;
	void *arg;
	uint64_t start;
	uint64_t due;
	uint64_t newest; /* record so far */
	bool missed[STREAMS];
	uint64_t missed_until[STREAMS];
};

/* The tallies, and behind them the times of those that need them. */
static int judge_share_tallies(struct judge *j, struct err *e)
{
	uint64_t *times;
	void *map;

	j->tallies_size = (j->n + 1) * sizeof(*j->tallies);
	for (size_t i = 0; i < j->n; i++)
		if (j->all[i]->within)
			j->tallies_size += j->all[i]->hits * sizeof(*times);
	map = mmap(NULL, j->tallies_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		   0);
	if (map == MAP_FAILED)
		return err_sys(e, "no memory to count hits");
	j->tallies = map;
	times = (uint64_t *)(j->tallies + j->n + 1);
	for (size_t i = 0; i < j->n; i++) {
		if (!j->all[i]->within)
			continue;
		j->tallies[i].times = times;
		times += j->all[i]->hits;
	}
	return 0;
}

static int judge_add(void *arg, struct condition *c)
{
	struct judge *j = arg;
	struct condition **grown = realloc(j->all, (j->n + 1) * sizeof(void *));

	if (!grown)
		return -ENOMEM;
	j->all = grown;
	c->judge = j;
	c->number = j->n;
	grown[j->n++] = c;
	return 0;
}

int judge_create(struct judge **ret, struct condition *conditions, size_t n,
		 struct progress *progress, struct err *e)
{
	struct judge *j = calloc(1, sizeof(*j));

	if (!j)
		return err_set(e, "no memory");
	*j = (struct judge) { .progress = progress, .due = UINT64_MAX };
	for (size_t i = 0; i < n && e->code == 0; i++)
		if (condition_each(&conditions[i], judge_add, j) < 0)
			err_set(e, "no memory");
	if (e->code < 0 || judge_share_tallies(j, e) < 0) {
		judge_free(j);
		return e->code;
	}
	*ret = j;
	return 0;
}

void judge_free(struct judge *j)
{
	if (!j)
		return;
	for (size_t i = 0; i < j->n; i++) {
		if (j->all[i]->ops->end)
			j->all[i]->ops->end(j->all[i]);
		free(take_ptr(j->all[i]->state));
		j->all[i]->judge = NULL;
	}
	if (j->tallies)
		munmap(j->tallies, j->tallies_size);
	free(j->all);
	free(j);
}

/* The one of the plan's list that it belongs to. */
static struct progress *judge_progress(const struct judge *j, const struct condition *c)
{
	while (c->parent)
		c = c->parent;
	return &j->progress[c->index];
}

static bool judge_is_disabled(const struct judge *j, const struct condition *c)
{
	return judge_progress(j, c)->fault[0];
}

void judge_disable(struct judge *j, const struct condition *c, const char *why)
{
	struct progress *progress = judge_progress(j, c);

	if (!progress->fault[0])
		snprintf(progress->fault, sizeof(progress->fault), "%s", why);
}

static uint64_t judge_due_of(const struct condition *c)
{
	if (judge_is_disabled(c->judge, c))
		return UINT64_MAX;
	return c->ops->due ? c->ops->due(c) : UINT64_MAX;
}

int judge_begin(struct judge *j, uint64_t start, uint64_t since, judge_fired *fired, void *arg,
		struct err *e)
{
	j->start = start;
	j->fired = fired;
	j->arg = arg;
	for (size_t i = 0; i < j->n; i++) {
		struct condition *c = j->all[i];

		if (c->ops->begin && c->ops->begin(c, since, e) < 0)
			return err_wrap(e, "%s", c->at);
		if (judge_due_of(c) < j->due)
			j->due = judge_due_of(c);
	}
	return 0;
}

/* A record changes when its condition is due, and those that it is a part of. */
void judge_see(struct judge *j, const struct selector *s, const struct observation *o)
{
	struct observation late;

	if (judge_is_disabled(j, s->owner))
		return;
	if (o->time < j->newest) {
		late = *o;
		late.time = j->newest;
		o = &late;
	}
	j->newest = o->time;
	if (j->due < o->time)
		judge_reach(j, o->time);
	s->owner->ops->see(s->owner, s, o);
	for (const struct condition *c = s->owner; c; c = c->parent)
		if (judge_due_of(c) < j->due)
			j->due = judge_due_of(c);
}

/* The one that is due first; parts come behind what they are parts of. */
static struct condition *judge_first_due(const struct judge *j, uint64_t *due)
{
	struct condition *first = NULL;

	*due = UINT64_MAX;
	for (size_t i = 0; i < j->n; i++)
		if (judge_due_of(j->all[i]) < *due) {
			first = j->all[i];
			*due = judge_due_of(first);
		}
	return first;
}

/* One after the other, as they become due: whoever is made of several sees them in that order. */
void judge_reach(struct judge *j, uint64_t now)
{
	struct condition *c;

	while ((c = judge_first_due(j, &j->due)) && j->due < now)
		c->ops->reach(c, j->due + 1);
}

uint64_t judge_due(const struct judge *j)
{
	return j->due;
}

void judge_tell(struct judge *j)
{
	for (size_t i = 0; i < j->n; i++) {
		const struct condition *c = j->all[i];
		struct progress *progress = &j->progress[c->index];

		if (c->ops->tell && !c->parent)
			c->ops->tell(c, progress->near, sizeof(progress->near));
	}
}

void judge_hole(struct judge *j, enum stream stream, uint64_t to)
{
	j->missed[stream] = true;
	if (to > j->missed_until[stream])
		j->missed_until[stream] = to;
}

bool judge_hit(struct condition *c, uint64_t time)
{
	struct judge *j = c->judge;
	struct tally *tally = &j->tallies[c->number];
	uint64_t *slot;

	if (c->arm_after && time < judge_armed(c))
		return false;
	if (!c->parent) {
		j->progress[c->index].seen++;
		j->progress[c->index].last = time;
	}
	tally->count++;
	if (!tally->times)
		return tally->count >= c->hits;
	slot = &tally->times[tally->count % c->hits];
	*slot = time;
	return tally->count >= c->hits &&
	       time - tally->times[(tally->count + 1) % c->hits] <= c->within;
}

uint64_t judge_armed(const struct condition *c)
{
	return c->judge->start + c->arm_after;
}

void judge_fire(struct condition *c, struct verdict *verdict)
{
	verdict->condition = c;
	if (c->parent)
		c->parent->ops->part(c->parent, c, verdict);
	else
		c->judge->fired(c->judge->arg, verdict);
}

bool judge_missed(const struct condition *c, uint64_t since)
{
	for (size_t i = 0; i < c->n_selectors; i++) {
		enum stream stream = c->selectors[i].ops->stream;

		if (c->judge->missed[stream] && c->judge->missed_until[stream] >= since)
			return true;
	}
	return false;
}
