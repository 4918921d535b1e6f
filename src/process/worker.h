/* Worker processes: each does one thing and takes no other along when it hangs, crashes or is
 * killed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "process/message.h"

/* For any process of ours but the engine: it ignores what the terminal and the user send. */
void worker_signals(void);

struct worker {
	char name[32];
	pid_t pid; /* 0: none, or reaped */
	int fd;    /* our end of its socket, -1 if it has hung up */
	bool armed;
	bool stopped;
	bool failed;
	struct err err; /* why it failed */
};

/* What a worker is: runs in the new process with its end of the socket; a failure's sentence
 * travels to the engine. */
typedef int worker_main(void *arg, int fd, struct err *e);

/* Forks MAIN(ARG) with only the KEEP descriptors (and its socket) open, standard streams on
 * /dev/null, a process group of its own and the terminal's signals ignored. */
int worker_start(struct worker *w, const char *name, worker_main *main, void *arg, const int *keep,
		 size_t n_keep, struct err *e);

/* In a worker that another worker has started: to end when that one does. */
void worker_die_with_parent(void);

/* Takes what it has said: returns 1 with a message, 0 if there is none. A worker that is gone is
 * reaped and has `failed` or `stopped` set. */
int worker_receive(struct worker *w, struct message *message);

/* Waits until it ends or the boot clock is at UNTIL, then kills it. Returns 0 if it ended well;
 * else why it did not, -ETIMEDOUT for the deadline. SAY, if not NULL, gets what it says meanwhile.
 */
int worker_finish(struct worker *w, uint64_t until, void (*say)(void *arg, const char *text),
		  void *arg, struct err *e);

/* Kills it at once and reaps it, unless it hangs in the kernel. A worker that never was is fine. */
void worker_kill(struct worker *w);
