#include "judge.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "auto.h"

/* The times of the hits that still count. */
struct tally {
	uint64_t *times; /* the last `hits` of them, as a ring; only if there is `within` */
	uint64_t count;
};

struct judge {
	struct condition *conditions;
	size_t n;
	struct progress *progress;
	struct tally *tallies; /* one for each condition; shared */
	size_t tallies_size;
	judge_fired *fired;
	void *arg;
	uint64_t start;
	uint64_t due;
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
		if (j->conditions[i].within)
			j->tallies_size += j->conditions[i].hits * sizeof(*times);
	map = mmap(NULL, j->tallies_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		   0);
	if (map == MAP_FAILED)
		return err_sys(e, "no memory to count hits");
	j->tallies = map;
	times = (uint64_t *)(j->tallies + j->n + 1);
	for (size_t i = 0; i < j->n; i++) {
		if (!j->conditions[i].within)
			continue;
		j->tallies[i].times = times;
		times += j->conditions[i].hits;
	}
	return 0;
}

int judge_create(struct judge **ret, struct condition *conditions, size_t n,
		 struct progress *progress, struct err *e)
{
	struct judge *j = calloc(1, sizeof(*j));

	if (!j)
		return err_set(e, "no memory");
	*j = (struct judge) {
		.conditions = conditions, .n = n, .progress = progress, .due = UINT64_MAX
	};
	if (judge_share_tallies(j, e) < 0) {
		judge_free(j);
		return e->code;
	}
	for (size_t i = 0; i < n; i++)
		conditions[i].judge = j;
	*ret = j;
	return 0;
}

void judge_free(struct judge *j)
{
	if (!j)
		return;
	for (size_t i = 0; i < j->n; i++) {
		struct condition *c = &j->conditions[i];

		if (c->ops->end)
			c->ops->end(c);
		c->judge = NULL;
	}
	if (j->tallies)
		munmap(j->tallies, j->tallies_size);
	free(j);
}

/* When it wants to be asked, at the latest. */
static void judge_take_due(struct judge *j, const struct condition *c)
{
	uint64_t due = c->ops->due ? c->ops->due(c) : UINT64_MAX;

	if (due < j->due)
		j->due = due;
}

int judge_begin(struct judge *j, uint64_t start, judge_fired *fired, void *arg, struct err *e)
{
	j->start = start;
	j->fired = fired;
	j->arg = arg;
	for (size_t i = 0; i < j->n; i++) {
		struct condition *c = &j->conditions[i];

		if (c->ops->begin && c->ops->begin(c, start, e) < 0)
			return err_wrap(e, "%s", c->at);
		judge_take_due(j, c);
	}
	return 0;
}

void judge_see(struct judge *j, const struct selector *s, const struct observation *o)
{
	if (j->due < o->time)
		judge_reach(j, o->time);
	s->owner->ops->see(s->owner, s, o);
	judge_take_due(j, s->owner);
}

void judge_reach(struct judge *j, uint64_t now)
{
	j->due = UINT64_MAX;
	for (size_t i = 0; i < j->n; i++) {
		struct condition *c = &j->conditions[i];

		if (c->ops->reach)
			c->ops->reach(c, now);
		judge_take_due(j, c);
	}
}

uint64_t judge_due(const struct judge *j)
{
	return j->due;
}

void judge_tell(struct judge *j)
{
	for (size_t i = 0; i < j->n; i++) {
		const struct condition *c = &j->conditions[i];

		if (c->ops->tell)
			c->ops->tell(c, j->progress[i].near, sizeof(j->progress[i].near));
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
	struct tally *tally = &j->tallies[c->index];
	uint64_t *slot;

	j->progress[c->index].seen++;
	j->progress[c->index].last = time;
	tally->count++;
	if (!tally->times)
		return tally->count >= c->hits;
	slot = &tally->times[tally->count % c->hits];
	*slot = time;
	return tally->count >= c->hits &&
	       time - tally->times[(tally->count + 1) % c->hits] <= c->within;
}

void judge_fire(struct condition *c, struct verdict *verdict)
{
	verdict->condition = c;
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
