/* The wait for the thaw: a process that stands ready from before the start, so that nothing has to
 * be forked or opened while file systems are frozen. */
#pragma once

#include "base/err.h"
#include "capture/capture.h"
#include "process/worker.h"

struct thaw;

/* Engine: what it needs for an output directory that can be frozen. *ret is the caller's; it stays
 * NULL for a directory in memory, for which nobody has to wait. */
int thaw_arm(struct thaw **ret, struct capture *c, const char *outdir, struct err *e);

/* The same for what was recorded before: what is frozen is not known, the directory alone counts.
 */
int thaw_make(struct thaw **ret, struct capture *c, const char *outdir, struct err *e);

/* NULL is fine. */
void thaw_free(struct thaw *thaw);

/* Starts its process, which says when it is armed. Told to stop, it ends as soon as nothing is
 * frozen, as far as it has seen, and the directory can be written. A successor of one that was
 * killed does not know what was frozen before. */
int thaw_start(struct thaw *thaw, struct worker *w, struct err *e);
