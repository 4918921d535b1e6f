#include "engine/engine.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/units.h"
#include "capture/anchors.h"
#include "capture/control.h"
#include "capture/knob.h"
#include "engine/finish.h"
#include "engine/status_line.h"
#include "engine/thaw.h"
#include "engine/trial.h"
#include "engine/workers.h"
#include "process/memory.h"
#include "trace/comm.h"
#include "watch/watch.h"

#define ANCHOR_EVERY (60 * NS_PER_S)
#define UNTESTED_WAIT (200 * NS_PER_MS) /* for who watches to say why a ring has stopped */
#define TESTED_WAIT (4 * NS_PER_S)
#define SAVED_COMMS 4096 /* tasks whose names the kernel shall remember */

struct engine {
	const struct engine_request *rq;
	struct capture c;
	struct workers workers;
	struct finish finish;
	uint64_t ticked; /* boot clock: last second's work */
	uint64_t anchored;
	bool told[BOARD_MAX]; /* that this condition is off */
};

/* Probes have formats from now on: what is asked of them can be read. */
static int engine_arm_probes(struct engine *g, struct err *e)
{
	struct plan *plan = g->c.plan;

	if (probes_make(&g->c.plan->probes, g->c.state->id, g->c.ledger, g->c.tracing, e) < 0)
		return e->code;
	for (size_t i = 0; i < plan->n_conditions; i++)
		if (condition_has_probe(&plan->conditions[i]) &&
		    condition_probe(&plan->conditions[i], g->c.tracing, e) < 0)
			return e->code;
	return 0;
}

static int engine_arm_sources(struct engine *g, struct err *e)
{
	struct plan *plan = g->c.plan;

	for (size_t i = 0; i < plan->n_sources; i++) {
		struct source *s = &plan->sources[i];

		s->stats = &g->c.board->sources[i];
		s->tracing = g->c.tracing;
		if (s->ops->arm && s->ops->arm(s, &g->c, e) < 0)
			return err_wrap(e, "source '%s'", s->name);
		if (s->ops->live && workers_start_worker(&g->workers, s, e) < 0)
			return e->code;
	}
	return 0;
}

/* The kernel remembers the names of so few tasks by default that old ones would be "<...>" in the
 * bundle. */
static int engine_raise_comms(struct engine *g, struct err *e)
{
	static const char knob[] = "saved_cmdlines_size";
	struct err refused = ERR_INIT;

	if (!g->c.tracing || faccessat(tracing_fd(g->c.tracing), knob, F_OK, 0) < 0)
		return 0;
	if (ledger_knob(g->c.ledger, knob, g->c.state->id, e) < 0)
		return e->code;
	if (knob_raise(g->c.tracing, knob, SAVED_COMMS, g->c.state->id, &refused) < 0)
		log_line("%s", refused.text); /* names are a comfort, no reason not to record */
	return 0;
}

static int engine_arm_thaw(struct engine *g, struct err *e)
{
	if (!g->c.plan->fsfreeze_safe || g->c.trial)
		return 0;
	return thaw_arm(&g->workers.thaw, &g->c, g->finish.output.outdir, e) < 0
		       ? e->code
		       : workers_start_thawer(&g->workers, e);
}

/* Before the start, while there is time to do something about it. */
static void engine_tell_conflicts(const struct engine *g)
{
	for (const char *line = g->rq->conflicts; line && *line; line = strchr(line, '\n') + 1) {
		int n = (int)strcspn(line, "\n");

		log_line("before a freeze: %.*s", n, line);
		console_line(g->rq->console, "before a freeze: %.*s", n, line);
	}
}

static int engine_arm(struct engine *g, struct err *e)
{
	struct state *state = g->c.state;

	if (g->c.plan->fsfreeze_safe) {
		memory_open_library();
		if (memory_lock(e) < 0)
			return e->code;
	}
	log_open(state->fd);
	log_line("capture %s of plan %s", state->id, g->c.plan->sha256);
	engine_tell_conflicts(g);
	if (ledger_open(&g->c.ledger, state->fd, e) < 0 ||
	    stop_create(&g->c.stop, state->fd, e) < 0 ||
	    board_create(&g->c.board, state->fd, e) < 0 ||
	    control_open(&g->workers.control, state, e) < 0 || engine_raise_comms(g, e) < 0 ||
	    engine_arm_probes(g, e) < 0 || anchors_arm(&g->c, e) < 0 ||
	    engine_arm_sources(g, e) < 0 || watch_arm(&g->workers.watch, &g->c, e) < 0 ||
	    workers_start_watcher(&g->workers, e) < 0 || engine_arm_thaw(g, e) < 0)
		return e->code;
	return workers_await_armed(&g->workers, e);
}

static int engine_start_rings(struct engine *g, struct err *e)
{
	for (size_t i = 0; i < g->c.n_switches; i++)
		if (g->c.switches[i].from_start && pwrite(g->c.switches[i].fd, "1", 1, 0) != 1)
			return err_sys(e, "cannot turn a kernel ring on");
	/* a hit between the watch instance's start and theirs has been decided already */
	if (stop_get(g->c.stop))
		return switches_off(g->c.switches, g->c.n_switches, e);
	return 0;
}

static int engine_start(struct engine *g, struct err *e)
{
	workers_take_wishes(&g->workers);
	if (g->workers.interrupts)
		return err_set(e, "interrupted before the start: nothing was recorded");
	g->c.board->armed = g->ticked = clock_boot();
	workers_start(&g->workers, g->c.board->armed);
	g->c.board->max_time = g->rq->max_time;
	if (watch_start(g->workers.watch, e) < 0 || engine_start_rings(g, e) < 0)
		return e->code;
	g->c.board->stage = STAGE_WATCH;
	log_line("started");
	if (g->rq->trial)
		console_line(g->rq->console, "trying it for %s",
			     duration_text(g->rq->trial->length).text);
	else
		console_line(g->rq->console, "recording %s; it ends at %s", g->c.state->id,
			     g->rq->ends);
	if (g->rq->armed)
		g->rq->armed(g->rq->armed_arg, g->c.state->id);
	return 0;
}

/* The one condition that the kernel decides; a number that none has if there are several. */
static uint32_t engine_only_condition(const struct plan *plan)
{
	uint32_t only = UINT32_MAX;
	size_t n = 0;

	for (size_t i = 0; i < plan->n_conditions; i++)
		if (condition_tier(&plan->conditions[i]) == 1 && n++ == 0)
			only = i;
	return n == 1 ? only : UINT32_MAX;
}

/* A ring that the kernel has stopped while nobody says why: watch cannot, so the engine does. */
static void engine_check_rings(struct engine *g)
{
	struct stop_record record = { .by = STOP_CONDITION,
				      .uncertain = true,
				      .cpu = UINT32_MAX,
				      .pid = -1,
				      .condition = engine_only_condition(g->c.plan) };

	if (stop_get(g->c.stop) || !switches_tripped(g->c.switches, g->c.n_switches))
		return;
	/* watch sees it within microseconds, if it lives and does not wait for a test */
	for (uint64_t until = clock_boot() + (g->c.tests ? TESTED_WAIT : UNTESTED_WAIT);
	     !stop_get(g->c.stop) && clock_boot() < until;)
		usleep(10 * 1000);
	record.event = clock_boot();
	record.cut = record.event;
	snprintf(record.text, sizeof(record.text),
		 "the kernel stopped a ring, and the process that watches did not say why");
	if (stop_decide(g->c.stop, &record))
		log_line("%s", record.text);
}

static void engine_show(struct engine *g)
{
	char text[400] = "";
	FILE *out = fmemopen(text, sizeof(text), "w");

	if (!out)
		return;
	status_line(out, g->c.board, g->c.plan);
	fclose(out);
	console_status(g->rq->console, "%s", text);
}

static void engine_count(struct engine *g)
{
	for (size_t i = 0; i < g->c.plan->n_sources; i++)
		if (g->c.plan->sources[i].ops->stats)
			g->c.plan->sources[i].ops->stats(&g->c.plan->sources[i], &g->c);
}

/* How many records a second came in since the last look. */
static void engine_rate(struct engine *g, uint64_t elapsed)
{
	for (size_t i = 0; i < g->c.plan->n_sources; i++) {
		struct stats *stats = &g->c.board->sources[i];

		stats->rate = (stats->records - stats->counted) * NS_PER_MS / (elapsed / 1000 + 1);
		stats->counted = stats->records;
	}
}

static void engine_tick(struct engine *g)
{
	uint64_t now = clock_boot();
	struct err ignored = ERR_INIT;

	if (now - g->ticked < NS_PER_S)
		return;
	engine_count(g);
	engine_rate(g, now - g->ticked);
	g->ticked = now;
	engine_show(g);
	workers_check_watcher(&g->workers);
	workers_check_thawer(&g->workers);
	engine_check_rings(g);
	if (now - g->anchored < ANCHOR_EVERY)
		return;
	g->anchored = now;
	anchors_add(&g->c, &ignored);
}

/* Where everybody sees it, once. */
static void engine_tell_faults(struct engine *g)
{
	for (size_t i = 0; i < g->c.plan->n_conditions; i++) {
		const char *fault = g->c.board->conditions[i].fault;

		if (g->told[i] || !*fault)
			continue;
		g->told[i] = true;
		log_line("condition '%s' is off: %s", g->c.plan->conditions[i].name, fault);
		console_error(g->rq->console,
			      "%s; the condition '%s' is off from here on, the rest goes on", fault,
			      g->c.plan->conditions[i].name);
	}
}

static void engine_decide(struct engine *g, enum stop_by by, const char *text)
{
	struct stop_record record = { .by = by, .cpu = UINT32_MAX, .pid = -1 };

	record.event = record.cut = clock_boot();
	snprintf(record.text, sizeof(record.text), "%s", text);
	stop_decide(g->c.stop, &record);
}

/* Up to a second, or to END, of what a capture does while it records. */
static void engine_turn(struct engine *g, uint64_t end)
{
	uint64_t next = clock_boot() + NS_PER_S;

	workers_wait(&g->workers, next < end ? next : end);
	engine_tick(g);
	engine_tell_faults(g);
}

static void engine_watch(struct engine *g)
{
	uint64_t end = g->c.board->armed + g->rq->max_time;

	while (!stop_get(g->c.stop)) {
		engine_turn(g, end);
		if (g->workers.interrupts)
			engine_decide(g, STOP_USER, "ended by the user");
		else if (clock_boot() >= end)
			engine_decide(g, STOP_MAX_TIME, "the time limit was reached");
	}
}

static void engine_find_comm(struct engine *g)
{
	autoclose int recorded = -1;
	char comm[COMM_SIZE];

	if (!g->c.tracing || stop_get(g->c.stop)->pid < 0)
		return;
	recorded = openat(tracing_fd(g->c.tracing), "saved_cmdlines", O_RDONLY | O_CLOEXEC);
	comm_find(comm, recorded, stop_get(g->c.stop)->pid);
	stop_set_comm(g->c.stop, comm);
}

static void engine_halt(struct engine *g)
{
	const struct stop_record *stop = stop_get(g->c.stop);
	uint64_t cut = stop->cut;
	struct err e = ERR_INIT;

	g->c.board->stage = STAGE_HALT;
	log_line("stopped by %s: %s", stop_by_text(stop->by), stop->text);
	console_line(g->rq->console, "stopped by %s: %s", stop_by_text(stop->by), stop->text);
	engine_find_comm(g);
	while (clock_boot() < cut && !g->workers.interrupts)
		workers_wait(&g->workers, cut);
	stop_cut_short(g->c.stop, clock_boot()); /* earlier than planned, if the user wants it */
	if (switches_off(g->c.switches, g->c.n_switches, &e) < 0)
		log_line("%s", e.text);
	engine_count(g);
	workers_stop(&g->workers);
	if (anchors_add(&g->c, &e) < 0)
		log_line("%s", e.text);
}

static int engine_undo(struct engine *g, struct err *e)
{
	struct err undo = ERR_INIT;

	workers_kill(&g->workers);
	finish_let_go(&g->finish);
	if (g->c.ledger && ledger_undo(g->c.ledger, g->c.tracing, &undo) < 0) {
		log_line("%s", undo.text);
		return err_wrap(e, "left behind: %s", undo.text);
	}
	if (state_remove(take_ptr(g->c.state), &undo) < 0)
		return err_wrap(e, "left behind: %s", undo.text);
	return e->code;
}

static int engine_open(struct engine *g, const struct engine_request *rq, struct err *e)
{
	*g = (struct engine) { .rq = rq };
	g->c.plan = rq->plan;
	g->c.state = rq->state;
	g->c.tracing = rq->tracing;
	g->c.tests = rq->tests;
	g->c.trial = rq->trial != NULL;
	g->c.kernel_log = plan_has(rq->plan, &log_source);
	g->finish = (struct finish) {
		.output = { .capture = &g->c, .about = rq->about, .outdir = rq->about->outdir },
		.workers = &g->workers,
	};
	return workers_open(&g->workers, &g->c, rq->console, e);
}

static void engine_close(struct engine *g)
{
	finish_let_go(&g->finish);
	workers_close(&g->workers);
	ledger_close(g->c.ledger);
	stop_close(g->c.stop);
	board_close(g->c.board);
	state_close(g->c.state);
	free(g->c.switches);
	log_close();
}

static int engine_finish(struct engine *g, struct engine_result *result, struct err *e)
{
	const struct stop_record *stop = stop_get(g->c.stop);

	result->fired = stop->by == STOP_CONDITION && !stop->drill;
	if (finish_run(&g->finish, &result->exit, e) < 0)
		return e->code;
	output_path(&g->finish.output, result->bundle, sizeof(result->bundle));
	return 0;
}

static int engine_stages(struct engine *g, struct engine_result *result, struct err *e)
{
	if (engine_arm(g, e) < 0 || engine_start(g, e) < 0)
		return engine_undo(g, e);
	engine_watch(g);
	engine_halt(g);
	return engine_finish(g, result, e); /* save, convert, seal */
}

/* Armed as always; what fires is counted, and all is undone at the end. */
static int engine_try(struct engine *g, struct err *e)
{
	struct trial *trial = g->rq->trial;
	uint64_t end;

	if (engine_arm(g, e) < 0 || trial_prepare(trial, &g->c, e) < 0 || engine_start(g, e) < 0)
		return engine_undo(g, e);
	trial_begin(trial, &g->workers);
	end = trial->began + trial->length;
	while (!stop_get(g->c.stop) && !g->workers.interrupts && clock_boot() < end)
		engine_turn(g, end);
	engine_count(g);
	trial_end(trial, &g->workers);
	return engine_undo(g, e);
}

int engine_run(const struct engine_request *rq, struct engine_result *result, struct err *e)
{
	struct engine g;
	int r = engine_open(&g, rq, e);

	if (r == 0)
		r = rq->trial ? engine_try(&g, e) : engine_stages(&g, result, e);
	engine_close(&g);
	return r;
}

/* What a capture that was killed has left: its plan's rings, still running perhaps, and its files.
 */
static int engine_reopen(struct engine *g, struct err *e)
{
	struct capture *c = &g->c;

	log_open(c->state->fd);
	log_line("recovered");
	if (ledger_open(&c->ledger, c->state->fd, e) < 0 ||
	    stop_open(&c->stop, c->state->fd, e) < 0 || board_open(&c->board, c->state->fd, e) < 0)
		return e->code;
	for (size_t i = 0; i < c->plan->n_sources; i++) {
		struct source *s = &c->plan->sources[i];
		struct err off = ERR_INIT;

		s->stats = &c->board->sources[i];
		s->tracing = c->tracing;
		if (s->ops->stop && s->ops->stop(s, c, &off) < 0)
			log_line("%s", off.text);
	}
	engine_decide(g, STOP_KILLED, "the capture was killed");
	if (anchors_add(c, e) < 0)
		return e->code;
	return c->plan->fsfreeze_safe ? thaw_make(&g->workers.thaw, c, g->finish.output.outdir, e)
				      : 0;
}

int engine_recover(const struct engine_request *rq, struct engine_result *result, struct err *e)
{
	struct engine g;
	int r = engine_open(&g, rq, e);

	if (r == 0)
		r = engine_reopen(&g, e);
	if (r == 0)
		r = engine_finish(&g, result, e);
	engine_close(&g);
	return r;
}
