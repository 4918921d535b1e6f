/* Memory that does not wait for a disk. */
#pragma once

#include "base/err.h"

/* Locks all memory of this process, and what it maps later: no page of it comes from a disk again,
 * or goes to one. As root; it holds after a change of uid, and not in what is forked. */
int memory_lock(struct err *e);

/* Has the C library open now what it would open when it is first needed, in this process and in
 * those that it forks: its time zone, and its character sets, which libarchive asks for. */
void memory_open_library(void);
