/* The threads of the processes that a condition watches, by their numbers. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

struct members;

/* For at most MAX threads. *ret is the caller's, to be freed with free. */
int members_create(struct members **ret, size_t max, struct err *e);

/* Thread TID of process PID is one, since NOW; one that is there already stays, and was looked at
 * NOW. One for which there is no room is counted. */
void members_add(struct members *m, int tid, int pid, uint64_t now);

/* The process of a thread; 0 if it is none of them. */
int members_process(const struct members *m, int tid);

/* Thread TID is none any more. Returns its process if that was the last of it, else 0. */
int members_remove(struct members *m, int tid);

/* Whatever was last looked at before THEN is none any more. */
void members_expire(struct members *m, uint64_t then);

/* How many threads, processes, and threads without room there are. */
size_t members_threads(const struct members *m);
size_t members_processes(const struct members *m);
uint64_t members_left_out(const struct members *m);
