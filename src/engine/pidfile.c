#include "engine/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/io.h"

/* The process that the file names; 0 if it names none. It lies where others may write: it is not
 * waited for, and no link is followed. */
static int pidfile_read(const char *path)
{
	autoclose int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
	char text[32];
	struct stat st;
	ssize_t n;
	int pid;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	return sscanf(text, "%d", &pid) == 1 && pid > 0 ? pid : 0;
}

/* Its number may be of another program by now. */
static bool pidfile_is_capture(int pid)
{
	char path[40];
	struct stat its, ours;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	return pid != getpid() && stat(path, &its) == 0 && stat("/proc/self/exe", &ours) == 0 &&
	       its.st_ino == ours.st_ino && its.st_dev == ours.st_dev;
}

static int pidfile_put(const char *fresh, const char *path, struct err *e)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%d\n", getpid());

	struct err why = ERR_INIT;

	if (io_create_file(AT_FDCWD, fresh, text, n, &why) < 0) {
		errno = -why.code;
		err_sys(e, "cannot make the file '%s'", path);
	} else if (chmod(fresh, 0644) < 0 || rename(fresh, path) < 0) {
		err_sys(e, "cannot make the file '%s'", path);
		unlink(fresh);
	}
	return e->code ? err_exit(e, EXIT_USAGE) : 0;
}

int pidfile_write(const char *path, struct err *e)
{
	autofree char *fresh = NULL;
	int pid = pidfile_read(path);

	if (pid && pidfile_is_capture(pid)) {
		err_set(e, "'%s' is of a capture that runs, of process %d", path, pid);
		return err_exit(e, EXIT_USAGE);
	}
	if (asprintf(&fresh, "%s.%d", path, getpid()) < 0)
		return err_set(e, "no memory");
	return pidfile_put(fresh, path, e);
}

void pidfile_remove(const char *path)
{
	if (pidfile_read(path) == getpid())
		unlink(path);
}
