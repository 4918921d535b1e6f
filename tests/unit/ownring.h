/* A trace instance of a test's own, in a tracefs that only this process sees. */
#pragma once

#include <fcntl.h>
#include <linux/mount.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define OWNRING_MAX (512u << 20)

struct ownring {
	int tracefs;
	int dir;
	char name[64];
};

static inline int ownring_mount(void)
{
	int fs = (int)syscall(SYS_fsopen, "tracefs", FSOPEN_CLOEXEC);
	int mount;

	if (fs < 0)
		return -1;
	syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	mount = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0);
	close(fs);
	return mount;
}

/* False where the kernel does not let us: the caller skips. */
static inline bool ownring_open(struct ownring *ring, const char *what)
{
	ring->tracefs = ownring_mount();
	if (ring->tracefs < 0)
		return false;
	snprintf(ring->name, sizeof(ring->name), "instances/tracer-test-%s-%d", what, getpid());
	if (mkdirat(ring->tracefs, ring->name, 0700) < 0)
		return false;
	ring->dir = openat(ring->tracefs, ring->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return ring->dir >= 0;
}

static inline void ownring_close(struct ownring *ring)
{
	close(ring->dir);
	unlinkat(ring->tracefs, ring->name, AT_REMOVEDIR);
	close(ring->tracefs);
}

static inline bool ownring_write(const struct ownring *ring, const char *file, const char *text)
{
	int fd = openat(ring->dir, file, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return done;
}

/* The text of a file below DIR; the caller frees it. Aborts where there is none: the test cannot go
 * on. */
static inline char *ownring_read(int dir, const char *file)
{
	int fd = openat(dir, file, O_RDONLY | O_CLOEXEC);
	size_t room = 1 << 16;
	char *text = malloc(room);
	size_t used = 0;
	ssize_t n;

	if (fd < 0)
		abort();
	while ((n = read(fd, text + used, room - used - 1)) > 0) {
		used += (size_t)n;
		if (room - used < 4096 && room < OWNRING_MAX)
			text = realloc(text, room *= 2);
	}
	close(fd);
	text[used] = '\0';
	return text;
}

/* One CPU's raw pages, not blocking. */
static inline int ownring_pages(const struct ownring *ring, unsigned cpu)
{
	char file[64];

	snprintf(file, sizeof(file), "per_cpu/cpu%u/trace_pipe_raw", cpu);
	return openat(ring->dir, file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

static inline char *ownring_stats(const struct ownring *ring, unsigned cpu)
{
	char file[64];

	snprintf(file, sizeof(file), "per_cpu/cpu%u/stats", cpu);
	return ownring_read(ring->dir, file);
}
