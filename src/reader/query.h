/* What a reader's helper is asked, and what it answers. */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define READER_DEADLINE (2 * 1000000000ull) /* ns; a read that takes longer hangs */
#define READER_PATIENCE \
	(30 * 1000000ull)   /* ns; a file that takes longer is not waited for by those after it */
#define READER_FILES_MAX 64 /* that a helper is given at once */

/* Errors of an answer besides the kernel's own. */
#define READER_TIMEOUT ETIMEDOUT   /* hangs */
#define READER_AGAIN ERESTART      /* not read: to be asked for once more */
#define READER_DIED EOWNERDEAD     /* the helper was killed */
#define READER_OUTSIDE EXDEV       /* on a disk, which is not read when fsfreeze_safe */
#define READER_REFUSED EMEDIUMTYPE /* a device, pipe or socket outside of /proc and /sys */

/* What a helper can be asked. */
enum reader_op {
	READER_READ, /* a regular file, or anything that is in a procfs or sysfs; never blocks on a
			pipe */
	READER_READ_ANY, /* whatever it is, and waits for it */
	READER_ASLEEP,   /* tasks in state D, as tasks_asleep writes them; whatever the path */
	READER_GLOB,     /* the paths that match a pattern, sorted, each ended by a NUL; none is no
			    error */
	READER_MEMBERS,  /* threads as tasks_members writes them; the path says whose */
	READER_TASKS,    /* tasks as tasks_write shows them; the path is its query */
	READER_SOCKETS,  /* sockets as sockets_write shows them; its query */
	READER_COMMAND,  /* what a command prints; the path is exec_write's query */
};

/* What its helpers may do, so what they can be asked. */
enum reader_kind {
	READER_OF_FILES,   /* open files to read */
	READER_OF_SOCKETS, /* the same, and ask the kernel for sockets */
	READER_OF_COMMANDS /* run programs as root */
};

struct reader_answer {
	uint64_t tag;   /* the asker's */
	int error;      /* 0 or an errno */
	bool truncated; /* there was more */
	uint64_t time;  /* boot clock: when the read began; of one that hangs, when it was asked for
			 */
	const char *data; /* valid until the next answer is taken, or one is asked for */
	size_t size;
};
