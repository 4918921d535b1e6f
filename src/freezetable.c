#include "freezetable.h"

#include <stdlib.h>
#include <string.h>

#define CALLS_MAX 64
#define FROZEN_MAX 1024

struct frozen {
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
	struct frozen frozen[FROZEN_MAX];
	size_t n_frozen;
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

	memcpy(freeze.comm, call->comm, sizeof(freeze.comm));
	return freeze;
}

void freezetable_begin(struct freezetable *t, const struct freezecall *call)
{
	struct freeze freeze = freeze_of(call, call->cmd == FREEZE_ASKED ? FREEZING : THAWING);

	/* of a thaw, which takes no time, it is known at the end only */
	if (call->cmd == FREEZE_ASKED)
		t->said(t->arg, call->time, &freeze);
	if (t->n_calls < CALLS_MAX)
		t->calls[t->n_calls++] = *call;
}

static bool frozen_is_of(const struct frozen *frozen, const struct mount *mount)
{
	return frozen->mount.major == mount->major && frozen->mount.minor == mount->minor;
}

static struct frozen *frozen_find(struct freezetable *t, const struct mount *mount)
{
	for (size_t i = 0; *mount->type && i < t->n_frozen; i++)
		if (frozen_is_of(&t->frozen[i], mount))
			return &t->frozen[i];
	return NULL;
}

/* Who thawed one may be gone, or have another file under that number, before anyone could look:
 * then it is the only one there is, or the one that it has frozen. */
static struct frozen *frozen_guess(struct freezetable *t, const struct freezecall *call)
{
	if (t->n_frozen == 1)
		return &t->frozen[0];
	for (size_t i = 0; i < t->n_frozen; i++)
		if (t->frozen[i].pid == call->pid && t->frozen[i].fd == call->fd)
			return &t->frozen[i];
	return NULL;
}

static void freezetable_add(struct freezetable *t, const struct freezecall *call)
{
	if (t->n_frozen < FROZEN_MAX)
		t->frozen[t->n_frozen++] = (struct frozen) {
			.mount = call->mount, .pid = call->pid, .fd = call->fd, .since = call->time
		};
}

/* Completes what is known of the thaw that CALL was. */
static void freezetable_remove(struct freezetable *t, const struct freezecall *call, uint64_t time,
			       struct freeze *freeze)
{
	bool sure = *call->mount.type && call->looked < time;
	struct frozen *frozen = frozen_find(t, &call->mount);

	if (!frozen && !sure)
		frozen = frozen_guess(t, call);
	if (!frozen && !sure) /* another's, by now */
		freeze->mount = (struct mount) { 0 };
	freeze->took = 0;
	if (!frozen)
		return;
	freeze->mount = frozen->mount;
	freeze->took = time - frozen->since;
	*frozen = t->frozen[--t->n_frozen];
}

static struct freezecall *call_find(struct freezetable *t, int pid)
{
	for (size_t i = 0; i < t->n_calls; i++)
		if (t->calls[i].pid == pid)
			return &t->calls[i];
	return NULL;
}

bool freezetable_wants_mount(const struct freezetable *t, int pid)
{
	const struct freezecall *call = call_find((struct freezetable *)t, pid);

	return call && call->cmd == THAW_ASKED && call->looked;
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
		freezetable_add(t, call);
	} else {
		freezetable_remove(t, call, time, &freeze);
	}
	t->said(t->arg, time, &freeze);
	call_forget(t, call);
}

void freezetable_end(struct freezetable *t, uint64_t time, int pid, long result)
{
	struct freezecall *call = call_find(t, pid);

	if (call && call->time <= time)
		call_end(t, call, time, result, false);
}

void freezetable_lose(struct freezetable *t, uint64_t time, int pid)
{
	struct freezecall *call = call_find(t, pid);

	if (call)
		call_end(t, call, time, 0, true);
}

int freezetable_under_way(const struct freezetable *t, uint64_t time)
{
	for (size_t i = 0; i < t->n_calls; i++)
		if (t->calls[i].time < time)
			return t->calls[i].pid;
	return 0;
}
