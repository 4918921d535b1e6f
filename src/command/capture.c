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
#include "engine.h"
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

static int capture_engine(struct prepared *p, const struct about *about, struct state *state,
			  struct luatest *tests, struct detached *detached,
			  struct engine_result *result, struct err *e)
{
	autofree char *ends = prepared_ends(p);
	struct engine_request rq = {
		.plan = p->plan,
		.tracing = p->tracing,
		.state = state,
		.about = about,
		.tests = tests,
		.console = detached->console,
		.max_time = p->max_time,
		.ends = ends ? ends : "",
		.armed = capture_armed,
		.armed_arg = detached,
	};

	return engine_run(&rq, result, e);
}

static int capture_state(struct state **ret, const struct prepared *p,
			 const struct options *options, const char **words, int n_words,
			 struct err *e)
{
	char id[ULID_SIZE];

	ulid_make(id, anchor_take().wall_ns);
	if (state_create(ret, id, e) < 0)
		return e->code;
	if (about_write((*ret)->fd, p->outdir, compress_text(options->compress), p->recipe,
			n_words - 1, words + 1, p->script.plan, p->script.files, p->script.n_files,
			e) < 0) {
		struct err ignored = ERR_INIT;

		state_remove(take_ptr(*ret), &ignored);
		return e->code;
	}
	return 0;
}

static int capture_tested(struct prepared *p, const struct options *options, const char **words,
			  int n_words, struct luatest *tests, struct detached *detached,
			  struct engine_result *result, struct err *e)
{
	struct state *state = NULL;
	struct about about;
	int r;

	if (capture_state(&state, p, options, words, n_words, e) < 0 ||
	    about_read(&about, state->fd, e) < 0)
		return e->code;
	r = capture_engine(p, &about, state, tests, detached, result, e);
	about_clear(&about);
	return r;
}

/* One capture: one bundle, or an error. */
static int capture_once(struct prepared *p, const struct options *options, const char **words,
			int n_words, struct detached *detached, struct engine_result *result,
			struct err *e)
{
	struct luatest *tests = NULL;
	struct script *script = NULL;
	int r = prepare_tests(p, words, n_words, &tests, &script, e);

	if (r == 0)
		r = capture_tested(p, options, words, n_words, tests, detached, result, e);
	script_end(script);
	luatest_free(tests);
	return r;
}

static int capture_run_prepared(struct prepared *p, const struct options *options,
				const char **words, int n_words, int armed_fd, struct err *e)
{
	struct detached detached = { .fd = armed_fd };
	struct engine_result result = { .exit = EXIT_FAILED };
	struct repeat repeat = { .until = clock_boot() + p->max_time };
	int r;

	crew_block_signals();
	if (console_start(&detached.console, options->quiet ? CONSOLE_QUIET : CONSOLE_NORMAL, e) <
	    0)
		return e->code;
	console_line(detached.console, "plan %s", p->plan->sha256);
	do
		r = capture_once(p, options, words, n_words, &detached, &result, e);
	while (r == 0 &&
	       repeat_again(&repeat, p, options, words, n_words, &result, detached.console));
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
