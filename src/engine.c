#include "engine.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "anchors.h"
#include "auto.h"
#include "clock.h"
#include "comm.h"
#include "control.h"
#include "finish.h"
#include "io.h"
#include "live.h"
#include "log.h"
#include "status.h"
#include "units.h"
#include "watch.h"
#include "worker.h"

#define ARM_WAIT (30 * NS_PER_S)
#define HALT_WAIT (15 * NS_PER_S)   /* for the sources to end, beyond the cut */
#define SAVE_WAIT (900 * NS_PER_S)  /* for the raw data to be on disk */
#define FINISH_WAIT (3600 * NS_PER_S)
#define ANCHOR_EVERY (60 * NS_PER_S)

/* What the user has asked for, by how often. */
enum interrupts { GO_ON, END_EARLY, SKIP_CONVERSION, LEAVE_IT };

struct engine {
	const struct engine_request *rq;
	struct capture c;
	struct watch *watch;
	struct worker watcher;
	struct worker *workers; /* one for each source */
	struct control *control;
	int signals;
	unsigned interrupts; /* enum interrupts */
	uint64_t ticked; /* boot clock: last second's work */
	uint64_t anchored;
	struct finish finish;
};

/* Signals and messages: */

static void engine_interrupt(struct engine *g)
{
	static const char *const words[] = {
		[END_EARLY] = "stopping early; the bundle will be complete (again: without conversion)",
		[SKIP_CONVERSION] = "no conversion; the raw data will be sealed (again: leave everything as it is)",
		[LEAVE_IT] = "leaving it for `tracer recover`",
	};

	if (g->interrupts == LEAVE_IT)
		return;
	g->interrupts++;
	log_line("interrupted: %s", words[g->interrupts]);
	console_line(g->rq->console, "%s", words[g->interrupts]);
}

/* The status, whole, where everybody sees it. */
static void engine_print(struct engine *g)
{
	autofree char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return;
	status_page(out, g->c.board, g->c.plan);
	fclose(out);
	console_error(g->rq->console, "%s", text);
}

static void engine_take_signals(struct engine *g)
{
	struct signalfd_siginfo info;

	while (read(g->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGINT || info.ssi_signo == SIGTERM)
			engine_interrupt(g);
		else if (info.ssi_signo == SIGUSR1)
			engine_print(g);
	}
}

/* A worker that ended before it was told to: its source has recorded up to now, and says so. */
static void engine_note(struct engine *g, struct worker *w, const char *text)
{
	size_t index = w - g->workers;
	struct err ignored = ERR_INIT;
	char name[32];

	log_line("%s: %s", w->name, text);
	if (w == &g->watcher || index >= g->c.plan->n_sources)
		return;
	snprintf(name, sizeof(name), "note-%zu", index);
	io_create_file(g->c.state->fd, name, text, strlen(text), &ignored);
}

static void engine_take_worker(struct engine *g, struct worker *w)
{
	bool lived = w->fd >= 0;
	struct message message;

	while (worker_receive(w, &message) > 0)
		if (message.type == MESSAGE_SAY)
			log_line("%s: %s", w->name, message.text);
	if (!lived || w->fd >= 0 || !w->failed)
		return;
	engine_note(g, w, w->err.text);
	if (g->c.board->stage == STAGE_WATCH)
		console_error(g->rq->console, "%s: %s; the rest goes on", w->name, w->err.text);
}

/* Waits until something happens, at most until UNTIL, and takes all of it in. */
static void engine_wait(struct engine *g, uint64_t until)
{
	size_t n = g->c.plan->n_sources;
	autofree struct pollfd *fds = calloc(n + 3, sizeof(*fds));
	uint64_t now = clock_boot();

	if (!fds)
		return;
	fds[0] = (struct pollfd){ .fd = g->signals, .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = control_fd(g->control), .events = POLLIN };
	fds[2] = (struct pollfd){ .fd = g->watcher.fd, .events = POLLIN };
	for (size_t i = 0; i < n; i++)
		fds[i + 3] = (struct pollfd){ .fd = g->workers[i].fd, .events = POLLIN };
	if (poll(fds, n + 3, until > now ? (int)((until - now) / NS_PER_MS) + 1 : 0) <= 0)
		return;
	if (fds[0].revents)
		engine_take_signals(g);
	if (fds[1].revents && control_serve(g->control))
		engine_interrupt(g);
	engine_take_worker(g, &g->watcher);
	for (size_t i = 0; i < n; i++)
		engine_take_worker(g, &g->workers[i]);
}

/* Arm: */

static int engine_live(void *arg, int fd, struct err *e)
{
	const struct source *s = ((void **)arg)[0];
	const struct capture *c = ((void **)arg)[1];
	struct live live = { .engine = fd, .statedir = c->state->fd, .stop = c->stop };

	return s->ops->live((struct source *)s, &live, e);
}

static int engine_start_worker(struct engine *g, size_t i, struct err *e)
{
	struct source *s = &g->c.plan->sources[i];
	void *arg[] = { s, &g->c };

	return worker_start(&g->workers[i], s->name, engine_live, arg, &g->c.state->fd, 1, e);
}

static int engine_start_watcher(struct engine *g, struct err *e)
{
	autofree int *keep = NULL;
	size_t n;

	if (watch_descriptors(g->watch, &keep, &n, e) < 0)
		return e->code;
	return worker_start(&g->watcher, "watch", watch_main, g->watch, keep, n, e);
}

/* A worker that has failed, or NULL; *waiting if one is not armed yet. */
static struct worker *engine_unarmed(struct engine *g, bool *waiting)
{
	*waiting = !g->watcher.armed;
	if (g->watcher.failed || g->watcher.fd < 0)
		return &g->watcher;
	for (size_t i = 0; i < g->c.plan->n_sources; i++) {
		if (!g->c.plan->sources[i].ops->live)
			continue;
		if (g->workers[i].failed || g->workers[i].fd < 0)
			return &g->workers[i];
		*waiting |= !g->workers[i].armed;
	}
	return NULL;
}

static int engine_await_armed(struct engine *g, struct err *e)
{
	uint64_t until = clock_boot() + ARM_WAIT;
	struct worker *failed;
	bool waiting;

	while (!(failed = engine_unarmed(g, &waiting)) && waiting) {
		if (g->interrupts)
			return err_set(e, "interrupted before the start: nothing was recorded");
		if (clock_boot() > until)
			return err_set(e, "a process was not ready after %s", duration_text(ARM_WAIT).text);
		engine_wait(g, until);
	}
	if (!failed)
		return 0;
	*e = failed->err;
	return err_wrap(e, "%s", failed->name);
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
		if (s->ops->live && engine_start_worker(g, i, e) < 0)
			return e->code;
	}
	return 0;
}

static int engine_arm(struct engine *g, struct err *e)
{
	struct state *state = g->c.state;

	log_open(state->fd);
	log_line("capture %s of plan %s", state->id, g->c.plan->sha256);
	if (ledger_open(&g->c.ledger, state->fd, e) < 0 || stop_create(&g->c.stop, state->fd, e) < 0 ||
	    board_create(&g->c.board, state->fd, e) < 0 || control_open(&g->control, state, e) < 0 ||
	    anchors_arm(&g->c, e) < 0 || engine_arm_sources(g, e) < 0 || watch_arm(&g->watch, &g->c, e) < 0 ||
	    engine_start_watcher(g, e) < 0)
		return e->code;
	return engine_await_armed(g, e);
}

/* Start: */

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
	for (size_t i = 0; i < g->c.plan->n_sources; i++)
		if (g->workers[i].fd >= 0)
			message_send(g->workers[i].fd, MESSAGE_START, "");
	message_send(g->watcher.fd, MESSAGE_START, "");
	g->c.board->armed = clock_boot();
	g->c.board->max_time = g->rq->max_time;
	if (watch_start(g->watch, e) < 0 || engine_start_rings(g, e) < 0)
		return e->code;
	g->c.board->stage = STAGE_WATCH;
	log_line("started");
	console_line(g->rq->console, "recording %s; %s", g->c.state->id, g->rq->ends);
	if (g->rq->armed)
		g->rq->armed(g->rq->armed_arg, g->c.state->id);
	return 0;
}

/* Watch: */

/* Without watch, only the rings would stop at the event: it gets a successor. */
static void engine_check_watcher(struct engine *g)
{
	struct err e = ERR_INIT;

	if (g->watcher.fd >= 0 || stop_get(g->c.stop))
		return;
	watch_restarted(g->watch);
	if (engine_start_watcher(g, &e) < 0)
		log_line("%s", e.text);
	else
		message_send(g->watcher.fd, MESSAGE_START, "");
}

/* A ring that the kernel has stopped while nobody says why: watch cannot, so the engine does. */
static void engine_check_rings(struct engine *g)
{
	struct stop_record record = { .by = STOP_CONDITION, .uncertain = true, .cpu = UINT32_MAX, .pid = -1 };

	if (!switches_tripped(g->c.switches, g->c.n_switches))
		return;
	usleep(200 * 1000); /* watch sees it within microseconds, if it lives */
	record.event = clock_boot();
	record.cut = record.event;
	snprintf(record.text, sizeof(record.text), "the kernel stopped a ring, and the process that watches did not say why");
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

static void engine_tick(struct engine *g)
{
	uint64_t now = clock_boot();
	struct err ignored = ERR_INIT;

	if (now - g->ticked < NS_PER_S)
		return;
	g->ticked = now;
	engine_count(g);
	engine_show(g);
	engine_check_watcher(g);
	engine_check_rings(g);
	if (now - g->anchored < ANCHOR_EVERY)
		return;
	g->anchored = now;
	anchors_add(&g->c, &ignored);
}

static void engine_decide(struct engine *g, enum stop_by by, const char *text)
{
	struct stop_record record = { .by = by, .cpu = UINT32_MAX, .pid = -1 };

	record.event = record.cut = clock_boot();
	snprintf(record.text, sizeof(record.text), "%s", text);
	stop_decide(g->c.stop, &record);
}

static void engine_watch(struct engine *g)
{
	uint64_t end = g->c.board->armed + g->rq->max_time;

	while (!stop_get(g->c.stop)) {
		uint64_t next = clock_boot() + NS_PER_S;

		engine_wait(g, next < end ? next : end);
		engine_tick(g);
		if (g->interrupts)
			engine_decide(g, STOP_USER, "ended by the user");
		else if (clock_boot() >= end)
			engine_decide(g, STOP_MAX_TIME, "the time limit was reached");
	}
}

/* Halt: */

static bool engine_all_stopped(const struct engine *g)
{
	for (size_t i = 0; i < g->c.plan->n_sources; i++)
		if (g->workers[i].fd >= 0)
			return false;
	return true;
}

static void engine_await_stopped(struct engine *g)
{
	uint64_t until = stop_cut(g->c.stop) + HALT_WAIT;

	for (size_t i = 0; i < g->c.plan->n_sources; i++)
		if (g->workers[i].fd >= 0)
			message_send(g->workers[i].fd, MESSAGE_STOP, "");
	while (!engine_all_stopped(g) && clock_boot() < until && g->interrupts < LEAVE_IT)
		engine_wait(g, until);
	for (size_t i = 0; i < g->c.plan->n_sources; i++) {
		if (g->workers[i].fd < 0)
			continue;
		worker_kill(&g->workers[i]);
		engine_note(g, &g->workers[i], "its process did not end in time and was killed: the last moments may be missing");
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
	while (clock_boot() < cut && g->interrupts < LEAVE_IT)
		engine_wait(g, cut);
	if (switches_off(g->c.switches, g->c.n_switches, &e) < 0)
		log_line("%s", e.text);
	engine_count(g);
	message_send(g->watcher.fd, MESSAGE_STOP, "");
	engine_await_stopped(g);
	worker_kill(&g->watcher);
	if (anchors_add(&g->c, &e) < 0)
		log_line("%s", e.text);
}

/* Save, convert, seal: */

/* Runs one of the stages that touch disks, as a process that we can leave behind. */
static int engine_stage(struct engine *g, enum stage stage, worker_main *main, unsigned until_interrupts,
			uint64_t wait, struct err *e)
{
	uint64_t until = clock_boot() + wait;
	int keep[] = { g->c.state->fd, g->c.tracing ? tracing_fd(g->c.tracing) : -1 };
	struct worker worker;
	struct message message;

	g->c.board->stage = stage;
	log_line("%s", stage_text(stage));
	if (worker_start(&worker, stage_text(stage), main, &g->finish, keep, countof(keep), e) < 0)
		return e->code;
	while (worker.fd >= 0 && clock_boot() < until && g->interrupts < until_interrupts) {
		struct pollfd fds[] = { { .fd = worker.fd, .events = POLLIN }, { .fd = g->signals, .events = POLLIN } };

		poll(fds, 2, 1000);
		engine_take_signals(g);
		while (worker_receive(&worker, &message) > 0)
			if (message.type == MESSAGE_SAY)
				console_status(g->rq->console, "%s: %s", stage_text(stage), message.text);
	}
	if (worker.fd < 0 && !worker.failed)
		return 0;
	if (worker.fd < 0) {
		*e = worker.err;
		return e->code;
	}
	worker_kill(&worker);
	if (g->interrupts >= until_interrupts)
		err_set(e, "interrupted while it was to %s", stage_text(stage));
	else
		err_set(e, "could not %s within %s: does the disk hang?", stage_text(stage), duration_text(wait).text);
	return e->code;
}

static int engine_save(struct engine *g, struct err *e)
{
	char dir[4096];

	if (!finish_saved(&g->finish, dir, sizeof(dir)))
		finish_name(&g->finish);
	return engine_stage(g, STAGE_SAVE, save_main, LEAVE_IT, SAVE_WAIT, e);
}

static void engine_convert(struct engine *g)
{
	struct err e = ERR_INIT;

	if (g->interrupts >= SKIP_CONVERSION)
		g->finish.skipped = "by the user";
	else if (engine_stage(g, STAGE_CONVERT, convert_main, SKIP_CONVERSION, FINISH_WAIT, &e) < 0)
		g->finish.skipped = g->interrupts >= SKIP_CONVERSION ? "by the user" : "it did not end";
	if (e.code)
		log_line("conversion: %s", e.text);
}

/* After the event nothing is given up: what cannot be finished now stays for recover. */
static int engine_leave(struct engine *g, struct err *e)
{
	char id[ULID_SIZE];

	snprintf(id, sizeof(id), "%s", g->c.state->id);
	log_line("left for recover: %s", e->text);
	state_close(g->c.state);
	g->c.state = NULL;
	return err_wrap(e, "what was recorded is kept, `tracer recover %s` (with -o for another place) finishes it", id);
}

/* Closes all that is open in the kernel's rings, which cannot be removed before. */
static void engine_let_go(struct engine *g)
{
	for (size_t i = 0; i < g->c.n_switches; i++)
		close(g->c.switches[i].fd);
	g->c.n_switches = 0;
	watch_free(take_ptr(g->watch));
}

static enum exit_code engine_exit(const struct engine *g)
{
	if (!g->c.board->whole)
		return EXIT_PARTIAL;
	return stop_get(g->c.stop)->by == STOP_CONDITION ? EXIT_FIRED : EXIT_ENDED;
}

static int engine_finish(struct engine *g, enum exit_code *exit, struct err *e)
{
	struct err undo = ERR_INIT;

	if (engine_save(g, e) < 0)
		return engine_leave(g, e);
	engine_let_go(g);
	if (ledger_undo(g->c.ledger, g->c.tracing, &undo) < 0)
		log_line("%s", undo.text);
	*exit = engine_exit(g);
	engine_convert(g);
	if (engine_stage(g, STAGE_SEAL, seal_main, LEAVE_IT, FINISH_WAIT, e) < 0)
		return engine_leave(g, e);
	g->c.board->stage = STAGE_DONE;
	if (state_remove(take_ptr(g->c.state), e) < 0)
		return e->code;
	console_result(g->rq->console, "%s/%s%s", g->rq->about->outdir, g->finish.name,
		       bundle_suffixes[g->rq->about->compress]);
	if (undo.code)
		console_error(g->rq->console, "left behind: %s", undo.text);
	else
		console_line(g->rq->console, "the bundle is complete; nothing is left behind");
	return 0;
}

static int engine_undo(struct engine *g, struct err *e)
{
	struct err undo = ERR_INIT;

	for (size_t i = 0; i < g->c.plan->n_sources; i++)
		worker_kill(&g->workers[i]);
	worker_kill(&g->watcher);
	engine_let_go(g);
	if (g->c.ledger && ledger_undo(g->c.ledger, g->c.tracing, &undo) < 0) {
		log_line("%s", undo.text);
		return err_wrap(e, "left behind: %s", undo.text);
	}
	state_remove(take_ptr(g->c.state), &undo);
	return e->code;
}

static int engine_signals(struct err *e)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR1);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 || (fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC)) < 0)
		return err_sys(e, "cannot take signals");
	return fd;
}

static int engine_open(struct engine *g, const struct engine_request *rq, struct err *e)
{
	size_t n = rq->plan->n_sources;

	*g = (struct engine){ .rq = rq, .watcher = { .fd = -1 } };
	g->c.plan = rq->plan;
	g->c.state = rq->state;
	g->c.tracing = rq->tracing;
	g->finish = (struct finish){ .capture = &g->c, .about = rq->about };
	g->workers = calloc(n + 1, sizeof(*g->workers));
	if (!g->workers)
		return err_set(e, "no memory");
	for (size_t i = 0; i < n; i++)
		g->workers[i].fd = -1;
	g->signals = engine_signals(e);
	return g->signals < 0 ? e->code : 0;
}

static void engine_close(struct engine *g)
{
	engine_let_go(g);
	if (g->signals >= 0)
		close(g->signals);
	control_close(g->control);
	ledger_close(g->c.ledger);
	stop_close(g->c.stop);
	board_close(g->c.board);
	state_close(g->c.state);
	free(g->c.switches);
	free(g->workers);
	log_close();
}

static int engine_stages(struct engine *g, enum exit_code *exit, struct err *e)
{
	if (engine_arm(g, e) < 0 || engine_start(g, e) < 0)
		return engine_undo(g, e);
	engine_watch(g);
	engine_halt(g);
	return engine_finish(g, exit, e); /* save, convert, seal */
}

int engine_run(const struct engine_request *rq, enum exit_code *exit, struct err *e)
{
	struct engine g;
	int r = engine_open(&g, rq, e);

	if (r == 0)
		r = engine_stages(&g, exit, e);
	engine_close(&g);
	return r;
}

/* What a capture that was killed has left: its plan's rings, still running perhaps, and its files. */
static int engine_reopen(struct engine *g, struct err *e)
{
	struct capture *c = &g->c;

	log_open(c->state->fd);
	log_line("recovered");
	if (ledger_open(&c->ledger, c->state->fd, e) < 0 || stop_open(&c->stop, c->state->fd, e) < 0 ||
	    board_open(&c->board, c->state->fd, e) < 0)
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
	return anchors_add(c, e);
}

int engine_recover(const struct engine_request *rq, enum exit_code *exit, struct err *e)
{
	struct engine g;
	int r = engine_open(&g, rq, e);

	if (r == 0)
		r = engine_reopen(&g, e);
	if (r == 0)
		r = engine_finish(&g, exit, e);
	engine_close(&g);
	return r;
}
