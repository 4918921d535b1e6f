#include "reader/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/auto.h"

#define LINE_MAX_BYTES 8192

bool mount_is_in_memory(int fd)
{
	static const unsigned long in_memory[] = {
		PROC_SUPER_MAGIC, SYSFS_MAGIC,        TMPFS_MAGIC,        RAMFS_MAGIC,
		TRACEFS_MAGIC,    DEBUGFS_MAGIC,      CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC,
		SECURITYFS_MAGIC, DEVPTS_SUPER_MAGIC,
	};
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return false;
	for (size_t i = 0; i < countof(in_memory); i++)
		if ((unsigned long)fs.f_type == in_memory[i])
			return true;
	return false;
}

/* "\040" stands for a space, and so on. */
static void mount_unescape(char *to, size_t room, const char *from, size_t n)
{
	size_t used = 0;

	for (size_t i = 0; i < n && used + 1 < room; i++) {
		unsigned code;

		if (from[i] == '\\' && i + 3 < n && sscanf(from + i + 1, "%3o", &code) == 1) {
			to[used++] = (char)code;
			i += 3;
		} else {
			to[used++] = from[i];
		}
	}
	to[used] = '\0';
}

/* "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue" */
bool mount_parse(struct mount *m, const char *line)
{
	const char *dash = strstr(line, " - "), *type, *source;
	int at = 0;

	*m = (struct mount) { 0 };
	if (!dash || sscanf(line, "%d %*d %u:%u %*s %n", &m->id, &m->major, &m->minor, &at) != 3 ||
	    !at)
		return false;
	mount_unescape(m->point, sizeof(m->point), line + at, strcspn(line + at, " "));
	type = dash + strlen(" - ");
	snprintf(m->type, sizeof(m->type), "%.*s", (int)strcspn(type, " "), type);
	source = type + strcspn(type, " ");
	source += *source == ' ';
	mount_unescape(m->source, sizeof(m->source), source, strcspn(source, " \n"));
	return true;
}

static int mounts_of(const char *pid, mount_visit *visit, void *arg)
{
	autofclose FILE *f = NULL;
	char path[40], line[LINE_MAX_BYTES];
	struct mount m;
	int r = 0;

	snprintf(path, sizeof(path), "/proc/%s/mountinfo", pid);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (r == 0 && fgets(line, sizeof(line), f))
		if (mount_parse(&m, line))
			r = visit(arg, &m);
	return r;
}

int mounts_each(mount_visit *visit, void *arg)
{
	return mounts_of("self", visit, arg);
}

static int mount_take(void *arg, const struct mount *m)
{
	struct mount *wanted = arg;

	if (m->id != wanted->id)
		return 0;
	*wanted = *m;
	return 1;
}

static int mount_id(int pid, int fd)
{
	autofclose FILE *f = NULL;
	char path[64], line[256];
	int id;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, fd);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "mnt_id: %d", &id) == 1)
			return id;
	return -ENOENT;
}

/* In its own tree, which is ours mostly: that is still there when the task is gone. */
int mount_of_fd(struct mount *m, int pid, int fd)
{
	char text[16];
	int r;

	*m = (struct mount) { .id = mount_id(pid, fd) };
	if (m->id < 0)
		return m->id;
	snprintf(text, sizeof(text), "%d", pid);
	r = mounts_of(text, mount_take, m);
	if (r <= 0)
		r = mounts_each(mount_take, m);
	return r > 0 ? 0 : -ENOENT;
}

int mount_of_path(struct mount *m, const char *path)
{
	autoclose int fd = open(path, O_PATH | O_CLOEXEC);

	return fd < 0 ? -errno : mount_of_fd(m, getpid(), fd);
}

struct above {
	struct mount *mount;
	const char *path;
	size_t length; /* of the mount point; the last of equal ones lies over the others */
};

static int above_take(void *arg, const struct mount *m)
{
	struct above *above = arg;
	size_t n = strcmp(m->point, "/") ? strlen(m->point) : 0;

	if (n >= above->length && !strncmp(above->path, m->point, n) && above->path[n] == '/') {
		above->length = n;
		*above->mount = *m;
	}
	return 0;
}

int mount_above(struct mount *m, const char *path)
{
	struct above above = { .mount = m, .path = path };

	*m = (struct mount) { 0 };
	mounts_each(above_take, &above);
	return *m->type ? 0 : -ENOENT;
}
