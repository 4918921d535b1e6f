/* A text file that grows and rotates: renamed and made anew, or cut to nothing where it is. Whoever
 * may change its directory cannot have another file read in its place: a link is resolved once, at
 * the start, and a successor has to be a file of the same owner, or root's. */
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

#include "base/auto.h"
#include "base/clock.h"
#include "base/units.h"
#include "log/followlog.h"

#define STANDS                                                                             \
	(2 * FOLLOWER_LATE) /* a line without an end that does not grow for so long is one \
			     */

/* One of the files that the path has named. */
struct generation {
	int fd; /* -1: none */
	off_t at;
	char behind[64]; /* what stands before that: another text there is another file's */
	size_t n_behind;
	char line[FOLLOWER_LINE]; /* that has no end yet */
	size_t n;
	uint64_t grown; /* boot clock: when it last did */
};

/* Who writes may go on with the old file for a while, so that is looked at too. */
struct textfile {
	char *path;
	uid_t owner;
	bool known;  /* the owner is, since there was a file */
	int changes; /* inotify; -1 where there is none */
	int changed; /* its watch on the file; -1: none */
	struct generation now, before;
};

/* Renames in its directory, which is given by one of its files. */
static void textfile_watch_directory(struct textfile *t)
{
	autofree char *copy = strdup(t->path);

	t->changes = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (copy && t->changes >= 0)
		inotify_add_watch(t->changes, dirname(copy), IN_CREATE | IN_MOVED_TO);
}

static void textfile_watch_file(struct textfile *t)
{
	if (t->changes < 0)
		return;
	if (t->changed >= 0)
		inotify_rm_watch(t->changes, t->changed);
	t->changed = inotify_add_watch(t->changes, t->path, IN_MODIFY | IN_DONT_FOLLOW);
}

/* Returns the descriptor or -errno. */
static int textfile_open_file(struct textfile *t, struct stat *st)
{
	autoclose int fd = open(t->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || fstat(fd, st) < 0)
		return -errno;
	if (!S_ISREG(st->st_mode))
		return -EMEDIUMTYPE;
	if (t->known && st->st_uid != t->owner && st->st_uid != 0)
		return -EPERM;
	t->owner = st->st_uid;
	t->known = true;
	return take_fd(&fd);
}

/* What stands before the place where it begins. */
static void generation_recall(struct generation *g)
{
	off_t size = g->at < (off_t)sizeof(g->behind) ? g->at : (off_t)sizeof(g->behind);
	ssize_t n = pread(g->fd, g->behind, size, g->at - size);

	g->n_behind = n == size ? size : 0;
}

static int textfile_open_first(struct textfile *t, enum follow follow, struct err *e)
{
	struct stat st;

	t->now.fd = textfile_open_file(t, &st);
	if (t->now.fd == -ENOENT && follow == FOLLOW_LATER)
		return 0;
	if (t->now.fd == -EMEDIUMTYPE)
		return err_set(e, "it is no regular file");
	if (t->now.fd < 0) {
		errno = -t->now.fd;
		return err_sys(e, "it cannot be opened");
	}
	t->now.at = lseek(t->now.fd, 0, SEEK_END);
	if (t->now.at < 0)
		return err_set(e, "it is no file that grows at its end");
	generation_recall(&t->now);
	return 0;
}

static void textfile_close(void *log)
{
	struct textfile *t = log;
	const int fds[] = { t->changes, t->now.fd, t->before.fd };

	for (size_t i = 0; i < countof(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	free(t->path);
	free(t);
}

static int textfile_open(void **ret, const char *path, enum follow follow, struct err *e)
{
	struct textfile *t = calloc(1, sizeof(*t));

	if (!t)
		return err_set(e, "no memory");
	*t = (struct textfile) {
		.changes = -1, .changed = -1, .now = { .fd = -1 }, .before = { .fd = -1 }
	};
	t->path = realpath(path, NULL);
	if (!t->path && errno == ENOENT && follow == FOLLOW_LATER)
		t->path = strdup(path);
	if (!t->path)
		err_sys(e, "it cannot be opened");
	else
		textfile_open_first(t, follow, e);
	if (e->code < 0) {
		textfile_close(t);
		return e->code;
	}
	textfile_watch_directory(t);
	textfile_watch_file(t);
	*ret = t;
	return 0;
}

static int generation_emit(struct generation *g, followlog_emit *emit, void *arg)
{
	const struct followed line = {
		.time = clock_boot(), .priority = UINT32_MAX, .text = g->line, .size = g->n
	};

	g->n = 0;
	return emit(arg, &line);
}

/* Whole lines; what has no end stays for later. */
static int generation_hand_out(struct generation *g, const char *text, size_t size,
			       followlog_emit *emit, void *arg)
{
	int r = 0;

	for (const char *end = text + size, *newline; text < end && r >= 0; text = newline + 1) {
		size_t n, room = sizeof(g->line) - g->n;

		newline = memchr(text, '\n', end - text);
		n = newline ? newline - text : end - text;
		memcpy(g->line + g->n, text, n < room ? n : room); /* a longer one is cut */
		g->n += n < room ? n : room;
		if (!newline)
			break;
		r = generation_emit(g, emit, arg);
	}
	return r;
}

/* So that it is seen if it was cut and has grown past the place since. */
static void generation_remember(struct generation *g, const char *text, size_t n)
{
	size_t size = n < sizeof(g->behind) ? n : sizeof(g->behind);

	memcpy(g->behind, text + n - size, size);
	g->n_behind = size;
}

/* From its begin, with what it had left. */
static int generation_begin_anew(struct generation *g, followlog_emit *emit, void *arg)
{
	const struct followed cut = { .time = clock_boot(), .cut = true };
	int r = g->n ? generation_emit(g, emit, arg) : 0;

	g->at = 0;
	g->n_behind = 0;
	return r < 0 ? r : emit(arg, &cut);
}

/* One read has what is new and what stands before it, so that both are of the same file. Returns 1
 * if there may be more, 0 at its end, -EAGAIN if it cannot be read now, -EPIPE if nobody wants it.
 */
static int generation_step(struct generation *g, followlog_emit *emit, void *arg)
{
	char text[65536];
	ssize_t behind = g->n_behind, n = pread(g->fd, text, sizeof(text), g->at - behind);

	if (n < 0)
		return -EAGAIN;
	if (n < behind || memcmp(text, g->behind, behind) != 0)
		return generation_begin_anew(g, emit, arg) < 0 ? -EPIPE : 1;
	if (n == behind)
		return 0;
	g->at += n - behind;
	g->grown = clock_boot();
	generation_remember(g, text, n);
	return generation_hand_out(g, text + behind, n - behind, emit, arg) < 0 ? -EPIPE : 1;
}

/* Returns 1 at its end, 0 if it cannot be read now. */
static int generation_take(struct generation *g, followlog_emit *emit, void *arg)
{
	int r;

	if (g->fd < 0)
		return 1;
	while ((r = generation_step(g, emit, arg)) > 0)
		;
	if (r >= 0 && g->n && clock_boot() - g->grown > STANDS)
		r = generation_emit(g, emit, arg) < 0 ? -EPIPE : r;
	return r == -EPIPE ? r : r == 0;
}

/* Another file has the name now. */
static int textfile_rotate(struct textfile *t, followlog_emit *emit, void *arg)
{
	struct stat open_one = { 0 }, named;
	int fd;

	if (lstat(t->path, &named) < 0 || !S_ISREG(named.st_mode) ||
	    (t->now.fd >= 0 &&
	     (fstat(t->now.fd, &open_one) < 0 ||
	      (open_one.st_ino == named.st_ino && open_one.st_dev == named.st_dev))))
		return 0;
	fd = textfile_open_file(t, &named);
	if (fd < 0)
		return 0;
	if (t->before.n && generation_emit(&t->before, emit, arg) < 0) {
		close(fd);
		return -EPIPE;
	}
	if (t->before.fd >= 0)
		close(t->before.fd);
	t->before = t->now;
	t->now = (struct generation) { .fd = fd };
	textfile_watch_file(t);
	return 1;
}

static int textfile_take(void *log, followlog_emit *emit, void *arg)
{
	struct textfile *t = log;
	int before, now, rotated;

	do {
		before = generation_take(&t->before, emit, arg);
		now = before < 0 ? before : generation_take(&t->now, emit, arg);
		rotated = now < 0 ? now : textfile_rotate(t, emit, arg);
	} while (rotated > 0);
	return rotated < 0 ? rotated : before && now;
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

const struct followlog_ops textfile_log = {
	.open = textfile_open,
	.take = textfile_take,
	.wait = textfile_wait,
};
