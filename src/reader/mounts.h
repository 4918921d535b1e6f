/* Mounts, as /proc tells of them: nothing here opens a file on one. */
#pragma once

#include <stdbool.h>

struct mount {
	int id;
	unsigned major, minor; /* of its file system */
	char point[1024];      /* where it is, as who was asked for sees it */
	char type[32];         /* "ext4" */
	char source[256];      /* "/dev/sda1" */
};

/* Whether what FD is of lies in a file system that has no disk: proc, sysfs, tmpfs and the like. */
bool mount_is_in_memory(int fd);

/* One line of mountinfo (proc(5)); false if it is none. */
bool mount_parse(struct mount *m, const char *line);

/* The mount that descriptor FD of task PID is on. Returns 0 or -errno: who has ended meanwhile has
 * none. */
int mount_of_fd(struct mount *m, int pid, int fd);

/* The mount that PATH is on. Returns 0 or -errno. */
int mount_of_path(struct mount *m, const char *path);

/* The mount below which PATH, absolute and without links, lies: told from its words alone. Returns
 * 0 or -ENOENT. */
int mount_above(struct mount *m, const char *path);

/* Calls VISIT for each mount that this process sees; ends at the first that is not 0, and returns
 * that. */
typedef int mount_visit(void *arg, const struct mount *m);
int mounts_each(mount_visit *visit, void *arg);
