/* tracer RECIPE: capture until the stop condition, Ctrl+C or the time limit. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "capture/state.h"
#include "command/command.h"
#include "engine/launch.h"
#include "engine/pidfile.h"
#include "engine/repeat.h"
#include "engine/workers.h"
#include "prepare/prepare.h"
#include "process/console.h"

/* Whoever waits until it records. */
struct waiting {
	int detached; /* the other side of --detach; -1: it is not detached */
	int ready;    /* of --ready-fd; -1: nobody */
	struct console *console;
};

/* Who waited may have left, or may not read: the capture goes on. */
static void capture_tell(int *fd, const char *id, const char *end)
{
	struct pollfd ready = { .fd = *fd, .events = POLLOUT };
	char text[ULID_SIZE + 1];
	int n = snprintf(text, sizeof(text), "%s%s", id, end);

	if (*fd < 0)
		return;
	if (poll(&ready, 1, 0) == 1 && write(*fd, text, n) < 0)
		errno = 0; /* nobody is there any more */
	close(take_fd(fd));
}

static void capture_armed(void *arg, const char *id)
{
	struct waiting *waiting = arg;

	if (waiting->detached >= 0)
		console_detach(waiting->console);
	capture_tell(&waiting->detached, id, "");
	capture_tell(&waiting->ready, id, "\n");
}

static int capture_run_prepared(struct prepared *p, const struct options *options,
				const char **words, int n_words, int armed_fd, struct err *e)
{
	struct waiting waiting = { .detached = armed_fd, .ready = options->ready_fd };
	struct engine_result result = { .exit = EXIT_FAILED };
	struct repeat repeat = { .until = clock_boot() + p->max_time };
	struct launch launch = { .prepared = p,
				 .options = options,
				 .words = words,
				 .n_words = n_words,
				 .armed = capture_armed,
				 .armed_arg = &waiting };
	int r;

	workers_block_signals();
	if (console_start(&waiting.console,
			  (options->quiet ? CONSOLE_QUIET : 0) |
				  (p->plan->fsfreeze_safe ? CONSOLE_LOCKED : 0),
			  e) < 0)
		return e->code;
	launch.console = waiting.console;
	console_line(waiting.console, "plan %s", p->plan->sha256);
	r = options->pid_file ? pidfile_write(options->pid_file, e) : 0;
	for (bool more = r == 0; more; more = r == 0 && repeat_again(&repeat, &launch, &result))
		r = launch_run(&launch, &result, e);
	if (r < 0)
		console_error(waiting.console, "tracer: %s", e->text);
	if (options->pid_file)
		pidfile_remove(options->pid_file);
	console_end(waiting.console);
	repeat_free(&repeat);
	return r < 0 ? (int)e->exit : (int)result.exit;
}

/* Waits for the ID of the capture in the background, or for its failure. */
static int capture_detached(int fd, pid_t pid)
{
	char id[ULID_SIZE] = "";
	int status;

	workers_block_signals(); /* it arms in a moment: leaving now would leave it without its ID
				  */
	if (read(fd, id, sizeof(id) - 1) > 0) {
		puts(id);
		return 0;
	}
	if (waitpid(pid, &status, 0) == pid && WIFEXITED(status))
		return WEXITSTATUS(status);
	return EXIT_FAILED;
}

static int capture_detach(struct prepared *p, const struct options *options, const char **words,
			  int n_words, struct err *e)
{
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(e, "cannot detach");
	pid = fork();
	if (pid < 0)
		return err_sys(e, "cannot detach");
	if (pid == 0) {
		close(fds[0]);
		setsid();
		_exit(capture_run_prepared(p, options, words, n_words, fds[1], e));
	}
	close(fds[1]);
	return capture_detached(fds[0], pid);
}

static int capture_run(const struct options *options, const char **words, int n_words,
		       struct err *e)
{
	struct prepared p;
	int r;

	state_tell_interrupted();
	if (prepare(&p, options, words, n_words, e) < 0)
		return e->code;
	if (prepare_allowed(p.plan, options, e) < 0)
		r = e->code;
	else if (options->detach)
		r = capture_detach(&p, options, words, n_words, e);
	else
		r = capture_run_prepared(&p, options, words, n_words, -1, e);
	prepared_clear(&p);
	return r;
}

const struct command record_command = {
	.name = "capture",
	.words = "RECIPE [ARG... NAME=VALUE...]",
	.help = "record until the stop condition, Ctrl+C or the time limit",
	.min_words = 1,
	.max_words = -1,
	.run = capture_run,
};
