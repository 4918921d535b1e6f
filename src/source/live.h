/* How a worker process speaks with the engine. */
#pragma once

#include "base/err.h"
#include "plan/source.h"
#include "process/sandbox.h"

/* Enters the sandbox, says "armed", waits for the start. 0 when to start; -ECANCELED when to leave
 * instead. */
int live_armed(struct live *live, enum sandbox sandbox, struct err *e);

/* Waits until FD (-1: none) is readable, the engine speaks, or the boot clock is at UNTIL
 * (UINT64_MAX: for ever). Returns 1 if FD is readable, else 0. Sets live->stopping when the engine
 * says stop or is gone. */
int live_wait(struct live *live, int fd, uint64_t until);

/* A line for tracer.log and, if the source has to end, the reason: the engine records it as the
 * source's note. */
void live_say(struct live *live, const char *format, ...) __attribute__((format(printf, 2, 3)));
