#include "condition/frozenset.h"

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

/* What is known of it at the end of the call goes before what was at its begin. */
static void frozen_name(struct frozen *frozen, const struct freeze *freeze, const char *rest)
{
	const char *comm = strstr(rest, "comm=");

	frozen->major = freeze->mount.major;
	frozen->minor = freeze->mount.minor;
	snprintf(frozen->who, sizeof(frozen->who), "%s", comm ? comm : rest);
}

static void frozenset_ask(struct frozenset *set, const struct freeze *freeze, const char *rest,
			  uint64_t time)
{
	struct frozen *frozen = frozen_by(set, freeze->pid);

	if (frozen) /* it asks for another: that one has ended, and nobody has seen it */
		frozen->done = frozen->unsure = true;
	if (set->n == FROZEN_MAX)
		return;
	frozen = &set->list[set->n];
	*frozen = (struct frozen) { .pid = freeze->pid, .fd = freeze->fd, .since = time };
	frozen_name(frozen, freeze, rest);
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

/* What was not frozen here may be one of which the device is not known: then the oldest of these,
 * and the others may be it as well. */
static void frozenset_forget_unknown(struct frozenset *set)
{
	bool forgot = false;

	for (size_t i = 0; i < set->n;) {
		struct frozen *frozen = &set->list[i];

		if (!frozen->done || frozen->major || frozen->minor) {
			i++;
		} else if (forgot) {
			frozen->unsure = true;
			i++;
		} else {
			frozen_forget(set, frozen);
			forgot = true;
		}
	}
}

/* One whose device is not known may be any of those that are frozen. When there are no more of
 * those than of such thaws, all are thawed. */
static void frozenset_settle(struct frozenset *set)
{
	if (!set->strangers || frozenset_done(set) > set->strangers)
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
		set->strangers++;
	else if (!frozenset_forget(set, major, minor))
		frozenset_forget_unknown(set);
	frozenset_settle(set);
}

void frozenset_take(struct frozenset *set, const struct freeze *freeze, const char *rest,
		    uint64_t time)
{
	struct frozen *frozen = frozen_by(set, freeze->pid);

	if (freeze->what == FREEZING) {
		frozenset_ask(set, freeze, rest, time);
	} else if (freeze->what == FROZEN && frozen) {
		frozen->done = true;
		frozen->unsure = freeze->unseen;
		frozen_name(frozen, freeze, rest);
	} else if (freeze->what == NOT_FROZEN && frozen) {
		frozen_forget(set, frozen);
	} else if (freeze->what == THAWED) {
		frozenset_thaw(set, freeze);
	}
}
