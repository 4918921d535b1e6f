#include "prepare/conflicts.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/err.h"
#include "base/io.h"
#include "base/text.h"
#include "reader/mounts.h"

/* FAN_OPEN_PERM, FAN_ACCESS_PERM, FAN_OPEN_EXEC_PERM and FAN_PRE_ACCESS of <linux/fanotify.h> */
#define PERMISSION_EVENTS 0x170000ul
#define MARKS_NAMED 4 /* mounts of one listener */

/* By their commands: what they are, and what that means. */
static const struct {
	const char *comm, *what;
} known[] = {
	{ "postgres", "a database" },           { "mysqld", "a database" },
	{ "mariadbd", "a database" },           { "mongod", "a database" },
	{ "ora_pmon_*", "a database" },         { "db2sysc", "a database" },
	{ "sqlservr", "a database" },           { "redis-server", "a database" },
	{ "clamd", "a scanner of files" },      { "clamscan", "a scanner of files" },
	{ "clamonacc", "a scanner of files" },  { "bdsec*", "a scanner of files" },
	{ "wdavdaemon", "a scanner of files" }, { "falcon-sensor*", "a scanner of files" },
};

static void conflicts_path(FILE *out, const char *path)
{
	fputc('\'', out);
	text_put(out, path, strlen(path));
	fputc('\'', out);
}

static void conflicts_comm(int proc, const char *pid, char *comm, size_t room)
{
	autofree char *path = NULL, *text = NULL;
	struct err gone = ERR_INIT;

	*comm = '\0';
	if (asprintf(&path, "%s/comm", pid) < 0 ||
	    io_read_file(proc, path, 64, &text, NULL, &gone) < 0)
		return;
	text[strcspn(text, "\n")] = '\0';
	text_escape(comm, room, text);
}

/* What a mark is on: a mount by its number, a file system by its device. */
struct mark {
	int id;
	unsigned long dev;
	char point[1024];
};

static int mark_is_on(void *arg, const struct mount *m)
{
	struct mark *mark = arg;

	if (mark->id ? m->id != mark->id : (m->major << 20 | m->minor) != mark->dev)
		return 0;
	snprintf(mark->point, sizeof(mark->point), "%s", m->point);
	return 1;
}

/* "fanotify mnt_id:1d mflags:0 mask:10000 ignored_mask:0", or with ino: and sdev:, all in hex. */
static bool mark_read(struct mark *mark, const char *line)
{
	const char *id = strstr(line, "mnt_id:"), *dev = strstr(line, "sdev:");
	const char *mask = strstr(line, " mask:");

	*mark = (struct mark) { 0 };
	if (strncmp(line, "fanotify ", 9) || !mask ||
	    !(strtoul(mask + strlen(" mask:"), NULL, 16) & PERMISSION_EVENTS))
		return false;
	if (id)
		mark->id = (int)strtoul(id + strlen("mnt_id:"), NULL, 16);
	if (dev)
		mark->dev = strtoul(dev + strlen("sdev:"), NULL, 16);
	return true;
}

static void conflicts_listener(FILE *out, const char *pid, const char *comm, FILE *info)
{
	char line[512];
	struct mark mark;
	size_t n = 0, named = 0;

	while (fgets(line, sizeof(line), info)) {
		if (!mark_read(&mark, line))
			continue;
		if (n == 0)
			fprintf(out, "'%s' (pid %s) decides on what others open", comm, pid);
		n++;
		if (named < MARKS_NAMED && mounts_each(mark_is_on, &mark) > 0) {
			fputs(named++ ? ", " : " on ", out);
			conflicts_path(out, mark.point);
		}
	}
	if (n)
		fputs(" (fanotify): if it waits for a file system that is frozen, so do they, and "
		      "perhaps who is to thaw it\n",
		      out);
}

/* Each of its descriptors that is a fanotify group. */
static void conflicts_fanotify(FILE *out, int proc, const char *pid, const char *comm)
{
	autofree char *path = NULL;
	autoclosedir DIR *dir = NULL;
	struct dirent *entry;
	int fds;

	if (asprintf(&path, "%s/fd", pid) < 0 ||
	    (fds = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return;
	dir = fdopendir(fds);
	while (dir && (entry = readdir(dir))) {
		autofclose FILE *info = NULL;
		char target[64], name[600];
		ssize_t n = readlinkat(fds, entry->d_name, target, sizeof(target) - 1);

		if (n < 0 || strncmp(target, "anon_inode:[fanotify]", n))
			continue;
		snprintf(name, sizeof(name), "/proc/%s/fdinfo/%s", pid, entry->d_name);
		info = fopen(name, "re");
		if (info)
			conflicts_listener(out, pid, comm, info);
	}
}

/* How many processes there are of each known one, and the first of them. */
struct seen {
	unsigned n;
	int pid;
	char comm[64];
};

static void conflicts_note(struct seen *seen, const char *pid, const char *comm)
{
	for (size_t i = 0; i < countof(known); i++)
		if (fnmatch(known[i].comm, comm, 0) == 0 && seen[i].n++ == 0) {
			seen[i].pid = atoi(pid);
			snprintf(seen[i].comm, sizeof(seen[i].comm), "%s", comm);
		}
}

static void conflicts_known(FILE *out, const struct seen *seen)
{
	for (size_t i = 0; i < countof(known); i++) {
		if (!seen[i].n)
			continue;
		fprintf(out, "'%s' (pid %d", seen[i].comm, seen[i].pid);
		if (seen[i].n > 1)
			fprintf(out, " and %u more", seen[i].n - 1);
		fprintf(out,
			") is %s: it stands still while its files are frozen, and who waits for it "
			"does too\n",
			known[i].what);
	}
}

static void conflicts_processes(FILE *out)
{
	autoclosedir DIR *proc = opendir("/proc");
	struct seen seen[countof(known)] = { 0 };
	struct dirent *entry;
	char comm[64];

	while (proc && (entry = readdir(proc))) {
		if (!isdigit((unsigned char)*entry->d_name))
			continue;
		conflicts_comm(dirfd(proc), entry->d_name, comm, sizeof(comm));
		conflicts_note(seen, entry->d_name, comm);
		conflicts_fanotify(out, dirfd(proc), entry->d_name, comm);
	}
	conflicts_known(out, seen);
}

/* To freeze the outer one first leaves the freeze of the inner one waiting, and the freezer in it.
 */
static int conflicts_loop(void *arg, const struct mount *inner)
{
	autofree char *path = NULL, *file = NULL;
	struct err none = ERR_INIT;
	struct mount outer;

	if (strncmp(inner->source, "/dev/loop", 9) ||
	    asprintf(&path, "/sys/dev/block/%u:%u/loop/backing_file", inner->major, inner->minor) <
		    0 ||
	    io_read_file(AT_FDCWD, path, 4096, &file, NULL, &none) < 0)
		return 0;
	file[strcspn(file, "\n")] = '\0';
	if (mount_above(&outer, file) < 0 || !strcmp(outer.type, "tmpfs"))
		return 0;
	fputs("if ", arg);
	conflicts_path(arg, outer.point);
	fputs(" is frozen first, the freeze of ", arg);
	conflicts_path(arg, inner->point);
	fputs(", which lies in a file on it, hangs, and who freezes with it\n", arg);
	return 0;
}

static void conflicts_output(FILE *out, const char *outdir)
{
	autoclose int dir = open(outdir, O_PATH | O_CLOEXEC);
	struct mount m;

	if (dir < 0 || mount_is_in_memory(dir) || mount_of_fd(&m, getpid(), dir) < 0)
		return;
	fputs("the bundle goes to ", out);
	conflicts_path(out, outdir);
	fputs(", on ", out);
	conflicts_path(out, m.point);
	fprintf(out,
		" (%s): it is written when that is thawed; with -o on a tmpfs it is written at "
		"once\n",
		m.type);
}

void conflicts_write(FILE *out, const char *outdir)
{
	conflicts_processes(out);
	mounts_each(conflicts_loop, out);
	conflicts_output(out, outdir);
}
