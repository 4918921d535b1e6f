/* The wait for the thaw: a process that stands ready from before the start, so that nothing has to
 * be forked or opened while file systems are frozen. */
#pragma once

#include "capture.h"
#include "err.h"
#include "worker.h"

/* Engine: starts it for an output directory that can be frozen; for one in memory nobody has to
 * wait, and W stays as it is. It says when it is armed. Told to stop, it ends as soon as nothing is
 * frozen, as far as it has seen, and OUTDIR can be written. */
int thaw_start(struct worker *w, struct capture *c, const char *outdir, struct err *e);
