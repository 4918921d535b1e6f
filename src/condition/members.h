/* The threads of the processes that a condition watches, by their numbers. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct members;

/* For at most MAX threads. *ret is the caller's, to be freed with free. */
int members_create(struct members **ret, size_t max, struct err *e);

/* Thread TID of process PID is one, as it was at NOW. One that is there already stays. One that has
 * left after NOW does not come back. One for which there is no room is counted. */
void members_add(struct members *m, int tid, int pid, uint64_t now);

/* The process of a thread; 0 if it is none of them. */
int members_process(const struct members *m, int tid);

/* Thread TID is none any more, since NOW. Returns its process if that was the last of it, else 0.
 */
int members_remove(struct members *m, int tid, uint64_t now);

/* The same for all threads of a process. */
void members_remove_process(struct members *m, int pid, uint64_t now);

/* Whoever was last known to be there before THEN is none any more. Returns the process of one of
 * them, if that was the last of it; 0 if there is none, or no further one. */
int members_expire(struct members *m, uint64_t then);

/* How many processes there are, and threads without room. */
size_t members_processes(const struct members *m);
uint64_t members_left_out(const struct members *m);
