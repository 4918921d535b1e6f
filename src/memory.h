/* Memory that does not wait for a disk. */
#pragma once

#include "err.h"

/* Locks all memory of this process, and what it maps later: no page of it comes from a disk again,
 * or goes to one. As root; it holds after a change of uid, and not in what is forked. */
int memory_lock(struct err *e);
