#include "reader/helper.h"

#include <fcntl.h>
#include <glob.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/io.h"
#include "process/memory.h"
#include "process/sandbox.h"
#include "process/worker.h"
#include "reader/exec.h"
#include "reader/mounts.h"
#include "reader/sockets.h"
#include "reader/tasks.h"

/* Requests become descriptor 0, answers 1, and nothing else stays. */
static void helper_descriptors(struct helper *h)
{
	int requests = fcntl(h->requests, F_DUPFD, 2);
	int answers = fcntl(h->answers, F_DUPFD, 2);

	h->requests = dup2(requests, 0);
	h->answers = dup2(answers, 1);
	io_close_from(2);
}

/* Whether it may be read although it is no regular file. */
static bool helper_is_kernel(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && (fs.f_type == PROC_SUPER_MAGIC || fs.f_type == SYSFS_MAGIC);
}

/* Looks first and opens what it has looked at: to open a device can be an act. */
static int helper_open(const struct helper *h, const char *path)
{
	autoclose int fd = open(path, O_PATH | O_CLOEXEC);
	char self[64];
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	if (h->fsfreeze_safe && !mount_is_in_memory(fd))
		return errno = READER_OUTSIDE, -1;
	if (S_ISDIR(st.st_mode))
		return errno = EISDIR, -1;
	if (!S_ISREG(st.st_mode) && !helper_is_kernel(fd))
		return errno = READER_REFUSED, -1;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	return open(self, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

/* Where the content of a file goes: one byte more than is kept tells whether there is more. */
struct room {
	char *at;
	size_t max;
};

/* Returns how much there was, or -errno where there was nothing. */
static ssize_t helper_slurp(int fd, const struct room *room)
{
	size_t size = 0;
	ssize_t n = 0;

	while (size <= room->max) {
		n = read(fd, room->at + size, room->max + 1 - size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		size += n;
	}
	return n < 0 && !(errno == EAGAIN && size > 0) ? -errno : (ssize_t)size;
}

static void part_fill(struct part *part, ssize_t size, const struct room *room)
{
	if (size < 0) {
		part->error = -(int)size;
		return;
	}
	part->truncated = (size_t)size > room->max;
	part->size = part->truncated ? room->max : (size_t)size;
}

static void helper_read(struct helper *h, const char *path, struct part *part,
			const struct room *room)
{
	int fd = kept_find(&h->kept, path);
	ssize_t size;

	part->time = clock_boot();
	if (fd >= 0 && (size = helper_slurp(fd, room)) >= 0) {
		part_fill(part, size, room);
		return;
	}
	kept_remove(&h->kept, path);
	fd = helper_open(h, path);
	part->time = clock_boot();
	part_fill(part, fd < 0 ? -errno : helper_slurp(fd, room), room);
	if (fd >= 0)
		kept_add(&h->kept, path, fd);
}

/* Whatever it is. */
static void helper_read_any(const char *path, struct part *part, const struct room *room)
{
	autoclose int fd = open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC);

	part->time = clock_boot();
	part_fill(part, fd < 0 ? -errno : helper_slurp(fd, room), room);
}

/* One after the other, as long as there is room and the owner wants more. One that does not fit
 * behind the others is left for another time. */
static void helper_files(struct helper *h, const struct request *q)
{
	struct parts *parts = (struct parts *)h->buffer;
	const char *path = q->path, *end = q->path + sizeof(q->path);
	size_t at = sizeof(*parts);

	for (uint32_t i = 0; i < q->n && path < end; i++, path += strlen(path) + 1) {
		struct part *part = (struct part *)(h->buffer + at);
		struct room room = { (char *)(part + 1), h->max };
		size_t left = h->room - at;

		if (i >= __atomic_load_n(&parts->limit, __ATOMIC_ACQUIRE) ||
		    left <= sizeof(*part) + 1)
			return;
		if (left - sizeof(*part) - 1 < room.max)
			room.max = left - sizeof(*part) - 1;
		*part = (struct part) { 0 };
		if (q->op == READER_READ_ANY)
			helper_read_any(path, part, &room);
		else
			helper_read(h, path, part, &room);
		if (part->truncated && room.max < h->max)
			return;
		at += part_step(part->size);
		__atomic_store_n(&parts->done, i + 1, __ATOMIC_RELEASE);
		if (at > h->room)
			return;
	}
}

static void helper_pack(const struct helper *h, const glob_t *found, struct reply *r)
{
	for (size_t i = 0; i < found->gl_pathc; i++) {
		size_t n = strlen(found->gl_pathv[i]) + 1;

		if (n > h->room - r->size) {
			r->truncated = 1;
			return;
		}
		memcpy(h->buffer + r->size, found->gl_pathv[i], n);
		r->size += n;
	}
}

static void helper_glob(const struct helper *h, const struct request *q, struct reply *r)
{
	glob_t found = { 0 };
	int failed = glob(q->path, 0, NULL, &found);

	r->time = clock_boot();
	if (failed == 0)
		helper_pack(h, &found, r);
	else if (failed != GLOB_NOMATCH)
		r->error = failed == GLOB_NOSPACE ? ENOMEM : EIO;
	globfree(&found);
}

static void helper_asleep(const struct helper *h, struct reply *r)
{
	r->time = clock_boot();
	r->size = tasks_asleep(h->buffer, h->room);
}

static int helper_write(const struct helper *h, const struct request *q, FILE *out, bool *cut)
{
	switch (q->op) {
	case READER_MEMBERS:
		return tasks_members(out, q->path);
	case READER_TASKS:
		return tasks_write(out, q->path, h->max, cut);
	case READER_SOCKETS:
		return sockets_write(out, h->netlink, q->path);
	case READER_COMMAND:
		return exec_write(out, q->path, h->max, h->requests, cut);
	}
	return ENOSYS;
}

/* What is written for a query, as much as there is room for. */
static void helper_query(const struct helper *h, const struct request *q, struct reply *r)
{
	autofree char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	bool cut = false;

	r->time = clock_boot();
	r->error = out ? helper_write(h, q, out, &cut) : ENOMEM;
	if (!out || fclose(out) != 0 || r->error)
		return;
	r->size = size < h->max ? size : h->max;
	r->truncated = cut || size > h->max;
	memcpy(h->buffer, text, r->size);
}

static void helper_answer(struct helper *h, const struct request *q, struct reply *r)
{
	switch (q->op) {
	case READER_GLOB:
		helper_glob(h, q, r);
		break;
	case READER_ASLEEP:
		helper_asleep(h, r);
		break;
	case READER_READ:
	case READER_READ_ANY:
		helper_files(h, q);
		break;
	default:
		helper_query(h, q, r);
	}
}

static void helper_serve(struct helper *h)
{
	struct request q;

	for (;;) {
		ssize_t n = recv(h->requests, &q, sizeof(q), 0);
		struct reply r = { .slot = h->slot };

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= (ssize_t)offsetof(struct request, path))
			return;
		q.path[sizeof(q.path) - 1] = '\0';
		r.sequence = q.sequence;
		helper_answer(h, &q, &r);
		if (send(h->answers, &r, sizeof(r), MSG_NOSIGNAL) < 0)
			return;
	}
}

/* Who runs programs as root has nothing to give up: the user has allowed it. */
static int helper_give_up(struct helper *h, struct err *e)
{
	if (h->fsfreeze_safe && memory_lock(e) < 0)
		return e->code;
	if (h->kind == READER_OF_SOCKETS && sockets_open(&h->netlink, e) < 0)
		return e->code;
	return h->kind == READER_OF_COMMANDS ? 0 : sandbox_enter(SANDBOX_READER, e);
}

void helper_run(struct helper *h, pid_t owner)
{
	struct reply ready = { .slot = h->slot };
	struct err e = ERR_INIT;

	worker_signals();
	helper_descriptors(h);
	prctl(PR_SET_NAME, "tracer-helper");
	/* who runs commands sees its socket close, and ends them first */
	if (h->kind == READER_OF_COMMANDS)
		prctl(PR_SET_CHILD_SUBREAPER, 1);
	else
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != owner)
		_exit(0);
	if (helper_give_up(h, &e) < 0)
		ready.error = -e.code;
	if (send(h->answers, &ready, sizeof(ready), MSG_NOSIGNAL) > 0 && !ready.error)
		helper_serve(h);
	_exit(0);
}
