/* A process that follows a log, the journal, a file that rotates or freezes.h, and hands its lines
 * to whoever has started it: from its start on, none of before. A log that hangs costs this process
 * alone. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "log/followlog.h"

#define FOLLOWER_BLIND                                                                \
	(2 * 1000000000ull) /* ns; who has not reached the end of its log for so long \
			       does not see it */
#define FOLLOWER_JOURNAL "journal" /* the name of the journal; of a file it is its path */

struct follower;

/* With root's privileges; the process is at its place in the log when this returns. *ret is the
 * caller's. What the host lacks is EXIT_HOST. */
int follower_open(struct follower **ret, const char *log, enum follow follow, struct err *e);

/* Whether this host has that log; as root. */
int follower_probe(const char *log, struct err *e);

/* NULL is fine. */
void follower_close(struct follower *f);

/* Readable when there is a line. */
int follower_fd(const struct follower *f);

/* The next line or mark. Returns 1, 0 if there is none now, -EPIPE if the process is gone. */
int follower_next(struct follower *f, struct followed *line);
