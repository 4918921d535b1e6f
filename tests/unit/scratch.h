/* A directory of a test's own on tmpfs, which goes with all that is in it. */
#pragma once

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"

struct scratch {
	char path[32];
	int fd;
};

static inline void scratch_open(struct scratch *scratch)
{
	*scratch = (struct scratch) { .path = "/dev/shm/unit-XXXXXX" };
	assert_non_null(mkdtemp(scratch->path));
	scratch->fd = open(scratch->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(scratch->fd >= 0);
}

/* Makes a directory in it and opens that. The caller closes it. */
static inline int scratch_dir(const struct scratch *scratch, const char *name)
{
	assert_int_equal(mkdirat(scratch->fd, name, 0700), 0);
	return openat(scratch->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static inline void scratch_close(struct scratch *scratch)
{
	struct err e = ERR_INIT;

	close(scratch->fd);
	if (io_remove_tree(AT_FDCWD, scratch->path, &e) < 0)
		fail_msg("%s", e.text);
}
