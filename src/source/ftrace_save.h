/* From the halted kernel rings of a t.ftrace to trace/NAME.dat. */
#pragma once

#include "base/err.h"
#include "capture/capture.h"
#include "plan/source.h"

enum side { BEFORE, AFTER }; /* the stop event */

/* The name of its kernel instance on that side. */
struct capture_name ftrace_instance(const struct state *state, const struct source *s,
				    enum side side);

/* The save operation of the source. */
int ftrace_save(struct source *s, struct save *save, struct err *e);

/* The stats operation of the source. */
void ftrace_stats(struct source *s, struct capture *c);
