/* Global knobs of the kernel's tracing, shared by all captures of this host: the first user saves
 * the original, the last one restores it, and only if the value is still ours. */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "trace/tracing.h"

/* Raises the knob NAME (a file with one number in the tracing directory) to VALUE for the capture
 * ID, unless it is that high already. The ledger must know before. */
int knob_raise(struct tracing *tracing, const char *name, uint64_t value, const char *id,
	       struct err *e);

/* ID needs it no more. Fine if it never did. */
int knob_release(struct tracing *tracing, const char *name, const char *id, struct err *e);
