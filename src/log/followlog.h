/* Inside a follower: one kind of log behind a struct of operations. */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "log/follower.h"

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
