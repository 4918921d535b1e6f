#include "engine/thaw.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/units.h"
#include "condition/frozenset.h"
#include "log/follower.h"
#include "log/freezeline.h"
#include "log/freezes.h"
#include "process/memory.h"
#include "reader/mounts.h"

#define THAW_OTHERS                                                                            \
	(5 * 60 * NS_PER_S) /* how long other file systems are waited for: to write would hold \
			       up who goes on to freeze this one */

struct thaw {
	char *log; /* the one of freezes, with its ring; NULL: nobody knows of them */
	int dir;   /* of the output */
	char name[64];
	struct frozenset set; /* in its process */
};

int thaw_make(struct thaw **ret, struct capture *c, const char *outdir, struct err *e)
{
	autoclose int dir = io_open_dir(AT_FDCWD, outdir, e);
	struct thaw *thaw;

	if (dir < 0)
		return dir;
	if (mount_is_in_memory(dir))
		return 0;
	thaw = *ret = calloc(1, sizeof(*thaw));
	if (!thaw)
		return err_set(e, "no memory");
	thaw->dir = take_fd(&dir);
	snprintf(thaw->name, sizeof(thaw->name), ".tracer-%s", c->state->id);
	return 0;
}

int thaw_arm(struct thaw **ret, struct capture *c, const char *outdir, struct err *e)
{
	if (thaw_make(ret, c, outdir, e) < 0 || !*ret)
		return e->code;
	return freezes_arm(c->ledger, c->tracing, capture_instance(c->state, ".thaw").text,
			   &(*ret)->log, e);
}

void thaw_free(struct thaw *thaw)
{
	if (!thaw)
		return;
	close(thaw->dir);
	free(thaw->log);
	free(thaw);
}

/* What comes after the stop is in no log of the bundle but tracer.log. Returns -EPIPE if nobody
 * follows them any more. */
static int thaw_take(struct thaw *thaw, struct follower *follower, int told)
{
	struct followed line;
	struct freeze freeze;
	const char *rest;
	int more;

	while ((more = follower_next(follower, &line)) > 0)
		if (line.text && freezeline_read(&freeze, line.text, &rest)) {
			frozenset_take(&thaw->set, &freeze, rest, line.time);
			if (told >= 0)
				message_send(told, MESSAGE_SAY, line.text);
		}
	return more;
}

/* Until the engine says stop and nothing is frozen. Returns 1 then, 0 if the engine is gone. */
static int thaw_watch(struct thaw *thaw, struct follower *follower, int engine, struct err *e)
{
	uint64_t until = UINT64_MAX;
	struct message message;

	for (;;) {
		struct pollfd fds[] = { { .fd = engine, .events = POLLIN },
					{ .fd = follower_fd(follower), .events = POLLIN } };
		int r;

		poll(fds, countof(fds), until == UINT64_MAX ? -1 : 1000);
		if (thaw_take(thaw, follower, until == UINT64_MAX ? -1 : engine) < 0)
			return err_set(e, "the process that follows freezes is gone");
		r = message_receive(engine, &message);
		if (r < 0)
			return 0;
		if (r > 0 && message.type == MESSAGE_STOP)
			until = clock_boot() + THAW_OTHERS;
		if (until != UINT64_MAX && (!thaw->set.n || clock_boot() > until))
			return 1;
	}
}

/* Whoever makes a file on a frozen file system waits for its thaw. One without a name is gone by
 * itself; not all have that. */
static int thaw_write(const struct thaw *thaw, struct err *e)
{
	autoclose int fd = openat(thaw->dir, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);

	if (fd >= 0)
		return 0;
	if (io_create_file(thaw->dir, thaw->name, "", 0, e) < 0)
		return e->code;
	return unlinkat(thaw->dir, thaw->name, 0) < 0 ? err_sys(e, "cannot remove '%s'", thaw->name)
						      : 0;
}

static int thaw_main(void *arg, int engine, struct err *e)
{
	struct thaw *thaw = arg;
	struct follower *follower = NULL;
	int r = 1;

	if (memory_lock(e) < 0 ||
	    (thaw->log && follower_open(&follower, thaw->log, FOLLOW_NOW, e) < 0))
		return e->code;
	message_send(engine, MESSAGE_ARMED, "");
	if (follower)
		r = thaw_watch(thaw, follower, engine, e);
	if (r > 0)
		r = thaw_write(thaw, e);
	follower_close(follower);
	return r;
}

int thaw_start(struct thaw *thaw, struct worker *w, struct err *e)
{
	return worker_start(w, "thaw", thaw_main, thaw, &thaw->dir, 1, e);
}
