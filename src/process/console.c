#include "process/console.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/units.h"
#include "process/memory.h"
#include "process/sandbox.h"

#define CONSOLE_QUEUE (256 << 10) /* bytes that may wait */

/* What a message is, in its first byte. */
enum console_kind {
	CONSOLE_LINE = 'l',
	CONSOLE_STATUS = 's',
	CONSOLE_RESULT = 'r',
	CONSOLE_DETACH = 'd'
};

struct console {
	int fd;
	pid_t pid;
	enum console_mode mode;
};

struct console_screen {
	bool terminal;
	bool status; /* the cursor stands behind a status line */
};

static void console_put(int fd, const char *text, size_t size)
{
	while (size) {
		ssize_t n = write(fd, text, size);

		if (n <= 0)
			return; /* nobody is there to read it */
		text += n;
		size -= n;
	}
}

static void console_show(struct console_screen *screen, char kind, const char *text)
{
	char line[2100];
	int n;

	if (kind == CONSOLE_STATUS && !screen->terminal)
		return;
	if (kind == CONSOLE_STATUS)
		n = snprintf(line, sizeof(line), "\r\033[K%s", text);
	else
		n = snprintf(line, sizeof(line), "%s%s\n",
			     screen->status && kind == CONSOLE_LINE ? "\r\033[K" : "", text);
	if (kind == CONSOLE_RESULT && screen->status)
		console_put(STDERR_FILENO, "\r\033[K", 4);
	screen->status = kind == CONSOLE_STATUS;
	console_put(kind == CONSOLE_RESULT ? STDOUT_FILENO : STDERR_FILENO, line, n);
}

static void console_drop_streams(int null)
{
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
}

static void console_serve(int fd, enum console_mode mode)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct console_screen screen = { .terminal = isatty(STDERR_FILENO) };
	struct err ignored = ERR_INIT;
	char text[2049];
	ssize_t n;

	if (mode & CONSOLE_LOCKED)
		memory_lock(&ignored); /* it is not waited for */
	sandbox_enter(SANDBOX_HELD, &ignored);
	while ((n = recv(fd, text, sizeof(text) - 1, 0)) > 0) {
		text[n] = '\0';
		if (text[0] == CONSOLE_DETACH)
			console_drop_streams(null);
		console_show(&screen, text[0], text + 1);
	}
	if (screen.status)
		console_put(STDERR_FILENO, "\r\033[K", 4);
}

static void console_child(int fd, enum console_mode mode)
{
	static const int ignored[] = { SIGINT,  SIGTERM, SIGHUP,  SIGQUIT,
				       SIGPIPE, SIGTSTP, SIGTTOU, SIGUSR1 };
	sigset_t none;

	for (size_t i = 0; i < countof(ignored); i++)
		signal(ignored[i], SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setpgid(0, 0);
	/* what others wait for the end of is not kept open here */
	fd = dup2(fd, STDERR_FILENO + 1);
	io_close_from(STDERR_FILENO + 2);
	console_serve(fd, mode);
	_exit(0);
}

static void console_detach_streams(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		dup2(null, fd);
	if (null > STDERR_FILENO)
		close(null);
}

int console_start(struct console **ret, enum console_mode mode, struct err *e)
{
	struct console *console = calloc(1, sizeof(*console));
	int pair[2], size = CONSOLE_QUEUE;

	if (!console)
		return err_set(e, "no memory");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		free(console);
		return err_sys(e, "no socket for the console");
	}
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	console->mode = mode;
	console->fd = pair[0];
	console->pid = fork();
	if (console->pid == 0) {
		close(pair[0]);
		console_child(pair[1], mode);
	}
	close(pair[1]);
	console_detach_streams();
	*ret = console;
	return 0;
}

static void console_send(struct console *console, enum console_kind kind, const char *format,
			 va_list ap)
{
	char text[2048];
	int n;

	text[0] = kind;
	n = vsnprintf(text + 1, sizeof(text) - 1, format, ap) + 1;
	if (n > (int)sizeof(text) - 1)
		n = sizeof(text) - 1;
	send(console->fd, text, n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void console_line(struct console *console, const char *format, ...)
{
	va_list ap;

	if (console->mode & CONSOLE_QUIET)
		return;
	va_start(ap, format);
	console_send(console, CONSOLE_LINE, format, ap);
	va_end(ap);
}

void console_error(struct console *console, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	console_send(console, CONSOLE_LINE, format, ap);
	va_end(ap);
}

void console_status(struct console *console, const char *format, ...)
{
	va_list ap;

	if (console->mode & CONSOLE_QUIET)
		return;
	va_start(ap, format);
	console_send(console, CONSOLE_STATUS, format, ap);
	va_end(ap);
}

void console_result(struct console *console, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	console_send(console, CONSOLE_RESULT, format, ap);
	va_end(ap);
}

void console_detach(struct console *console)
{
	char kind = CONSOLE_DETACH;

	send(console->fd, &kind, 1, MSG_NOSIGNAL);
}

void console_end(struct console *console)
{
	uint64_t until = clock_boot() + 2 * NS_PER_S;

	if (!console)
		return;
	close(console->fd);
	while (console->pid > 0 && waitpid(console->pid, NULL, WNOHANG) == 0) {
		if (clock_boot() > until) {
			kill(console->pid, SIGKILL);
			break;
		}
		usleep(2000);
	}
	free(console);
}
