/* tracer RECIPE: capture until the stop condition, Ctrl+C or the time limit. */
#include <stdio.h>
#include <string.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "auto.h"
#include "clock.h"
#include "command/command.h"
#include "console.h"
#include "crew.h"
#include "launch.h"
#include "prepare.h"
#include "repeat.h"
#include "state.h"

/* The other side of --detach. */
struct detached {
	int fd; /* whoever waits for the ID; -1: it is not detached */
	struct console *console;
};

static void capture_armed(void *arg, const char *id)
{
	struct detached *detached = arg;

	if (detached->fd < 0)
		return;
	console_detach(detached->console);
	/* whoever waited may have left: the capture goes on */
	if (write(detached->fd, id, strlen(id)) >= 0)
		close(take_fd(&detached->fd));
}

static int capture_run_prepared(struct prepared *p, const struct options *options,
				const char **words, int n_words, int armed_fd, struct err *e)
{
	struct detached detached = { .fd = armed_fd };
	struct engine_result result = { .exit = EXIT_FAILED };
	struct repeat repeat = { .until = clock_boot() + p->max_time };
	struct launch launch = { .prepared = p,
				 .options = options,
				 .words = words,
				 .n_words = n_words,
				 .armed = capture_armed,
				 .armed_arg = &detached };
	int r;

	crew_block_signals();
	if (console_start(&detached.console,
			  (options->quiet ? CONSOLE_QUIET : 0) |
				  (p->plan->fsfreeze_safe ? CONSOLE_LOCKED : 0),
			  e) < 0)
		return e->code;
	launch.console = detached.console;
	console_line(detached.console, "plan %s", p->plan->sha256);
	do
		r = launch_run(&launch, &result, e);
	while (r == 0 && repeat_again(&repeat, &launch, &result));
	if (r < 0)
		console_error(detached.console, "tracer: %s", e->text);
	console_end(detached.console);
	repeat_free(&repeat);
	return r < 0 ? (int)e->exit : (int)result.exit;
}

/* Waits for the ID of the capture in the background, or for its failure. */
static int capture_detached(int fd, pid_t pid)
{
	char id[ULID_SIZE] = "";
	int status;

	crew_block_signals(); /* it arms in a moment: leaving now would leave it without its ID */
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

const struct command capture_command = {
	.name = "capture",
	.words = "RECIPE [ARG... NAME=VALUE...]",
	.help = "record until the stop condition, Ctrl+C or the time limit",
	.min_words = 1,
	.max_words = -1,
	.run = capture_run,
};
