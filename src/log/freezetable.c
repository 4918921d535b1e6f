#include "log/freezetable.h"

#include <stdlib.h>
#include <string.h>

#define CALLS_MAX 128
#define HELD_MAX 512

struct held {
	struct mount mount;
	int pid; /* who has frozen it */
	unsigned fd;
	uint64_t since;
};

struct freezetable {
	freeze_said *said;
	void *arg;
	struct freezecall calls[CALLS_MAX]; /* under way, oldest first */
	size_t n_calls;
	struct held held[HELD_MAX];
	size_t n_held;
};

int freezetable_create(struct freezetable **ret, freeze_said *said, void *arg, struct err *e)
{
	struct freezetable *t = calloc(1, sizeof(*t));

	if (!t)
		return err_set(e, "no memory");
	t->said = said;
	t->arg = arg;
	*ret = t;
	return 0;
}

void freezetable_free(struct freezetable *t)
{
	free(t);
}

static struct freeze freeze_of(const struct freezecall *call, enum freeze_what what)
{
	struct freeze freeze = {
		.what = what, .pid = call->pid, .fd = call->fd, .mount = call->mount
	};

	freeze.parent = call->parent;
	memcpy(freeze.comm, call->comm, sizeof(freeze.comm));
	memcpy(freeze.parent_comm, call->parent_comm, sizeof(freeze.parent_comm));
	return freeze;
}

static bool held_is_of(const struct held *held, const struct mount *mount)
{
	return held->mount.major == mount->major && held->mount.minor == mount->minor;
}

static struct held *held_find(struct freezetable *t, const struct mount *mount)
{
	for (size_t i = 0; *mount->type && i < t->n_held; i++)
		if (held_is_of(&t->held[i], mount))
			return &t->held[i];
	return NULL;
}

/* Who thawed one may be gone, or have another file under that number, before anyone could look:
 * then it is the only one there is, or the only one that it has frozen by that number. */
static struct held *held_guess(struct freezetable *t, const struct freezecall *call)
{
	struct held *found = NULL;
	size_t n = 0;

	for (size_t i = 0; i < t->n_held; i++)
		if (t->held[i].pid == call->pid && t->held[i].fd == call->fd && ++n)
			found = &t->held[i];
	if (n == 1)
		return found;
	return t->n_held == 1 ? &t->held[0] : NULL;
}

/* One of which it is not known what it is: it may be this one. */
static struct held *held_unknown(struct freezetable *t)
{
	for (size_t i = 0; i < t->n_held; i++)
		if (!*t->held[i].mount.type)
			return &t->held[i];
	return NULL;
}

/* Whether what was looked up is of the call, and not of what its task did after that. */
static bool call_is_sure(const struct freezecall *call, uint64_t ended, const struct freeze *freeze)
{
	return *call->mount.type && (!call->looked || (call->looked < ended && !freeze->unseen));
}

static void freezetable_add(struct freezetable *t, const struct freezecall *call, uint64_t time,
			    struct freeze *freeze)
{
	if (!call_is_sure(call, time, freeze))
		freeze->mount = (struct mount) { 0 };
	if (t->n_held < HELD_MAX)
		t->held[t->n_held++] = (struct held) { .mount = freeze->mount,
						       .pid = call->pid,
						       .fd = call->fd,
						       .since = call->time };
}

/* Completes what is known of the thaw that CALL was. */
static void freezetable_remove(struct freezetable *t, const struct freezecall *call, uint64_t time,
			       struct freeze *freeze)
{
	bool sure = call_is_sure(call, time, freeze);
	struct held *held = sure ? held_find(t, &call->mount) : held_guess(t, call);

	if (!held && !sure) /* what was looked up may be another's */
		freeze->mount = (struct mount) { 0 };
	if (!held)
		held = sure ? held_unknown(t) : NULL;
	if (!held)
		return;
	if (!sure || *held->mount.type)
		freeze->mount = held->mount;
	freeze->was_frozen = time - held->since;
	*held = t->held[--t->n_held];
}

static struct freezecall *call_find(struct freezetable *t, int pid)
{
	for (size_t i = 0; i < t->n_calls; i++)
		if (t->calls[i].pid == pid)
			return &t->calls[i];
	return NULL;
}

bool freezetable_wants_mount(struct freezetable *t, int pid)
{
	struct freezecall *call = call_find(t, pid);

	return call && call->looked && call->shown++ < SHOWN_MAX;
}

void freezetable_name(struct freezetable *t, int pid, const struct mount *mount)
{
	struct freezecall *call = call_find(t, pid);

	if (!call)
		return;
	call->mount = *mount;
	call->looked = 0;
}

static void call_forget(struct freezetable *t, struct freezecall *call)
{
	memmove(call, call + 1, (t->calls + --t->n_calls - call) * sizeof(*call));
}

static void call_end(struct freezetable *t, struct freezecall *call, uint64_t time, long result,
		     bool unseen)
{
	bool freezes = call->cmd == FREEZE_ASKED;
	struct freeze freeze = freeze_of(call, freezes ? FROZEN : THAWED);

	freeze.took = time - call->time;
	freeze.unseen = unseen;
	if (result < 0) {
		freeze.what = freezes ? NOT_FROZEN : NOT_THAWED;
		freeze.error = (int)-result;
	} else if (freezes) {
		freezetable_add(t, call, time, &freeze);
	} else {
		freezetable_remove(t, call, time, &freeze);
	}
	t->said(t->arg, time, &freeze);
	call_forget(t, call);
}

void freezetable_begin(struct freezetable *t, const struct freezecall *call)
{
	struct freezecall *last = call_find(t, call->pid);
	struct freeze freeze = freeze_of(call, call->cmd == FREEZE_ASKED ? FREEZING : THAWING);

	/* a task that begins another one has ended the last, whoever saw it */
	if (last)
		call_end(t, last, call->time, 0, true);
	t->said(t->arg, call->time, &freeze);
	if (t->n_calls < CALLS_MAX)
		t->calls[t->n_calls++] = *call;
}

void freezetable_end(struct freezetable *t, uint64_t time, int pid, long result)
{
	struct freezecall *call = call_find(t, pid);

	if (call && call->time <= time)
		call_end(t, call, time, result, false);
}

void freezetable_expire(struct freezetable *t, uint64_t now, uint64_t age, bool (*lives)(int pid))
{
	for (size_t i = t->n_calls; i-- > 0;)
		if (t->calls[i].time + age <= now && !lives(t->calls[i].pid))
			call_end(t, &t->calls[i], now, 0, true);
}

bool freezetable_is_busy(const struct freezetable *t)
{
	return t->n_calls > 0;
}
