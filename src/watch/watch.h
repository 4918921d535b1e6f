/* Watch: the process that decides the stop conditions, from a small trace instance that holds just
 * their events. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "capture/capture.h"

struct watch;

/* Engine, root: makes and arms the watch instance, still off. Without stop conditions it watches
 * nothing but the engine's life and the cut. *ret is the caller's. */
int watch_arm(struct watch **ret, struct capture *c, struct err *e);

/* Engine: the watch instance records from now on. */
int watch_start(struct watch *watch, struct err *e);

/* The descriptors that its process must keep. *fds is the caller's. */
int watch_descriptors(const struct watch *watch, int **fds, size_t *n, struct err *e);

/* Engine: the process is gone and gets a successor, which can have missed something: a stop is
 * uncertain then. */
void watch_restarted(struct watch *watch);

/* The process (a worker_main): ends when the cut has come and the rings are off. */
int watch_main(void *watch, int engine, struct err *e);

/* Closes what watch_arm opened. NULL is fine. */
void watch_free(struct watch *watch);
