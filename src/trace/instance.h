/* Trace instances: rings of our own in the kernel. NAME is relative to instances/. */
#pragma once

#include "base/err.h"
#include "trace/ringpage.h"
#include "trace/tracing.h"

/* Makes one; an existing one is an error. */
int instance_create(struct tracing *tracing, const char *name, struct err *e);

/* Removes it with all that is armed in it; one that does not exist is fine. */
int instance_remove(struct tracing *tracing, const char *name, struct err *e);

/* Writes one value to a file of the instance; APPEND is for triggers and pid lists. The kernel's
 * own words for what it does not like are in the sentence. */
int instance_write(struct tracing *tracing, const char *name, const char *file, const char *value,
		   struct err *e);
int instance_append(struct tracing *tracing, const char *name, const char *file, const char *value,
		    struct err *e);

/* Opens a file of the instance. Returns the descriptor or -errno. */
int instance_open(struct tracing *tracing, const char *name, const char *file, int flags,
		  struct err *e);

/* Its page layout, from its own events/header_page. */
int instance_layout(struct tracing *tracing, const char *name, struct ringpage_layout *layout,
		    struct err *e);

/* A number of the text of a CPU's `stats`, by its label with what stands before and behind it, like
 * "\noverrun: ": that is not in "commit overrun: " then. 0 if it is not there, or STATS NULL. */
uint64_t instance_stat(const char *stats, const char *label);

/* How many CPUs it has rings for (the highest number plus one; some of them may have none). */
int instance_cpus(struct tracing *tracing, const char *name, unsigned *cpus, struct err *e);

/* Opens a file of one CPU's ring for reading, not blocking. Returns the descriptor or -errno. */
int instance_open_cpu(struct tracing *tracing, const char *name, unsigned cpu, const char *file,
		      struct err *e);
