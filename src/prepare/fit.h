/* Whether a plan fits this host: memory, tmpfs, the output's disk. */
#pragma once

#include "base/err.h"
#include "plan/plan.h"
#include "prepare/options.h"

/* All rings against what is available, the ring files against their tmpfs; *limit is what the rings
 * may take. */
int fit_memory(const struct cost *cost, const struct options *options, uint64_t *limit,
	       struct err *e);

/* The worst case against the free space of OUTDIR, and whether the plan traces the file system that
 * it is on, which is refused unless the user has named it. */
int fit_output(const struct plan *plan, const struct cost *cost, const struct options *options,
	       const char *outdir, struct err *e);
