#include "engine/workers.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/units.h"
#include "engine/status_line.h"
#include "plan/source.h"
#include "process/memory.h"
#include "source/live.h"

#define ARM_WAIT (30 * NS_PER_S)
#define REVIVAL_LEAST_MAX (60 * NS_PER_S)
#define THAWERS_MAX 3             /* after the stop */
#define HALT_WAIT (15 * NS_PER_S) /* for the sources to end, beyond the cut */

static void workers_interrupt(struct workers *workers)
{
	static const char *const words[] = {
		[END_EARLY] =
			"stopping early; the bundle will be complete (again: without conversion)",
		[SKIP_CONVERSION] = "no conversion; the raw data will be sealed (again: leave "
				    "everything as it is)",
		[LEAVE_IT] = "leaving it for `tracer recover`",
	};

	if (workers->interrupts == LEAVE_IT)
		return;
	workers->interrupts++;
	if (workers->capture->trial) {
		console_line(workers->console, "the trial ends early");
		return;
	}
	if (workers->capture->board && !workers->capture->board->armed) {
		console_line(workers->console, "stopping before the start");
		return;
	}
	log_line("interrupted: %s", words[workers->interrupts]);
	console_line(workers->console, "%s", words[workers->interrupts]);
}

/* The status, whole, where everybody sees it. */
static void workers_print(struct workers *workers)
{
	autofree char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return;
	status_page(out, workers->capture->board, workers->capture->plan);
	fclose(out);
	console_error(workers->console, "%s", text);
}

static void workers_take_signals(struct workers *workers)
{
	struct signalfd_siginfo info;

	while (read(workers->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGUSR1)
			workers_print(workers);
		else
			workers_interrupt(workers);
	}
}

/* By its name, or the first. */
static const struct condition *workers_condition(const struct workers *workers, const char *name)
{
	const struct plan *plan = workers->capture->plan;

	for (size_t i = 0; i < plan->n_conditions; i++)
		if (!*name || !strcmp(plan->conditions[i].name, name))
			return &plan->conditions[i];
	return NULL;
}

/* Takes a condition for true, for a drill. Returns why not, NULL if it did. */
static const char *workers_fire(struct workers *workers, const char *name)
{
	const struct condition *c = workers_condition(workers, name);
	struct stop_record record = { .by = STOP_CONDITION,
				      .drill = true,
				      .cpu = UINT32_MAX,
				      .pid = -1,
				      .text = "fired by hand, for a drill" };

	if (workers->capture->trial)
		return "it is only a trial, which nothing ends";
	if (workers->capture->board->stage != STAGE_WATCH)
		return "it does not watch for anything now";
	if (!c)
		return "it has no stop condition of that name: `tracer status` shows them";
	record.condition = c->index;
	record.event = clock_boot();
	record.cut = record.event + workers->capture->plan->post;
	return stop_decide(workers->capture->stop, &record) ? NULL : "it has just ended by itself";
}

void workers_take_wishes(struct workers *workers)
{
	struct wish wish;

	workers_take_signals(workers);
	while (workers->control && control_next(workers->control, &wish)) {
		if (wish.what == WISH_STOP)
			workers_interrupt(workers);
		control_answer(workers->control,
			       wish.what == WISH_FIRE ? workers_fire(workers, wish.name) : NULL);
	}
}

/* A worker that ended before it was told to: its source has recorded up to now, and says so. */
static void workers_note(struct workers *workers, struct worker *w, const char *text)
{
	size_t index = w - workers->of_sources;
	struct err ignored = ERR_INIT;
	char name[32];

	log_line("%s: %s", w->name, text);
	if (w == &workers->watcher || w == &workers->thawer ||
	    index >= workers->capture->plan->n_sources)
		return;
	snprintf(name, sizeof(name), "note-%zu", index);
	io_create_file(workers->capture->state->fd, name, text, strlen(text), &ignored);
}

static void workers_take_worker(struct workers *workers, struct worker *w)
{
	bool lived = w->fd >= 0;
	struct message message;

	while (worker_receive(w, &message) > 0)
		if (message.type == MESSAGE_SAY)
			log_line("%s: %s", w->name, message.text);
	if (!lived || w->fd >= 0 || !w->failed)
		return;
	workers_note(workers, w, w->err.text);
	if (workers->capture->board->stage == STAGE_WATCH)
		console_error(workers->console, "%s: %s; the rest goes on", w->name, w->err.text);
}

void workers_wait(struct workers *workers, uint64_t until)
{
	size_t n = workers->capture->plan->n_sources;
	autofree struct pollfd *fds = calloc(n + 4, sizeof(*fds));
	uint64_t now = clock_boot();

	if (!fds)
		return;
	fds[0] = (struct pollfd) { .fd = workers->signals, .events = POLLIN };
	fds[1] = (struct pollfd) { .fd = control_fd(workers->control), .events = POLLIN };
	fds[2] = (struct pollfd) { .fd = workers->watcher.fd, .events = POLLIN };
	fds[3] = (struct pollfd) { .fd = workers->thawer.fd, .events = POLLIN };
	for (size_t i = 0; i < n; i++)
		fds[i + 4] = (struct pollfd) { .fd = workers->of_sources[i].fd, .events = POLLIN };
	if (poll(fds, n + 4, until > now ? (int)((until - now) / NS_PER_MS) + 1 : 0) <= 0)
		return;
	workers_take_wishes(workers);
	workers_take_worker(workers, &workers->watcher);
	workers_take_worker(workers, &workers->thawer);
	for (size_t i = 0; i < n; i++)
		workers_take_worker(workers, &workers->of_sources[i]);
}

/* What the new process of a source is given. */
struct enlisted {
	struct source *source;
	const struct capture *capture;
};

static int workers_live(void *arg, int fd, struct err *e)
{
	const struct enlisted *enlisted = arg;
	struct live live = { .engine = fd,
			     .statedir = enlisted->capture->state->fd,
			     .stop = enlisted->capture->stop,
			     .fsfreeze_safe = enlisted->capture->plan->fsfreeze_safe };

	if (live.fsfreeze_safe && memory_lock(e) < 0)
		return e->code;
	return enlisted->source->ops->live(enlisted->source, &live, e);
}

int workers_start_worker(struct workers *workers, struct source *s, struct err *e)
{
	struct enlisted enlisted = { s, workers->capture };

	return worker_start(&workers->of_sources[s->index], s->name, workers_live, &enlisted,
			    &workers->capture->state->fd, 1, e);
}

int workers_start_watcher(struct workers *workers, struct err *e)
{
	autofree int *keep = NULL;
	size_t n;

	if (watch_descriptors(workers->watch, &keep, &n, e) < 0)
		return e->code;
	return worker_start(&workers->watcher, "watch", watch_main, workers->watch, keep, n, e);
}

/* A worker that has failed, or NULL; *waiting if one is not armed yet. */
static struct worker *workers_unarmed(struct workers *workers, bool *waiting)
{
	*waiting = !workers->watcher.armed || (workers->thawer.pid && !workers->thawer.armed);
	if (workers->watcher.failed || workers->watcher.fd < 0)
		return &workers->watcher;
	if (workers->thawer.failed)
		return &workers->thawer;
	for (size_t i = 0; i < workers->capture->plan->n_sources; i++) {
		if (!workers->capture->plan->sources[i].ops->live)
			continue;
		if (workers->of_sources[i].failed || workers->of_sources[i].fd < 0)
			return &workers->of_sources[i];
		*waiting |= !workers->of_sources[i].armed;
	}
	return NULL;
}

int workers_await_armed(struct workers *workers, struct err *e)
{
	uint64_t until = clock_boot() + ARM_WAIT;
	struct worker *failed;
	bool waiting;

	while (!(failed = workers_unarmed(workers, &waiting)) && waiting) {
		if (workers->interrupts)
			return err_set(e, "interrupted before the start: nothing was recorded");
		if (clock_boot() > until)
			return err_set(e, "a process was not ready after %s",
				       duration_text(ARM_WAIT).text);
		workers_wait(workers, until);
	}
	if (!failed)
		return 0;
	*e = failed->err;
	return err_wrap(e, "%s", failed->name);
}

static bool workers_all_stopped(const struct workers *workers)
{
	for (size_t i = 0; i < workers->capture->plan->n_sources; i++)
		if (workers->of_sources[i].fd >= 0)
			return false;
	return true;
}

static void workers_say(struct workers *workers, enum message_type type, const char *text)
{
	for (size_t i = 0; i < workers->capture->plan->n_sources; i++)
		if (workers->of_sources[i].fd >= 0)
			message_send(workers->of_sources[i].fd, type, text);
	if (workers->watcher.fd >= 0)
		message_send(workers->watcher.fd, type, text);
}

static void workers_say_start(int fd, uint64_t since)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)since);
	if (fd >= 0)
		message_send(fd, MESSAGE_START, text);
}

void workers_start(struct workers *workers, uint64_t since)
{
	for (size_t i = 0; i < workers->capture->plan->n_sources; i++)
		workers_say_start(workers->of_sources[i].fd, since);
	workers_say_start(workers->watcher.fd, since);
}

static uint64_t workers_finish(const struct plan *plan)
{
	uint64_t longest = 0;

	for (size_t i = 0; i < plan->n_sources; i++)
		if (plan->sources[i].finish > longest)
			longest = plan->sources[i].finish;
	return longest;
}

void workers_stop(struct workers *workers)
{
	uint64_t until = stop_cut(workers->capture->stop) + HALT_WAIT +
			 workers_finish(workers->capture->plan);

	workers_say(workers, MESSAGE_STOP, "");
	while (!workers_all_stopped(workers) && clock_boot() < until &&
	       workers->interrupts < LEAVE_IT)
		workers_wait(workers, until);
	for (size_t i = 0; i < workers->capture->plan->n_sources; i++) {
		if (workers->of_sources[i].fd < 0)
			continue;
		worker_kill(&workers->of_sources[i]);
		workers_note(
			workers, &workers->of_sources[i],
			workers->interrupts < LEAVE_IT
				? "its process did not end in time and was killed: the last "
				  "moments may be missing"
				: "the user did not wait for its process, which was killed: the "
				  "last moments may be missing");
	}
	worker_kill(&workers->watcher);
}

/* It may die of what it reads, at once each time: later and later then. */
static bool revival_is_due(struct revival *r)
{
	uint64_t now = clock_boot(), since = now - r->started;

	if (since < r->least)
		return false;
	if (since > 2 * REVIVAL_LEAST_MAX)
		r->least = 0;
	else if (r->least < REVIVAL_LEAST_MAX)
		r->least = r->least * 2 + NS_PER_S;
	r->started = now;
	return true;
}

int workers_start_thawer(struct workers *workers, struct err *e)
{
	return workers->thaw ? thaw_start(workers->thaw, &workers->thawer, e) : 0;
}

void workers_check_thawer(struct workers *workers)
{
	struct err e = ERR_INIT;

	if (!workers->thaw || workers->thawer.fd >= 0 || !revival_is_due(&workers->thawer_revival))
		return;
	if (workers_start_thawer(workers, &e) < 0)
		log_line("%s", e.text);
}

/* One that is killed meanwhile gets a successor, a few times. */
int workers_await_thaw(struct workers *workers, uint64_t until, struct err *e)
{
	for (int tries = 0; tries < THAWERS_MAX; tries++) {
		if (workers->thawer.fd < 0 && workers_start_thawer(workers, e) < 0)
			return e->code;
		message_send(workers->thawer.fd, MESSAGE_STOP, "");
		while (workers->thawer.fd >= 0 && clock_boot() < until &&
		       workers->interrupts < LEAVE_IT)
			workers_wait(workers, until);
		if (workers->thawer.fd >= 0 || !workers->thawer.failed)
			break;
	}
	if (workers->thawer.failed) {
		*e = workers->thawer.err;
		return e->code;
	}
	if (workers->thawer.fd < 0)
		return 0;
	worker_kill(&workers->thawer);
	return err_set(e, workers->interrupts >= LEAVE_IT
				  ? "interrupted while it waited for the thaw"
				  : "where it goes is frozen, or hangs");
}

void workers_kill(struct workers *workers)
{
	for (size_t i = 0; i < workers->capture->plan->n_sources; i++)
		worker_kill(&workers->of_sources[i]);
	worker_kill(&workers->watcher);
	worker_kill(&workers->thawer);
}

/* Without it, only the rings would stop at the event. */
void workers_check_watcher(struct workers *workers)
{
	struct err e = ERR_INIT;

	if (workers->watcher.fd >= 0 || stop_get(workers->capture->stop) ||
	    !revival_is_due(&workers->watcher_revival))
		return;
	stop_release(workers->capture->stop); /* it may have been killed while it wrote */
	watch_restarted(workers->watch);
	if (workers_start_watcher(workers, &e) < 0)
		log_line("%s", e.text);
	else
		workers_say_start(workers->watcher.fd, workers->capture->board->armed);
}

static void workers_signal_set(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGQUIT);
	sigaddset(set, SIGUSR1);
}

void workers_block_signals(void)
{
	static const int ignored[] = { SIGHUP,    SIGPIPE, SIGUSR2, SIGALRM,
				       SIGVTALRM, SIGPROF, SIGXFSZ, SIGXCPU };
	sigset_t set;

	workers_signal_set(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (size_t i = 0; i < countof(ignored); i++)
		signal(ignored[i], SIG_IGN);
}

static int workers_signals(struct err *e)
{
	sigset_t set;
	int fd;

	workers_block_signals();
	workers_signal_set(&set);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return fd < 0 ? err_sys(e, "cannot take signals") : fd;
}

int workers_open(struct workers *workers, struct capture *capture, struct console *console,
		 struct err *e)
{
	size_t n = capture->plan->n_sources;

	*workers = (struct workers) { .capture = capture,
				      .console = console,
				      .watcher = { .fd = -1 },
				      .thawer = { .fd = -1 },
				      .signals = -1 };
	workers->of_sources = calloc(n + 1, sizeof(*workers->of_sources));
	if (!workers->of_sources)
		return err_set(e, "no memory");
	for (size_t i = 0; i < n; i++)
		workers->of_sources[i].fd = -1;
	workers->signals = workers_signals(e);
	return workers->signals < 0 ? e->code : 0;
}

void workers_close(struct workers *workers)
{
	if (workers->of_sources)
		workers_kill(workers);
	if (workers->signals >= 0)
		close(workers->signals);
	control_close(workers->control);
	watch_free(workers->watch);
	thaw_free(workers->thaw);
	free(workers->of_sources);
}
