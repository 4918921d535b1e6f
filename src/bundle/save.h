/* From halted rings to raw files. */
#pragma once

#include "base/err.h"

/* A worker_main over struct output: the raw data, synced, with recipe and manifest, in OUTDIR/NAME.
 * -ENOSPC before anything was taken out of the rings. What was saved elsewhere before is moved
 * here. */
int save_main(void *output, int engine, struct err *e);
