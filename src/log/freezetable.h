/* The table of freezes: which calls are under way, and which file systems are frozen by whom. It is
 * told of the calls in the order of time, and says what becomes of the file systems. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "log/freezeline.h"

/* FIFREEZE and FITHAW of <linux/fs.h>; all file systems have these two. */
#define FREEZE_ASKED 0xc0045877u
#define THAW_ASKED 0xc0045878u

/* The begin of a call, with what could be learned about who made it while it was under way. */
struct freezecall {
	uint64_t time; /* boot clock */
	int pid;
	unsigned fd;
	uint32_t cmd;    /* FREEZE_ASKED or THAW_ASKED */
	uint64_t looked; /* boot clock: when the following was known, 0: it is certain */
	char comm[COMM_SIZE];
	int parent; /* 0: not known */
	char parent_comm[COMM_SIZE];
	unsigned shown;     /* how often it was told by other means */
	struct mount mount; /* its type is "" if it was too late */
};

#define SHOWN_MAX 8 /* the first are of the file system itself, others of what is below it */

struct freezetable;

/* Says what became of a file system at a time of the boot clock. */
typedef void freeze_said(void *arg, uint64_t time, const struct freeze *freeze);

int freezetable_create(struct freezetable **ret, freeze_said *said, void *arg, struct err *e);
void freezetable_free(struct freezetable *t);

void freezetable_begin(struct freezetable *t, const struct freezecall *call);

/* Whether it is to be told by other means which mount that task freezes or thaws, since nobody
 * knows for certain; a few times. And that. */
bool freezetable_wants_mount(struct freezetable *t, int pid);
void freezetable_name(struct freezetable *t, int pid, const struct mount *mount);

/* A system call of that task ended, with RESULT: of others than those that began it is nothing. */
void freezetable_end(struct freezetable *t, uint64_t time, int pid, long result);

/* The same for calls of which nobody saw the end: those that began more than AGE ns before NOW and
 * whose task LIVES knows not to be in one any more. */
void freezetable_expire(struct freezetable *t, uint64_t now, uint64_t age, bool (*lives)(int pid));

/* Whether a call is under way. */
bool freezetable_is_busy(const struct freezetable *t);
