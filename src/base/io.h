/* Whole reads and writes of files, each with its error as a sentence. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* Writes all of DATA. Returns 0 or -errno. */
int io_write(int fd, const void *data, size_t size, struct err *e);

/* Writes all of DATA at OFFSET. Returns 0 or -errno. */
int io_pwrite(int fd, const void *data, size_t size, uint64_t offset, struct err *e);

/* Reads from the descriptor's position to the end, at most MAX bytes; *data ends in a NUL that
 * *size does not count and is the caller's. *size == MAX means that there may be more. SIZE may be
 * NULL. */
int io_read(int fd, size_t max, char **data, size_t *size, struct err *e);

/* The same for a path below DIRFD (AT_FDCWD for a plain path). */
int io_read_file(int dirfd, const char *path, size_t max, char **data, size_t *size, struct err *e);

/* Writes TEXT in one write(2) to a file that exists: the way to set a kernel knob. */
int io_write_file(int dirfd, const char *path, const char *text, struct err *e);

/* Makes a new file (O_EXCL, O_NOFOLLOW, mode 0600) for writing and reading back. Returns the
 * descriptor or -errno. */
int io_create(int dirfd, const char *path, struct err *e);

/* Makes a new file with this content. */
int io_create_file(int dirfd, const char *path, const void *data, size_t size, struct err *e);

/* Opens a directory without following a link. Returns the descriptor or -errno. */
int io_open_dir(int dirfd, const char *path, struct err *e);

/* Makes PATH and each missing parent below DIRFD, mode 0700. An existing directory is fine. */
int io_make_dirs(int dirfd, const char *path, struct err *e);

/* Removes NAME below DIRFD and all that is in it; visits everything and keeps the first error. A
 * name that does not exist is fine. */
int io_remove_tree(int dirfd, const char *name, struct err *e);

/* Copies the rest of IN to OUT. Returns the number of bytes or -errno. */
int64_t io_copy(int in, int out, struct err *e);

/* Closes every descriptor from FIRST on. */
void io_close_from(int first);
