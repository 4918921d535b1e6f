#include "process/worker.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/units.h"

static bool worker_keeps(const int *keep, size_t n_keep, int fd)
{
	if (fd <= STDERR_FILENO)
		return true;
	for (size_t i = 0; i < n_keep; i++)
		if (keep[i] == fd)
			return true;
	return false;
}

static void worker_close_others(const int *keep, size_t n_keep, int also)
{
	autoclosedir DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		int fd = atoi(entry->d_name);

		if (fd != dirfd(dir) && fd != also && !worker_keeps(keep, n_keep, fd))
			close(fd);
	}
}

static void worker_standard_streams(void)
{
	int null = open("/dev/null", O_RDWR);

	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		dup2(null, fd);
	if (null > STDERR_FILENO)
		close(null);
}

void worker_signals(void)
{
	static const int ignored[] = { SIGINT,  SIGTERM, SIGHUP,  SIGQUIT,
				       SIGPIPE, SIGTSTP, SIGUSR1, SIGUSR2 };
	sigset_t none;

	for (size_t i = 0; i < countof(ignored); i++)
		signal(ignored[i], SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void worker_run(const char *name, worker_main *main, void *arg, int fd)
{
	struct err e = ERR_INIT;
	char title[32];

	snprintf(title, sizeof(title), "tracer-%s", name);
	prctl(PR_SET_NAME, title);
	if (main(arg, fd, &e) < 0) {
		message_send_error(fd, e.code, e.exit, e.text);
		_exit(1);
	}
	message_send(fd, MESSAGE_STOPPED, "");
	_exit(0);
}

static pid_t worker_parent; /* in a worker: who started it */

int worker_start(struct worker *w, const char *name, worker_main *main, void *arg, const int *keep,
		 size_t n_keep, struct err *e)
{
	pid_t parent = getpid();
	int pair[2];

	*w = (struct worker) { .fd = -1, .err = ERR_INIT };
	snprintf(w->name, sizeof(w->name), "%s", name);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "no socket for '%s'", name);
	w->pid = fork();
	if (w->pid == 0) {
		worker_parent = parent;
		setpgid(0, 0);
		worker_signals();
		worker_standard_streams();
		log_close();
		worker_close_others(keep, n_keep, pair[1]);
		worker_run(name, main, arg, pair[1]);
	}
	close(pair[1]);
	if (w->pid < 0) {
		w->pid = 0;
		close(pair[0]);
		return err_sys(e, "cannot start the process '%s'", name);
	}
	w->fd = pair[0];
	return 0;
}

static void worker_reap(struct worker *w, int status)
{
	w->pid = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		w->stopped = true;
	if (w->stopped || w->failed)
		return;
	w->failed = true;
	if (WIFSIGNALED(status))
		err_set(&w->err, "its process was ended by signal %d (%s)", WTERMSIG(status),
			strsignal(WTERMSIG(status)));
	else
		err_set(&w->err, "its process ended by itself");
}

/* The socket is closed: it is ending, or already gone. */
static void worker_hung_up(struct worker *w)
{
	int status;

	close(take_fd(&w->fd));
	for (int tries = 0; w->pid && tries < 50; tries++) {
		if (waitpid(w->pid, &status, WNOHANG) == w->pid)
			worker_reap(w, status);
		else
			usleep(2000);
	}
	if (w->pid)
		worker_kill(w);
}

int worker_receive(struct worker *w, struct message *message)
{
	int r = w->fd < 0 ? 0 : message_receive(w->fd, message);

	if (r < 0) {
		worker_hung_up(w);
		return 0;
	}
	if (r > 0 && message->type == MESSAGE_ARMED)
		w->armed = true;
	if (r > 0 && message->type == MESSAGE_STOPPED)
		w->stopped = true;
	if (r > 0 && message->type == MESSAGE_ERROR) {
		w->failed = true;
		w->err.code = message->code ? message->code : -EIO;
		w->err.exit = message->exit;
		snprintf(w->err.text, sizeof(w->err.text), "%.900s", message->text);
	}
	return r;
}

static void worker_wait_readable(const struct worker *w, uint64_t until)
{
	struct pollfd pollfd = { .fd = w->fd, .events = POLLIN };
	uint64_t now = clock_boot();

	poll(&pollfd, 1, until > now ? (int)((until - now) / NS_PER_MS) + 1 : 0);
}

int worker_finish(struct worker *w, uint64_t until, void (*say)(void *arg, const char *text),
		  void *arg, struct err *e)
{
	struct message message;

	while (w->fd >= 0 && clock_boot() < until) {
		worker_wait_readable(w, until);
		while (worker_receive(w, &message) > 0)
			if (message.type == MESSAGE_SAY && say)
				say(arg, message.text);
	}
	if (w->fd >= 0) {
		worker_kill(w);
		err_set(e, "'%s' did not end in time", w->name);
		return e->code = -ETIMEDOUT;
	}
	if (!w->failed)
		return 0;
	*e = w->err;
	return e->code;
}

void worker_kill(struct worker *w)
{
	int status;

	if (w->pid) {
		kill(w->pid, SIGKILL);
		for (int tries = 0; w->pid && tries < 100; tries++) {
			if (waitpid(w->pid, &status, WNOHANG) == w->pid)
				worker_reap(w, status);
			else
				usleep(5000);
		}
		if (w->pid) { /* stuck in the kernel: it dies when that lets it go */
			w->pid = 0;
			w->failed = true;
			err_set(&w->err, "its process hangs in the kernel");
		}
	}
	if (w->fd >= 0)
		close(take_fd(&w->fd));
}

void worker_die_with_parent(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != worker_parent) /* it was quicker */
		_exit(1);
}
