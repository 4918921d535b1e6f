/* The names of tasks, as a trace.dat has them. */
#pragma once

#include <stddef.h>

#include "base/err.h"
#include "trace/tracedat.h"

struct comms;

/* With those that the kernel had remembered. *ret is the caller's. */
int comms_open(struct comms **ret, const struct tracedat *dat, struct err *e);

/* NULL is fine. */
void comms_free(struct comms *comms);

/* The first that is said of a pid counts. */
void comms_learn(struct comms *comms, int pid, const char *comm, size_t length);

/* "<...>" if it is not known. */
const char *comms_of(const struct comms *comms, int pid);
