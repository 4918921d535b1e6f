/* tracer recover: finishes what was interrupted. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/io.h"
#include "capture/board.h"
#include "capture/ledger.h"
#include "capture/state.h"
#include "command/command.h"
#include "engine/engine.h"
#include "engine/trial.h"
#include "engine/workers.h"
#include "plan/plan.h"
#include "process/console.h"

/* Everything that the engine needs, from the state directory alone. */
struct recovery {
	struct state *state;
	struct plan *plan;
	struct tracing *tracing;
	struct about about;
	char *outdir;
	struct console *console;
};

static void recovery_close(struct recovery *r)
{
	state_close(r->state);
	plan_free(r->plan);
	tracing_close(r->tracing);
	about_clear(&r->about);
	free(r->outdir);
}

/* Where the bundle goes: where the user says, else where the raw data lies already, else where it
 * was to go. */
static int recovery_outdir(struct recovery *r, const struct options *options, struct err *e)
{
	struct err absent = ERR_INIT;
	autofree char *saved = NULL;

	if (!options->outdir &&
	    io_read_file(r->state->fd, "saved", 8192, &saved, NULL, &absent) < 0)
		return 0;
	if (saved)
		saved[strcspn(saved, "\n")] = '\0';
	r->outdir = realpath(saved ? saved : options->outdir, NULL);
	if (!r->outdir)
		return err_sys(e, "the output directory '%s'", saved ? saved : options->outdir);
	r->about.outdir = r->outdir;
	return 0;
}

static int recovery_open(struct recovery *r, const struct options *options, struct err *e)
{
	autofree char *plan = NULL;

	if (io_read_file(r->state->fd, "recipe/plan.json", 16 << 20, &plan, NULL, e) < 0 ||
	    plan_parse(&r->plan, plan, e) < 0 || about_read(&r->about, r->state->fd, e) < 0)
		return e->code;
	return recovery_outdir(r, options, e);
}

/* The rings were emptied into a directory that somebody has removed since. */
static bool recovery_is_gone(const struct recovery *r)
{
	struct err absent = ERR_INIT;
	autofree char *saved = NULL;
	char *newline;

	if (faccessat(r->state->fd, "sealed", F_OK, 0) == 0 ||
	    io_read_file(r->state->fd, "saved", 8192, &saved, NULL, &absent) < 0)
		return false;
	newline = strchr(saved, '\n');
	if (newline)
		*newline = '/';
	return access(saved, F_OK) < 0 && errno == ENOENT;
}

/* It was killed while it armed, or was a trial: there is nothing to save. */
static bool recovery_is_empty(const struct recovery *r)
{
	struct err absent = ERR_INIT;
	struct board *board;
	bool empty;

	if (faccessat(r->state->fd, "board", F_OK, 0) < 0 ||
	    faccessat(r->state->fd, TRIAL_MARK, F_OK, 0) == 0)
		return true;
	if (board_open(&board, r->state->fd, &absent) < 0)
		return false; /* another version's: not ours to judge */
	empty = !board->armed;
	board_close(board);
	return empty;
}

static int recovery_clean(struct recovery *r, const char *why, struct err *e)
{
	struct ledger *ledger;
	char id[ULID_SIZE];
	int result;

	snprintf(id, sizeof(id), "%s", r->state->id);
	if (ledger_open(&ledger, r->state->fd, e) < 0)
		return e->code;
	result = ledger_undo(ledger, r->tracing, e);
	ledger_close(ledger);
	if (result < 0 || state_remove(take_ptr(r->state), e) < 0)
		return e->code;
	fprintf(stderr, "capture %s %s; what it had made is removed\n", id, why);
	return 0;
}

/* The host is asked again what its events are called; what it lacks by now costs that source alone.
 */
static void recovery_probe(struct recovery *r)
{
	probes_adopt(&r->plan->probes, r->state->id, r->tracing);
	for (size_t i = 0; i < r->plan->n_sources; i++) {
		struct source *s = &r->plan->sources[i];
		struct err ignored = ERR_INIT;

		s->tracing = r->tracing;
		s->ops->probe(s, &s->cost, &ignored);
	}
	for (size_t i = 0; i < r->plan->n_conditions; i++) {
		struct err ignored = ERR_INIT;

		condition_probe(&r->plan->conditions[i], r->tracing, &ignored);
	}
}

static int recovery_finish(struct recovery *r, const struct options *options, struct err *e)
{
	struct engine_result done = { .exit = EXIT_FAILED };
	struct engine_request rq;
	int result;

	if (console_start(&r->console, options->quiet ? CONSOLE_QUIET : CONSOLE_NORMAL, e) < 0)
		return e->code;
	rq = (struct engine_request) { .plan = r->plan,
				       .tracing = r->tracing,
				       .state = take_ptr(r->state),
				       .about = &r->about,
				       .console = r->console };
	result = engine_recover(&rq, &done, e);
	if (result < 0)
		console_error(r->console, "tracer: %s", e->text);
	console_end(r->console);
	return result < 0 ? (int)e->exit : (int)done.exit;
}

static int recovery_run(struct recovery *r, const struct options *options, const char *id,
			struct err *e)
{
	if (state_adopt(&r->state, id, e) < 0 || tracing_open(&r->tracing, e) < 0)
		return e->code;
	if (recovery_is_empty(r))
		return recovery_clean(r, "had not begun to record", e);
	if (recovery_is_gone(r))
		return recovery_clean(
			r, "has lost the directory with its raw data, which somebody removed", e);
	if (recovery_open(r, options, e) < 0)
		return e->code;
	workers_block_signals();
	recovery_probe(r);
	return recovery_finish(r, options, e);
}

static int recover_run(const struct options *options, const char **words, int n_words,
		       struct err *e)
{
	autofree struct state_entry *list = NULL;
	struct recovery recovery = { 0 };
	size_t n, dead = 0;
	int r;

	if (geteuid() != 0) {
		err_set(e, "only root can recover a capture: run it with sudo");
		return err_exit(e, EXIT_HOST);
	}
	if (state_list(&list, &n, e) < 0)
		return e->code;
	for (size_t i = 0; i < n; i++)
		dead += !list[i].alive;
	if (!dead && !n_words) {
		fputs("there is nothing to recover\n", stderr);
		return 0;
	}
	r = recovery_run(&recovery, options, n_words ? words[0] : NULL, e);
	recovery_close(&recovery);
	return r;
}

const struct command recover_command = {
	.name = "recover",
	.words = "[ID]",
	.help = "finish what was interrupted by a kill, a crash or a full disk; -o elsewhere",
	.max_words = 1,
	.run = recover_run,
};
