#include "log/follower.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/units.h"
#include "log/followlog.h"
#include "log/freezes.h"
#include "process/sandbox.h"
#include "process/worker.h"

#define FOLLOWER_GOODBYE (100 * NS_PER_MS)
#define FOLLOWER_READY (10 * NS_PER_S)
#define FOLLOWER_PAUSE (2 * NS_PER_MS) /* between two looks */

struct packet {
	uint64_t time;
	uint32_t priority;
	uint32_t size;
	uint32_t is_mark;
	uint32_t cut;
	char text[FOLLOWER_LINE + 1]; /* with a NUL for who takes it */
};

struct follower {
	pid_t pid;
	int fd;
	struct packet packet; /* the last one taken */
};

static const struct followlog_ops *follower_ops(const char *log)
{
	if (freezes_is(log))
		return &freezes_log;
	return strcmp(log, FOLLOWER_JOURNAL) ? &textfile_log : &journal_log;
}

int follower_probe(const char *log, struct err *e)
{
	struct follower *f;

	if (follower_open(&f, log, FOLLOW_NOW, e) < 0)
		return err_exit(e, EXIT_HOST);
	follower_close(f);
	return 0;
}

/* In the process of its own: */

static int follower_emit(void *arg, const struct followed *line)
{
	struct packet packet = { .time = line->time,
				 .priority = line->priority,
				 .is_mark = !line->text,
				 .cut = line->cut };
	const int *fd = arg;

	packet.size = line->size < FOLLOWER_LINE ? line->size : FOLLOWER_LINE;
	if (line->text)
		memcpy(packet.text, line->text, packet.size);
	return send(*fd, &packet, offsetof(struct packet, text) + packet.size, MSG_NOSIGNAL) < 0
		       ? -errno
		       : 0;
}

static bool follower_is_wanted(int fd)
{
	struct pollfd p = { .fd = fd };

	return poll(&p, 1, 0) == 0;
}

/* The time goes with the mark of before it looked. */
static int follower_take(const struct followlog_ops *ops, void *opened, int fd)
{
	const struct followed mark = { .time = clock_boot() };
	int r = ops->take(opened, follower_emit, &fd);

	return r == 1 ? follower_emit(&fd, &mark) : r;
}

/* Says that it is ready by its first mark; else why not by a line. */
static void follower_follow(int fd, const char *log, enum follow follow, pid_t owner)
{
	const struct followlog_ops *ops = follower_ops(log);
	struct followed ready = { .time = clock_boot() };
	const struct timespec pause = { .tv_nsec = FOLLOWER_PAUSE };
	struct err e = ERR_INIT;
	void *opened;

	worker_signals();
	prctl(PR_SET_NAME, "tracer-follow");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != owner || dup2(fd, 0) != 0)
		return;
	fd = 0;
	io_close_from(1);
	if (ops->open(&opened, log, follow, &e) < 0 || sandbox_enter(SANDBOX_READER, &e) < 0)
		ready = (struct followed) { .text = e.text, .size = strlen(e.text) };
	if (follower_emit(&fd, &ready) < 0 || ready.text)
		return;
	while (follower_is_wanted(fd) && follower_take(ops, opened, fd) >= 0) {
		ops->wait(opened);
		nanosleep(&pause, NULL); /* what wakes it up may be of others, and often */
	}
}

static int follower_await(struct follower *f, struct err *e)
{
	struct pollfd p = { .fd = f->fd, .events = POLLIN };
	struct followed line = { .text = NULL };

	poll(&p, 1, FOLLOWER_READY / NS_PER_MS);
	if (follower_next(f, &line) <= 0)
		return err_set(e, "the process that follows the log is not ready");
	return line.text ? err_set(e, "%.*s", (int)line.size, line.text) : 0;
}

int follower_open(struct follower **ret, const char *log, enum follow follow, struct err *e)
{
	struct follower *f = calloc(1, sizeof(*f));
	pid_t owner = getpid();
	int pair[2];

	if (!f)
		return err_set(e, "no memory");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		free(f);
		return err_sys(e, "cannot make a socket");
	}
	f->fd = pair[0];
	f->pid = fork();
	if (f->pid == 0) {
		close(pair[0]);
		follower_follow(pair[1], log, follow, owner);
		_exit(0);
	}
	close(pair[1]);
	if (f->pid < 0 || follower_await(f, e) < 0) {
		if (f->pid < 0)
			err_sys(e, "cannot fork");
		follower_close(f);
		return err_wrap(e, "the log '%s' cannot be followed", log);
	}
	*ret = f;
	return 0;
}

/* One that is stuck in the kernel has to stay behind. */
void follower_close(struct follower *f)
{
	uint64_t until = clock_boot() + FOLLOWER_GOODBYE;

	if (!f)
		return;
	if (f->pid > 0)
		kill(f->pid, SIGKILL);
	while (f->pid > 0 && waitpid(f->pid, NULL, WNOHANG) == 0 && clock_boot() < until)
		usleep(1000);
	close(f->fd);
	free(f);
}

int follower_fd(const struct follower *f)
{
	return f->fd;
}

int follower_next(struct follower *f, struct followed *line)
{
	ssize_t n = recv(f->fd, &f->packet, sizeof(f->packet), MSG_DONTWAIT);
	const ssize_t head = offsetof(struct packet, text);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -EPIPE;
	if (n < head || f->packet.size > (size_t)(n - head) || f->packet.size > FOLLOWER_LINE)
		return -EPIPE;
	f->packet.text[f->packet.size] = '\0';
	*line = (struct followed) { .time = f->packet.time,
				    .priority = f->packet.priority,
				    .cut = f->packet.cut,
				    .text = f->packet.is_mark ? NULL : f->packet.text,
				    .size = f->packet.size };
	return 1;
}
