/* A walk over the regular files of a directory. */
#pragma once

#include "base/err.h"

typedef int tree_visit(void *arg, int dirfd, const char *path, struct err *e);

/* Calls VISIT for each regular file below DIRFD, with its path relative to it, in the order of
 * strcmp(3), a directory where its name is; links and other things are passed over. Stops at the
 * first error. */
int tree_walk(int dirfd, tree_visit *visit, void *arg, struct err *e);

/* Syncs every file and directory below DIRFD, and itself. */
int tree_sync(int dirfd, struct err *e);
