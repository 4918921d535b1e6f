#include "thaw.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "auto.h"
#include "clock.h"
#include "follower.h"
#include "freezeline.h"
#include "freezes.h"
#include "io.h"
#include "memory.h"
#include "mounts.h"
#include "units.h"

#define THAW_OTHERS                                                                            \
	(5 * 60 * NS_PER_S) /* how long other file systems are waited for: to write would hold \
			       up who goes on to freeze this one */

/* What it is given. */
struct thaw {
	const char *log; /* the one of freezes, with its ring */
	int dir;         /* of the output */
	const char *id;
};

/* How many file systems are frozen, or being frozen. */
static size_t thaw_count(struct follower *follower, size_t frozen)
{
	struct followed line;
	struct freeze freeze;
	const char *rest;

	while (follower_next(follower, &line) > 0) {
		if (!line.text || !freezeline_read(&freeze, line.text, &rest))
			continue;
		if (freeze.what == FREEZING)
			frozen++;
		else if (frozen && (freeze.what == NOT_FROZEN || freeze.what == THAWED))
			frozen--;
	}
	return frozen;
}

/* Until the engine says stop and nothing is frozen; false if the engine is gone. */
static bool thaw_watch(struct follower *follower, int engine)
{
	uint64_t until = UINT64_MAX;
	struct message message;
	size_t frozen = 0;

	for (;;) {
		struct pollfd fds[] = { { .fd = engine, .events = POLLIN },
					{ .fd = follower_fd(follower), .events = POLLIN } };
		int r;

		poll(fds, countof(fds), until == UINT64_MAX ? -1 : 1000);
		frozen = thaw_count(follower, frozen);
		r = message_receive(engine, &message);
		if (r < 0)
			return false;
		if (r > 0 && message.type == MESSAGE_STOP)
			until = clock_boot() + THAW_OTHERS;
		if (until != UINT64_MAX && (!frozen || clock_boot() > until))
			return true;
	}
}

/* Whoever makes a file on a frozen file system waits for its thaw. */
static int thaw_write(const struct thaw *thaw, struct err *e)
{
	char name[64];

	snprintf(name, sizeof(name), ".tracer-%s", thaw->id);
	if (io_create_file(thaw->dir, name, "", 0, e) < 0)
		return e->code;
	return unlinkat(thaw->dir, name, 0) < 0 ? err_sys(e, "cannot remove '%s'", name) : 0;
}

static int thaw_main(void *arg, int engine, struct err *e)
{
	const struct thaw *thaw = arg;
	struct follower *follower;
	int r = 0;

	if (memory_lock(e) < 0 || follower_open(&follower, thaw->log, FOLLOW_NOW, e) < 0)
		return e->code;
	message_send(engine, MESSAGE_ARMED, "");
	if (thaw_watch(follower, engine))
		r = thaw_write(thaw, e);
	follower_close(follower);
	return r;
}

int thaw_start(struct worker *w, struct capture *c, const char *outdir, struct err *e)
{
	autoclose int dir = io_open_dir(AT_FDCWD, outdir, e);
	struct thaw thaw = { .dir = dir, .id = c->state->id };
	autofree char *log = NULL;

	if (dir < 0)
		return dir;
	if (mount_is_in_memory(dir))
		return 0;
	if (freezes_arm(c, capture_instance(c->state, ".thaw").text, &log, e) < 0)
		return e->code;
	thaw.log = log;
	return worker_start(w, "thaw", thaw_main, &thaw, &dir, 1, e);
}
