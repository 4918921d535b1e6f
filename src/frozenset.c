#include "frozenset.h"

#include <stdio.h>
#include <string.h>

static void frozen_forget(struct frozenset *set, struct frozen *frozen)
{
	memmove(frozen, frozen + 1, (set->list + --set->n - frozen) * sizeof(*frozen));
}

/* The one that this task has asked for and that is not done. */
static struct frozen *frozen_by(struct frozenset *set, int pid)
{
	for (size_t i = 0; i < set->n; i++)
		if (!set->list[i].done && set->list[i].pid == pid)
			return &set->list[i];
	return NULL;
}

static void frozenset_ask(struct frozenset *set, const struct freeze *freeze, const char *rest,
			  uint64_t time)
{
	struct frozen *frozen = &set->list[set->n];

	if (set->n == FROZEN_MAX)
		return;
	*frozen = (struct frozen) { .major = freeze->mount.major,
				    .minor = freeze->mount.minor,
				    .pid = freeze->pid,
				    .fd = freeze->fd,
				    .since = time };
	snprintf(frozen->who, sizeof(frozen->who), "%s", rest);
	set->n++;
}

static size_t frozenset_done(const struct frozenset *set)
{
	size_t n = 0;

	for (size_t i = 0; i < set->n; i++)
		n += set->list[i].done;
	return n;
}

/* Forgets those of that device that are done. Returns how many. */
static size_t frozenset_forget(struct frozenset *set, unsigned major, unsigned minor)
{
	size_t before = set->n;

	for (size_t i = set->n; i-- > 0;)
		if (set->list[i].done && set->list[i].major == major && set->list[i].minor == minor)
			frozen_forget(set, &set->list[i]);
	return before - set->n;
}

/* Of one whose device is not known, the oldest. */
static void frozenset_forget_unknown(struct frozenset *set)
{
	for (size_t i = 0; i < set->n; i++) {
		const struct frozen *frozen = &set->list[i];

		if (!frozen->done || frozen->major || frozen->minor)
			continue;
		frozen_forget(set, &set->list[i]);
		return;
	}
}

/* One whose device is not known may be any of those that are frozen: when there are as many of
 * those, all are thawed. */
static void frozenset_thaw_unknown(struct frozenset *set)
{
	if (frozenset_done(set) > ++set->strangers)
		return;
	for (size_t i = set->n; i-- > 0;)
		if (set->list[i].done)
			frozen_forget(set, &set->list[i]);
	set->strangers = 0;
}

static void frozenset_thaw(struct frozenset *set, const struct freeze *freeze)
{
	unsigned major = freeze->mount.major, minor = freeze->mount.minor;

	if (!major && !minor)
		frozenset_thaw_unknown(set);
	else if (!frozenset_forget(set, major, minor))
		frozenset_forget_unknown(set);
}

void frozenset_take(struct frozenset *set, const struct freeze *freeze, const char *rest,
		    uint64_t time)
{
	struct frozen *frozen = frozen_by(set, freeze->pid);

	if (freeze->what == FREEZING)
		frozenset_ask(set, freeze, rest, time);
	else if (freeze->what == FROZEN && frozen)
		frozen->done = true;
	else if (freeze->what == NOT_FROZEN && frozen)
		frozen_forget(set, frozen);
	else if (freeze->what == THAWED)
		frozenset_thaw(set, freeze);
}
