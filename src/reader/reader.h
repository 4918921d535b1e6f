/* Spare processes that open and read files for another one: a read that hangs costs one of them and
 * its own file.
 *
 * All are forked at once, before the owner gives up its privileges, so that nothing is forked
 * later. Each has a shared buffer that its owner reads answers from. One that hangs is left alone
 * until it comes back; its late answer is dropped. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "reader/query.h"

#define READER_HELPERS 4

struct reader_setup {
	bool fsfreeze_safe; /* its helpers have their memory locked and read nothing from a disk */
	enum reader_kind kind;
	unsigned int helpers;
	size_t max;        /* bytes of an answer */
	uint64_t deadline; /* ns; what takes longer hangs; 0: READER_DEADLINE */
};

struct reader;

/* Forks the helpers, and waits until all are in their sandbox. */
int reader_create(struct reader **ret, const struct reader_setup *setup, struct err *e);

/* Kills the helpers. One that is stuck in the kernel ends when the kernel lets it. NULL is fine. */
void reader_free(struct reader *reader);

/* Gives a read to an idle helper. Returns 0; -EAGAIN if all are at work; -EBUSY if this very path
 * hangs already; -ETIMEDOUT if no helper is left that does not hang; -ENAMETOOLONG. */
int reader_ask(struct reader *reader, enum reader_op op, const char *path, uint64_t tag);

/* Gives up to N files (READER_READ) to one idle helper, which reads one after the other: that costs
 * less than to ask for each. Each is answered by itself; one that hangs costs itself alone, those
 * behind it come back with READER_AGAIN. Returns how many were given, or as reader_ask for the
 * first.
 */
int reader_ask_files(struct reader *reader, const char *const *paths, const uint64_t *tags,
		     size_t n);

/* The next answer, the kernel's or that there was none in time. Returns false if there is none now.
 */
bool reader_next(struct reader *reader, struct reader_answer *answer);

/* Asks and waits for the answer: for whoever has nothing else to do and no other request under way.
 */
void reader_call(struct reader *reader, enum reader_op op, const char *path,
		 struct reader_answer *answer);

/* Readable when there is an answer; the boot time at which the next one is late, UINT64_MAX if none
 * is due. */
int reader_fd(const struct reader *reader);
uint64_t reader_until(const struct reader *reader);

/* "absent", "denied", "timeout", ... or what strerror says. */
const char *reader_error_text(int error);
