/* From the directory of the raw data to the tarball. */
#pragma once

#include "base/err.h"

/* A worker_main over struct output: the tarball from the directory, which is then removed. */
int seal_main(void *output, int engine, struct err *e);
