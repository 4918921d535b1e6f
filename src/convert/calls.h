/* The system calls of a trace.dat that has them raw: each begin with its end, a line each, in the
 * order in which they began. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "trace/formats.h"
#include "trace/tracedat.h"

struct calls;

/* Gets a line without its newline, and the boot time of the call's begin. Returns 0, or an error
 * that ends it all. */
typedef int calls_line(void *arg, uint64_t time, const char *text);

/* Whether there are any. */
bool calls_are_in(const struct tracedat *dat);

/* Over DAT and FORMATS (NULL: arguments have no names), which have to outlive it. *ret is the
 * caller's. */
int calls_open(struct calls **ret, const struct tracedat *dat, const struct formats *formats,
	       calls_line *line, void *arg, struct err *e);

/* NULL is fine. */
void calls_close(struct calls *c);

/* Takes the next record, of whatever event. One that waits long for its end is told as such, and
 * once more when it has come. Returns 0 or what the line returned. */
int calls_take(struct calls *c, const struct tracedat_record *record);

/* No more come: what has not ended up to then is told as such. */
int calls_finish(struct calls *c, uint64_t until);
