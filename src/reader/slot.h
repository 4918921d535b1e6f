/* One helper of a reader (reader.h), as its owner sees it. */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "reader/helper.h"
#include "reader/query.h"

enum slot_state { SLOT_IDLE, SLOT_BUSY, SLOT_HUNG, SLOT_DEAD };

struct slot {
	enum slot_state state;
	pid_t pid;
	int fd;       /* requests; the helper's end closes when it dies */
	char *buffer; /* of `room` bytes, shared */
	size_t room;
	uint32_t sequence;
	uint64_t asked; /* boot clock */
	bool replied;
	struct reply reply;
	bool files;     /* it was given files: answers are taken one by one */
	unsigned given; /* how many, */
	unsigned n;     /* how many of them it is to read, */
	unsigned next;  /* the next to be answered of those, */
	unsigned back;  /* and of those behind them; 0: it is to read all */
	size_t at;      /* where the next one is in the buffer */
	uint64_t tags[READER_FILES_MAX];
	char path[PATH_MAX]; /* of all that was given, each ended by a NUL; of one that hangs its
			      * own
			      */
};

/* Forks the helper H, whose `requests` and `buffer` are filled in here. It is busy with its first,
 * empty request until it is ready. */
int slot_start(struct slot *slot, struct helper *h, struct err *e);

/* Gives it what is asked for. Returns how many of the N paths it took, 0 if it is gone. */
unsigned slot_send(struct slot *slot, enum reader_op op, const char *const *paths,
		   const uint64_t *tags, size_t n);

/* Takes in what it has replied; a reply to what is not waited for any more only makes it idle. */
void slot_reply(struct slot *slot, const struct reply *r);

/* The next answer, if there is one NOW (boot clock); what takes longer than DEADLINE ns hangs. */
bool slot_next(struct slot *slot, uint64_t now, uint64_t deadline, struct reader_answer *a);

/* When slot_next has something to say without a reply, UINT64_MAX: never. */
uint64_t slot_until(const struct slot *slot, uint64_t deadline);

/* Whether it hangs at that path, or with NULL whether it is in that state. */
bool slot_is(const struct slot *slot, enum slot_state state, const char *path);

/* Ends it; it is waited for until UNTIL. */
void slot_dismiss(struct slot *slot, enum reader_kind kind);
void slot_reap(struct slot *slot, uint64_t until);
