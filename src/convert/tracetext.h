/* The text of kernel records, as the kernel's own `trace` file has it. */
#pragma once

#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "trace/tracedat.h"

struct tracetext;

/* Prepares for the records of DAT, which has to outlive it. The formats go through libtraceevent,
 * which is not safe against hostile ones: for a file from elsewhere this belongs in a sandbox. *ret
 * is the caller's. */
int tracetext_open(struct tracetext **ret, const struct tracedat *dat, struct err *e);

/* NULL is fine. */
void tracetext_close(struct tracetext *text);

/* Writes one record as a line with its newline (a stack trace as several), after a line for what
 * was lost before it. */
void tracetext_line(struct tracetext *text, const struct tracedat_record *record, FILE *out);

/* Writes the records of the trace.dat to OUT_FD, merged over the CPUs, below the kernel's header.
 * Of a longer text it keeps the last MAX_BYTES, whole lines, and says so in the header; so much is
 * held in memory. */
int tracetext_convert(int dat_fd, int out_fd, uint64_t max_bytes, struct err *e);
