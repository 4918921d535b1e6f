#include "follower.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "auto.h"
#include "clock.h"
#include "followlog.h"
#include "io.h"
#include "reader.h"
#include "sandbox.h"
#include "units.h"

#define FOLLOWER_GOODBYE (100 * NS_PER_MS)
#define FOLLOWER_READY (10 * NS_PER_S)

struct packet {
	uint64_t time;
	uint32_t priority;
	uint32_t size;
	char text[FOLLOWER_LINE];
};

struct follower {
	pid_t pid;
	int fd;
	struct packet packet; /* the last one taken */
};

static const struct followlog_ops *follower_ops(const char *log)
{
	return strcmp(log, FOLLOWER_JOURNAL) ? &textfile_log : &journal_log;
}

int follower_probe(const char *log, struct err *e)
{
	const struct reader_setup setup = { .helpers = 1, .max = 1 };
	struct reader_answer a;
	struct reader *reader;
	void *opened;

	if (!strcmp(log, FOLLOWER_JOURNAL)) {
		if (journal_log.open(&opened, log, e) < 0)
			return err_exit(e, EXIT_HOST);
		journal_log.close(opened);
		return 0;
	}
	if (reader_create(&reader, &setup, e) < 0)
		return e->code;
	reader_call(reader, READER_READ, log, &a);
	reader_free(reader);
	if (!a.error)
		return 0;
	err_set(e, "the log '%s' cannot be followed: %s", log, reader_error_text(a.error));
	return err_exit(e, EXIT_HOST);
}

/* In the process of its own: */

static int follower_emit(void *arg, const struct followed *line)
{
	struct packet packet = { .time = line->time, .priority = line->priority };
	const int *fd = arg;

	packet.size = line->size < FOLLOWER_LINE ? line->size : FOLLOWER_LINE;
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

/* Says that it is ready by an empty line. */
static void follower_follow(int fd, const char *log, pid_t owner)
{
	const struct followlog_ops *ops = follower_ops(log);
	struct followed ready = { .time = 1, .text = "" };
	struct err e = ERR_INIT;
	void *opened;

	for (int sig = 1; sig < NSIG; sig++)
		if (sig != SIGCHLD)
			signal(sig, SIG_IGN);
	prctl(PR_SET_NAME, "tracer-follow");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != owner || dup2(fd, 0) != 0)
		return;
	fd = 0;
	io_close_from(1);
	if (ops->open(&opened, log, &e) < 0 || sandbox_enter(SANDBOX_READER, &e) < 0)
		ready = (struct followed) { .text = e.text, .size = strlen(e.text) };
	if (follower_emit(&fd, &ready) < 0 || !ready.time)
		return;
	while (follower_is_wanted(fd) && ops->take(opened, follower_emit, &fd) == 0)
		ops->wait(opened);
}

static int follower_await(struct follower *f, struct err *e)
{
	struct pollfd p = { .fd = f->fd, .events = POLLIN };
	struct followed line = { .text = "" };

	poll(&p, 1, FOLLOWER_READY / NS_PER_MS);
	if (follower_next(f, &line) > 0 && line.time)
		return 0;
	return err_set(e, "%.*s", line.size ? (int)line.size : 60,
		       line.size ? line.text : "the process that follows the log is not ready");
}

int follower_open(struct follower **ret, const char *log, struct err *e)
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
		follower_follow(pair[1], log, owner);
		_exit(0);
	}
	close(pair[1]);
	if (f->pid < 0 || follower_await(f, e) < 0) {
		if (f->pid < 0)
			err_sys(e, "cannot fork");
		follower_close(f);
		return err_wrap(e, "the log '%s'", log);
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
	if (n < head || f->packet.size > (size_t)(n - head))
		return -EPIPE;
	*line = (struct followed) { .time = f->packet.time,
				    .priority = f->packet.priority,
				    .text = f->packet.text,
				    .size = f->packet.size };
	return 1;
}
