#include "pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auto.h"
#include "io.h"

/* The process that the file names; 0 if it names none. */
static int pidfile_read(const char *path)
{
	autofree char *text = NULL;
	struct err absent = ERR_INIT;
	int pid;

	if (io_read_file(AT_FDCWD, path, 64, &text, NULL, &absent) < 0)
		return 0;
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

	if (io_create_file(AT_FDCWD, fresh, text, n, e) < 0)
		return e->code;
	if (chmod(fresh, 0644) < 0 || rename(fresh, path) < 0) {
		err_sys(e, "cannot write '%s'", path);
		unlink(fresh);
	}
	return e->code;
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
