#include "engine/finish.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/units.h"
#include "bundle/save.h"
#include "bundle/seal.h"
#include "convert/convert.h"

#define THAW_WAIT (600 * NS_PER_S)
#define SAVE_WAIT (900 * NS_PER_S) /* for the raw data to be on disk */
#define FINISH_WAIT (3600 * NS_PER_S)
#define SUMMARY_WAIT (30 * NS_PER_S)

/* Runs one of the stages that touch disks, as a process that we can leave behind. */
static int finish_stage(struct finish *f, enum stage stage, worker_main *main,
			unsigned until_interrupts, uint64_t wait, struct err *e)
{
	uint64_t until = clock_boot() + wait;
	/* the lock as well: while this goes on, the capture is alive, even if the engine is not */
	int keep[] = { f->output.capture->state->fd, f->output.capture->state->lock,
		       f->output.capture->tracing ? tracing_fd(f->output.capture->tracing) : -1 };
	struct worker worker;
	struct message message;

	f->output.capture->board->stage = stage;
	log_line("%s", stage_text(stage));
	if (worker_start(&worker, stage_text(stage), main, &f->output, keep, countof(keep), e) < 0)
		return e->code;
	while (worker.fd >= 0 && clock_boot() < until &&
	       f->workers->interrupts < until_interrupts) {
		struct pollfd fds[] = {
			{ .fd = worker.fd, .events = POLLIN },
			{ .fd = f->workers->signals, .events = POLLIN },
			{ .fd = control_fd(f->workers->control), .events = POLLIN },
		};

		poll(fds, countof(fds), 1000);
		workers_take_wishes(f->workers);
		while (worker_receive(&worker, &message) > 0)
			if (message.type == MESSAGE_SAY)
				console_status(f->workers->console, "%s: %s", stage_text(stage),
					       message.text);
	}
	if (worker.fd < 0 && !worker.failed)
		return 0;
	if (worker.fd < 0) {
		*e = worker.err;
		return e->code;
	}
	worker_kill(&worker);
	if (f->workers->interrupts >= until_interrupts)
		err_set(e, "interrupted while it was to %s", stage_text(stage));
	else
		err_set(e, "could not %s within %s: does the disk hang?", stage_text(stage),
			duration_text(wait).text);
	return e->code;
}

/* What is kept in memory can wait for the file system that it goes to. */
static int finish_await_thaw(struct finish *f, struct err *e)
{
	if (!f->workers->thaw)
		return 0;
	f->output.capture->board->stage = STAGE_THAW;
	console_line(f->workers->console,
		     "waiting until nothing is frozen and '%s' can be written, %s at most",
		     f->output.outdir, duration_text(THAW_WAIT).text);
	return workers_await_thaw(f->workers, clock_boot() + THAW_WAIT, e);
}

static int finish_save(struct finish *f, struct err *e)
{
	char dir[4096];

	if (!output_saved(&f->output, dir, sizeof(dir)))
		output_name(&f->output);
	return finish_stage(f, STAGE_SAVE, save_main, LEAVE_IT, SAVE_WAIT, e);
}

static void finish_convert(struct finish *f)
{
	struct err e = ERR_INIT;

	if (f->workers->interrupts >= SKIP_CONVERSION)
		f->output.skipped = "by the user";
	else if (finish_stage(f, STAGE_CONVERT, convert_main, SKIP_CONVERSION, FINISH_WAIT, &e) < 0)
		f->output.skipped = f->workers->interrupts >= SKIP_CONVERSION ? "by the user"
									      : "it did not end";
	if (e.code)
		log_line("conversion: %s", e.text);
	if (f->output.skipped &&
	    finish_stage(f, STAGE_CONVERT, convert_main, LEAVE_IT, SUMMARY_WAIT, &e) < 0)
		log_line("summary: %s", e.text);
}

/* After the event nothing is given up: what cannot be finished now stays for recover. */
static int finish_leave(struct finish *f, struct err *e)
{
	char id[ULID_SIZE];

	snprintf(id, sizeof(id), "%s", f->output.capture->state->id);
	log_line("left for recover: %s", e->text);
	state_close(f->output.capture->state);
	f->output.capture->state = NULL;
	return err_wrap(e,
			"what was recorded is kept, `tracer recover %s` (with -o for another "
			"place) finishes it",
			id);
}

/* Closes all that is open in the kernel's rings, which cannot be removed before. */
void finish_let_go(struct finish *f)
{
	for (size_t i = 0; i < f->output.capture->n_switches; i++)
		close(f->output.capture->switches[i].fd);
	f->output.capture->n_switches = 0;
	watch_free(take_ptr(f->workers->watch));
}

static enum exit_code finish_exit(const struct finish *f)
{
	if (!f->output.capture->board->whole)
		return EXIT_PARTIAL;
	return stop_get(f->output.capture->stop)->by == STOP_CONDITION ? EXIT_FIRED : EXIT_ENDED;
}

/* Undoes what was made on the machine, tells what became of it, and forgets the capture unless
 * something is left. */
static int finish_forget(struct finish *f, struct err *e)
{
	char path[4400];

	f->output.capture->board->stage = STAGE_DONE;
	output_path(&f->output, path, sizeof(path));
	console_result(f->workers->console, "%s", path);
	if (ledger_undo(f->output.capture->ledger, f->output.capture->tracing, e) < 0)
		return err_wrap(e, "there is a bundle, but `tracer recover %s` must tidy up",
				f->output.capture->state->id);
	if (state_remove(take_ptr(f->output.capture->state), e) < 0)
		return e->code;
	console_line(f->workers->console, "%s; nothing is left behind",
		     f->output.capture->board->whole
			     ? "the bundle is complete"
			     : "a source is not whole, the bundle's summary says which");
	return 0;
}

int finish_run(struct finish *f, enum exit_code *exit, struct err *e)
{
	struct err undo = ERR_INIT;

	if (faccessat(f->output.capture->state->fd, "sealed", F_OK, 0) < 0) {
		if (finish_await_thaw(f, e) < 0 || finish_save(f, e) < 0)
			return finish_leave(f, e);
		finish_let_go(f);
		if (ledger_undo(f->output.capture->ledger, f->output.capture->tracing, &undo) < 0)
			log_line("%s", undo.text);
		finish_convert(f);
	} else if (output_saved(&f->output, f->output.sealed_in, sizeof(f->output.sealed_in))) {
		f->output.outdir = f->output.sealed_in; /* another one is of no use any more */
	}
	if (finish_stage(f, STAGE_SEAL, seal_main, LEAVE_IT, FINISH_WAIT, e) < 0)
		return finish_leave(f, e);
	*exit = finish_exit(f);
	return finish_forget(f, e);
}
