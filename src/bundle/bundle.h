/* Reading a bundle: a walk over the members of its tarball. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Opens the tarball PATH (NULL: the newest bundle in the current directory, whose name is put into
 * *name, the caller's). Returns the descriptor or -errno. */
int bundle_open(const char *path, char **name, struct err *e);

struct archive;

/* One member: its path without the bundle's own directory, and where its data come from:
 * bundle_read. */
struct bundle_member {
	const char *path;
	int64_t size;
	struct archive *archive;
};

typedef int bundle_visit(void *arg, struct bundle_member *member, struct err *e);

/* Visits each regular file in the order of the tarball; a positive return of VISIT ends the walk.
 * For files from elsewhere: enter the sandbox before. */
int bundle_walk(int fd, bundle_visit *visit, void *arg, struct err *e);

/* The next bytes of the member: returns how many, 0 at its end. */
int64_t bundle_read(struct bundle_member *member, void *data, size_t size, struct err *e);
