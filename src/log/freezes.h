/* The log "freezes": what is frozen and thawed on this host, and by whom, from the system calls
 * that ask for it. A follower (follower.h) hands out its lines (freezeline.h). It needs a ring of
 * its own in the kernel, whose name is part of what a follower is told. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "capture/ledger.h"
#include "trace/tracing.h"

#define FREEZES_LOG "freezes"

/* Whether LOG is that one, with a ring or without. */
bool freezes_is(const char *log);

/* What its ring takes in the kernel, bytes. */
uint64_t freezes_ring_bytes(void);

/* Engine: makes the instance NAME, and returns in *log what a follower is told; the caller's. */
int freezes_arm(struct ledger *ledger, struct tracing *tracing, const char *name, char **log,
		struct err *e);
