/* One kind of log that a follower can follow: the operations that hand out its lines. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define FOLLOWER_LATE (250 * 1000000ull) /* ns; within that a line is seen */
#define FOLLOWER_LINE 8192u /* bytes of a line; what is longer is cut */

/* A line, or with `text` NULL a mark: all that was in the log at that time has come; or the file
 * was cut, and what had come to it since the last mark may be lost. */
struct followed {
	uint64_t time;     /* boot clock: when the journal got it; of a file when it was read */
	uint32_t priority; /* of syslog(3), UINT32_MAX if it has none */
	bool cut;
	const char *text; /* ends in a NUL; valid until the next one */
	size_t size;
};

enum follow {
	FOLLOW_NOW,   /* the log has to be there */
	FOLLOW_LATER, /* a file may be missing: it is waited for */
};

/* Takes a line; returns 0, or -errno when nobody wants more. */
typedef int followlog_emit(void *arg, const struct followed *line);

struct followlog_ops {
	/* As root: at the end of what is there. *ret is the caller's. */
	int (*open)(void **ret, const char *log, enum follow follow, struct err *e);

	/* What has come since. Returns 1 if that was all, 0 if not all of it could be read now, or
	 * what emit has returned. */
	int (*take)(void *log, followlog_emit *emit, void *arg);

	/* Until there may be more, for FOLLOWER_LATE at most. */
	void (*wait)(void *log);
};

extern const struct followlog_ops textfile_log;
extern const struct followlog_ops journal_log;
extern const struct followlog_ops freezes_log;
