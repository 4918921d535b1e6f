#include "base/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"

#define IO_FIRST 4096u

int io_write(int fd, const void *data, size_t size, struct err *e)
{
	const char *at = data;

	while (size > 0) {
		ssize_t n = write(fd, at, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "cannot write");
		at += n;
		size -= n;
	}
	return 0;
}

int io_pwrite(int fd, const void *data, size_t size, uint64_t offset, struct err *e)
{
	const char *at = data;

	while (size > 0) {
		ssize_t n = pwrite(fd, at, size, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "cannot write");
		at += n;
		size -= n;
		offset += n;
	}
	return 0;
}

/* Fills BUFFER from SIZE bytes on, up to CAP. Returns how full it is, less than CAP at the end, or
 * -errno. */
static ssize_t io_fill(int fd, char *buffer, size_t size, size_t cap)
{
	while (size < cap) {
		ssize_t n = read(fd, buffer + size, cap - size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		size += n;
	}
	return size;
}

static size_t io_larger(size_t cap, size_t max)
{
	size_t want = cap ? cap : IO_FIRST / 2;

	return want > max / 2 ? max : want * 2;
}

int io_read(int fd, size_t max, char **data, size_t *size, struct err *e)
{
	autofree char *buffer = NULL;
	size_t cap = 0;
	ssize_t used = 0;

	do {
		char *grown;

		cap = io_larger(cap, max);
		grown = realloc(buffer, cap + 1);
		if (!grown)
			return err_sys(e, "cannot read");
		buffer = grown;
		used = io_fill(fd, buffer, used, cap);
		if (used < 0) {
			errno = -used;
			return err_sys(e, "cannot read");
		}
	} while ((size_t)used == cap && cap < max);
	buffer[used] = '\0';
	if (size)
		*size = used;
	*data = take_ptr(buffer);
	return 0;
}

/* One component at a time, no link followed: what kernels before 5.6 and strict system-call filters
 * leave. */
static int io_open_steps(int dirfd, const char *path, int flags, mode_t mode)
{
	autoclose int own = -1;

	for (;;) {
		size_t n = strcspn(path, "/");
		const char *rest = path + n + strspn(path + n, "/");
		char name[NAME_MAX + 1];
		int fd;

		if (n > NAME_MAX)
			return errno = ENAMETOOLONG, -1;
		memcpy(name, path, n);
		name[n] = '\0';
		if (n == 0 || strcmp(name, "..") == 0)
			return errno = EXDEV, -1;
		if (!*rest && path[n] != '/')
			return openat(dirfd, name, flags | O_NOFOLLOW, mode);
		fd = openat(dirfd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			return -1;
		if (own >= 0)
			close(own);
		own = dirfd = fd;
		path = *rest ? rest : ".";
	}
}

/* Opens PATH below DIRFD and nowhere else. A plain path (AT_FDCWD) is the caller's own word: only
 * flags bind it. */
static int io_open(int dirfd, const char *path, int flags, mode_t mode, uint64_t resolve)
{
	struct open_how how = { .flags = flags | O_CLOEXEC, .mode = mode };
	int fd;

	if (dirfd == AT_FDCWD)
		return openat(dirfd, path, flags | O_CLOEXEC, mode);
	how.resolve = RESOLVE_BENEATH | resolve;
	fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
	if (fd >= 0 || (errno != ENOSYS && errno != EPERM))
		return fd;
	return io_open_steps(dirfd, path, flags | O_CLOEXEC, mode);
}

int io_read_file(int dirfd, const char *path, size_t max, char **data, size_t *size, struct err *e)
{
	autoclose int fd = io_open(dirfd, path, O_RDONLY | O_NOCTTY, 0, 0);

	if (fd < 0)
		return err_sys(e, "cannot open '%s'", path);
	if (io_read(fd, max, data, size, e) < 0)
		return err_wrap(e, "'%s'", path);
	return 0;
}

int io_write_file(int dirfd, const char *path, const char *text, struct err *e)
{
	autoclose int fd = io_open(dirfd, path, O_WRONLY | O_NOCTTY, 0, 0);
	size_t size = strlen(text);
	ssize_t n;

	if (fd < 0)
		return err_sys(e, "cannot open '%s'", path);
	do {
		n = write(fd, text, size);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(e, "cannot write '%s' to '%s'", text, path);
	if ((size_t)n < size) {
		errno = EIO;
		return err_sys(e, "only %zd of %zu bytes went into '%s'", n, size, path);
	}
	return 0;
}

int io_create(int dirfd, const char *path, struct err *e)
{
	int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW;
	int fd = io_open(dirfd, path, flags, 0600, RESOLVE_NO_SYMLINKS);

	return fd < 0 ? err_sys(e, "cannot make '%s'", path) : fd;
}

int io_create_file(int dirfd, const char *path, const void *data, size_t size, struct err *e)
{
	autoclose int fd = io_create(dirfd, path, e);

	if (fd < 0)
		return fd;
	if (io_write(fd, data, size, e) < 0)
		return err_wrap(e, "'%s'", path);
	if (close(take_fd(&fd)) < 0)
		return err_sys(e, "cannot write '%s'", path);
	return 0;
}

int io_open_dir(int dirfd, const char *path, struct err *e)
{
	int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
	int fd = io_open(dirfd, path, flags, 0, RESOLVE_NO_SYMLINKS);

	return fd < 0 ? err_sys(e, "cannot open the directory '%s'", path) : fd;
}

/* Where a walk starts that follows no link at all: "/" for an absolute plain path, which then loses
 * its slashes. */
static int io_walk_from(int dirfd, const char **path)
{
	const char *start = ".";

	if (**path == '/' && dirfd != AT_FDCWD)
		return errno = EXDEV, -1;
	if (**path == '/')
		start = "/";
	*path += strspn(*path, "/");
	return openat(dirfd, start, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static int io_walk_into(int *dir, const char *name)
{
	int fd = openat(*dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return -1;
	close(*dir);
	*dir = fd;
	return 0;
}

static bool io_is_up(const char *name)
{
	return strcmp(name, "..") == 0;
}

int io_make_dirs(int dirfd, const char *path, struct err *e)
{
	const char *below = path;
	autoclose int dir = io_walk_from(dirfd, &below);
	autofree char *copy = strdup(below);
	char *rest = NULL;

	if (dir < 0 || !copy)
		return err_sys(e, "cannot make the directory '%s'", path);
	for (char *name = strtok_r(copy, "/", &rest); name; name = strtok_r(NULL, "/", &rest)) {
		if (io_is_up(name))
			return err_set(e, "cannot make the directory '%s': it has '..'", path);
		if (mkdirat(dir, name, 0700) < 0 && errno != EEXIST)
			return err_sys(e, "cannot make the directory '%s' at '%s'", path, name);
		if (io_walk_into(&dir, name) < 0)
			return err_sys(e, "cannot make the directory '%s' at '%s'", path, name);
	}
	return 0;
}

static int io_remove_at(int at, const char *name, struct err *e);

/* All entries of one directory; goes on after a failure, which FIRST keeps. */
static void io_empty_dir(int at, const char *name, struct err *first)
{
	autoclose int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	autoclosedir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		err_sys(first, "cannot open the directory '%s'", name);
		return;
	}
	take_fd(&fd);
	while ((entry = readdir(dir))) {
		struct err inner = ERR_INIT;

		if (strcmp(entry->d_name, ".") == 0 || io_is_up(entry->d_name))
			continue;
		if (io_remove_at(dirfd(dir), entry->d_name, &inner) < 0 && !first->code)
			*first = inner;
	}
}

static int io_remove_at(int at, const char *name, struct err *e)
{
	struct err first = ERR_INIT;

	if (unlinkat(at, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR)
		return err_sys(e, "cannot remove '%s'", name);
	io_empty_dir(at, name, &first);
	if (first.code) {
		*e = first;
		return e->code;
	}
	if (unlinkat(at, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_sys(e, "cannot remove '%s'", name);
	return 0;
}

int io_remove_tree(int dirfd, const char *name, struct err *e)
{
	const char *below = name;
	autoclose int dir = io_walk_from(dirfd, &below);
	autofree char *copy = strdup(below);
	char *rest = NULL, *last, *next;

	if (dir < 0 || !copy)
		return err_sys(e, "cannot remove '%s'", name);
	last = strtok_r(copy, "/", &rest);
	for (; last && (next = strtok_r(NULL, "/", &rest)); last = next) {
		if (io_is_up(last))
			break;
		if (io_walk_into(&dir, last) < 0)
			return errno == ENOENT ? 0 : err_sys(e, "cannot remove '%s'", name);
	}
	if (!last || strcmp(last, ".") == 0 || io_is_up(last))
		return err_set(e, "cannot remove '%s': it does not end in a name", name);
	return io_remove_at(dir, last, e);
}

int64_t io_copy(int in, int out, struct err *e)
{
	char buffer[65536];
	int64_t total = 0;

	for (;;) {
		ssize_t n = io_fill(in, buffer, 0, sizeof(buffer));

		if (n < 0) {
			errno = -n;
			return err_sys(e, "cannot read");
		}
		if (n == 0)
			return total;
		if (io_write(out, buffer, n, e) < 0)
			return e->code;
		total += n;
	}
}

void io_close_from(int first)
{
	if (syscall(SYS_close_range, first, ~0u, 0) == 0)
		return;
	for (int fd = sysconf(_SC_OPEN_MAX); fd >= first; fd--)
		close(fd);
}
