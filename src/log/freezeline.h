/* What happens to a file system that is frozen or thawed, as a line of the log "freezes":
 *
 *     frozen 7:0 pid=1755 fd=3 after=43.288ms comm=fsfreeze parent=1700 parent-comm=backup
 *     type=ext4 mount=/mnt/data
 *
 * The device is 0:0 where it is not known which one it was. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reader/mounts.h"
#include "trace/comm.h"

enum freeze_what {
	FREEZING, /* asked for: whoever writes waits from here on */
	FROZEN,
	NOT_FROZEN, /* refused */
	THAWING,
	THAWED,
	NOT_THAWED,
	FREEZE_WHATS
};

struct freeze {
	enum freeze_what what;
	int pid; /* of the task that asked */
	unsigned fd;
	char comm[COMM_SIZE];
	int parent; /* the process that has started it, 0: not known */
	char parent_comm[COMM_SIZE];
	struct mount mount;
	uint64_t took;       /* ns: the call; 0: it goes on */
	uint64_t was_frozen; /* ns: of THAWED, 0: not known */
	int error;           /* of the call */
	bool unseen;         /* how the call ended */
};

/* The line. */
void freezeline_write(const struct freeze *freeze, char *text, size_t room);

/* Reads the line's begin: `what`, `pid`, `fd`, `unseen`, and the mount's device. *rest is what
 * stands behind them, "comm=fsfreeze ...". False if it is no such line. */
bool freezeline_read(struct freeze *freeze, const char *text, const char **rest);
