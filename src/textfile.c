/* A text file that grows and rotates: renamed and made anew, or cut to nothing where it is. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auto.h"
#include "clock.h"
#include "followlog.h"
#include "units.h"

/* One of the files that the path has named. */
struct generation {
	int fd; /* -1: none */
	off_t at;
	char line[FOLLOWER_LINE]; /* that has no end yet */
	size_t n;
};

/* Who writes may go on with the old file for a while, so that is looked at too. */
struct textfile {
	const char *path;
	int changes; /* inotify, of its directory; -1 where there is none */
	struct generation now, before;
};

static int textfile_watch(const char *path)
{
	autofree char *copy = strdup(path);
	autoclose int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	if (!copy || fd < 0 ||
	    inotify_add_watch(fd, dirname(copy), IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
		return -1;
	return take_fd(&fd);
}

static int textfile_open(void **ret, const char *path, struct err *e)
{
	struct textfile *t = calloc(1, sizeof(*t));

	if (!t)
		return err_set(e, "no memory");
	*t = (struct textfile) { .path = path, .changes = -1, .before = { .fd = -1 } };
	t->now.fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (t->now.fd < 0) {
		free(t);
		return err_sys(e, "cannot open '%s'", path);
	}
	t->now.at = lseek(t->now.fd, 0, SEEK_END);
	t->changes = textfile_watch(path);
	*ret = t;
	return 0;
}

/* Whole lines; what has no end stays for later. */
static int generation_hand_out(struct generation *g, const char *text, size_t size,
			       followlog_emit *emit, void *arg)
{
	int r = 0;

	for (const char *end = text + size, *newline; text < end && r == 0; text = newline + 1) {
		size_t n, room = sizeof(g->line) - g->n;

		newline = memchr(text, '\n', end - text);
		n = newline ? newline - text : end - text;
		memcpy(g->line + g->n, text, n < room ? n : room); /* a longer one is cut */
		g->n += n < room ? n : room;
		if (!newline)
			break;
		r = emit(arg, &(struct followed) { .time = clock_boot(),
						   .priority = UINT32_MAX,
						   .text = g->line,
						   .size = g->n });
		g->n = 0;
	}
	return r;
}

static int generation_take(struct generation *g, followlog_emit *emit, void *arg)
{
	char text[65536];
	struct stat st;
	ssize_t n;
	int r = 0;

	if (g->fd < 0)
		return 0;
	if (fstat(g->fd, &st) == 0 && st.st_size < g->at)
		g->at = g->n = 0;
	while (r == 0 && (n = pread(g->fd, text, sizeof(text), g->at)) > 0) {
		g->at += n;
		r = generation_hand_out(g, text, n, emit, arg);
	}
	return r;
}

/* Another file has the name now. */
static void textfile_rotate(struct textfile *t)
{
	struct stat open_one, named;
	int fd;

	if (stat(t->path, &named) < 0 || !S_ISREG(named.st_mode) ||
	    fstat(t->now.fd, &open_one) < 0 ||
	    (open_one.st_ino == named.st_ino && open_one.st_dev == named.st_dev))
		return;
	fd = open(t->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (t->before.fd >= 0)
		close(t->before.fd);
	t->before = t->now;
	t->now = (struct generation) { .fd = fd };
}

static int textfile_take(void *log, followlog_emit *emit, void *arg)
{
	struct textfile *t = log;
	int r = generation_take(&t->before, emit, arg);

	if (r == 0)
		r = generation_take(&t->now, emit, arg);
	textfile_rotate(t);
	if (r == 0 && t->now.at == 0)
		r = generation_take(&t->now, emit, arg);
	return r;
}

static void textfile_wait(void *log)
{
	const struct textfile *t = log;
	struct pollfd p = { .fd = t->changes, .events = POLLIN };
	char events[4096];

	if (poll(&p, 1, FOLLOWER_LATE / NS_PER_MS) > 0)
		while (read(t->changes, events, sizeof(events)) > 0)
			;
}

static void textfile_close(void *log)
{
	struct textfile *t = log;
	const int fds[] = { t->changes, t->now.fd, t->before.fd };

	for (size_t i = 0; i < countof(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	free(t);
}

const struct followlog_ops textfile_log = {
	.open = textfile_open,
	.take = textfile_take,
	.wait = textfile_wait,
	.close = textfile_close,
};
