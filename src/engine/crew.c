#include "engine/crew.h"

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

static void crew_interrupt(struct crew *crew)
{
	static const char *const words[] = {
		[END_EARLY] =
			"stopping early; the bundle will be complete (again: without conversion)",
		[SKIP_CONVERSION] = "no conversion; the raw data will be sealed (again: leave "
				    "everything as it is)",
		[LEAVE_IT] = "leaving it for `tracer recover`",
	};

	if (crew->interrupts == LEAVE_IT)
		return;
	crew->interrupts++;
	if (crew->capture->trial) {
		console_line(crew->console, "the trial ends early");
		return;
	}
	if (crew->capture->board && !crew->capture->board->armed) {
		console_line(crew->console, "stopping before the start");
		return;
	}
	log_line("interrupted: %s", words[crew->interrupts]);
	console_line(crew->console, "%s", words[crew->interrupts]);
}

/* The status, whole, where everybody sees it. */
static void crew_print(struct crew *crew)
{
	autofree char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return;
	status_page(out, crew->capture->board, crew->capture->plan);
	fclose(out);
	console_error(crew->console, "%s", text);
}

static void crew_take_signals(struct crew *crew)
{
	struct signalfd_siginfo info;

	while (read(crew->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGUSR1)
			crew_print(crew);
		else
			crew_interrupt(crew);
	}
}

/* By its name, or the first. */
static const struct condition *crew_condition(const struct crew *crew, const char *name)
{
	const struct plan *plan = crew->capture->plan;

	for (size_t i = 0; i < plan->n_conditions; i++)
		if (!*name || !strcmp(plan->conditions[i].name, name))
			return &plan->conditions[i];
	return NULL;
}

/* Takes a condition for true, for a drill. Returns why not, NULL if it did. */
static const char *crew_fire(struct crew *crew, const char *name)
{
	const struct condition *c = crew_condition(crew, name);
	struct stop_record record = { .by = STOP_CONDITION,
				      .drill = true,
				      .cpu = UINT32_MAX,
				      .pid = -1,
				      .text = "fired by hand, for a drill" };

	if (crew->capture->trial)
		return "it is only a trial, which nothing ends";
	if (crew->capture->board->stage != STAGE_WATCH)
		return "it does not watch for anything now";
	if (!c)
		return "it has no stop condition of that name: `tracer status` shows them";
	record.condition = c->index;
	record.event = clock_boot();
	record.cut = record.event + crew->capture->plan->post;
	return stop_decide(crew->capture->stop, &record) ? NULL : "it has just ended by itself";
}

void crew_take_wishes(struct crew *crew)
{
	struct wish wish;

	crew_take_signals(crew);
	while (crew->control && control_next(crew->control, &wish)) {
		if (wish.what == WISH_STOP)
			crew_interrupt(crew);
		control_answer(crew->control,
			       wish.what == WISH_FIRE ? crew_fire(crew, wish.name) : NULL);
	}
}

/* A worker that ended before it was told to: its source has recorded up to now, and says so. */
static void crew_note(struct crew *crew, struct worker *w, const char *text)
{
	size_t index = w - crew->workers;
	struct err ignored = ERR_INIT;
	char name[32];

	log_line("%s: %s", w->name, text);
	if (w == &crew->watcher || w == &crew->thawer || index >= crew->capture->plan->n_sources)
		return;
	snprintf(name, sizeof(name), "note-%zu", index);
	io_create_file(crew->capture->state->fd, name, text, strlen(text), &ignored);
}

static void crew_take_worker(struct crew *crew, struct worker *w)
{
	bool lived = w->fd >= 0;
	struct message message;

	while (worker_receive(w, &message) > 0)
		if (message.type == MESSAGE_SAY)
			log_line("%s: %s", w->name, message.text);
	if (!lived || w->fd >= 0 || !w->failed)
		return;
	crew_note(crew, w, w->err.text);
	if (crew->capture->board->stage == STAGE_WATCH)
		console_error(crew->console, "%s: %s; the rest goes on", w->name, w->err.text);
}

void crew_wait(struct crew *crew, uint64_t until)
{
	size_t n = crew->capture->plan->n_sources;
	autofree struct pollfd *fds = calloc(n + 4, sizeof(*fds));
	uint64_t now = clock_boot();

	if (!fds)
		return;
	fds[0] = (struct pollfd) { .fd = crew->signals, .events = POLLIN };
	fds[1] = (struct pollfd) { .fd = control_fd(crew->control), .events = POLLIN };
	fds[2] = (struct pollfd) { .fd = crew->watcher.fd, .events = POLLIN };
	fds[3] = (struct pollfd) { .fd = crew->thawer.fd, .events = POLLIN };
	for (size_t i = 0; i < n; i++)
		fds[i + 4] = (struct pollfd) { .fd = crew->workers[i].fd, .events = POLLIN };
	if (poll(fds, n + 4, until > now ? (int)((until - now) / NS_PER_MS) + 1 : 0) <= 0)
		return;
	crew_take_wishes(crew);
	crew_take_worker(crew, &crew->watcher);
	crew_take_worker(crew, &crew->thawer);
	for (size_t i = 0; i < n; i++)
		crew_take_worker(crew, &crew->workers[i]);
}

/* What the new process of a source is given. */
struct enlisted {
	struct source *source;
	const struct capture *capture;
};

static int crew_live(void *arg, int fd, struct err *e)
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

int crew_start_worker(struct crew *crew, struct source *s, struct err *e)
{
	struct enlisted enlisted = { s, crew->capture };

	return worker_start(&crew->workers[s->index], s->name, crew_live, &enlisted,
			    &crew->capture->state->fd, 1, e);
}

int crew_start_watcher(struct crew *crew, struct err *e)
{
	autofree int *keep = NULL;
	size_t n;

	if (watch_descriptors(crew->watch, &keep, &n, e) < 0)
		return e->code;
	return worker_start(&crew->watcher, "watch", watch_main, crew->watch, keep, n, e);
}

/* A worker that has failed, or NULL; *waiting if one is not armed yet. */
static struct worker *crew_unarmed(struct crew *crew, bool *waiting)
{
	*waiting = !crew->watcher.armed || (crew->thawer.pid && !crew->thawer.armed);
	if (crew->watcher.failed || crew->watcher.fd < 0)
		return &crew->watcher;
	if (crew->thawer.failed)
		return &crew->thawer;
	for (size_t i = 0; i < crew->capture->plan->n_sources; i++) {
		if (!crew->capture->plan->sources[i].ops->live)
			continue;
		if (crew->workers[i].failed || crew->workers[i].fd < 0)
			return &crew->workers[i];
		*waiting |= !crew->workers[i].armed;
	}
	return NULL;
}

int crew_await_armed(struct crew *crew, struct err *e)
{
	uint64_t until = clock_boot() + ARM_WAIT;
	struct worker *failed;
	bool waiting;

	while (!(failed = crew_unarmed(crew, &waiting)) && waiting) {
		if (crew->interrupts)
			return err_set(e, "interrupted before the start: nothing was recorded");
		if (clock_boot() > until)
			return err_set(e, "a process was not ready after %s",
				       duration_text(ARM_WAIT).text);
		crew_wait(crew, until);
	}
	if (!failed)
		return 0;
	*e = failed->err;
	return err_wrap(e, "%s", failed->name);
}

static bool crew_all_stopped(const struct crew *crew)
{
	for (size_t i = 0; i < crew->capture->plan->n_sources; i++)
		if (crew->workers[i].fd >= 0)
			return false;
	return true;
}

static void crew_say(struct crew *crew, enum message_type type, const char *text)
{
	for (size_t i = 0; i < crew->capture->plan->n_sources; i++)
		if (crew->workers[i].fd >= 0)
			message_send(crew->workers[i].fd, type, text);
	if (crew->watcher.fd >= 0)
		message_send(crew->watcher.fd, type, text);
}

static void crew_say_start(int fd, uint64_t since)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)since);
	if (fd >= 0)
		message_send(fd, MESSAGE_START, text);
}

void crew_start(struct crew *crew, uint64_t since)
{
	for (size_t i = 0; i < crew->capture->plan->n_sources; i++)
		crew_say_start(crew->workers[i].fd, since);
	crew_say_start(crew->watcher.fd, since);
}

static uint64_t crew_finish(const struct plan *plan)
{
	uint64_t longest = 0;

	for (size_t i = 0; i < plan->n_sources; i++)
		if (plan->sources[i].finish > longest)
			longest = plan->sources[i].finish;
	return longest;
}

void crew_stop(struct crew *crew)
{
	uint64_t until =
		stop_cut(crew->capture->stop) + HALT_WAIT + crew_finish(crew->capture->plan);

	crew_say(crew, MESSAGE_STOP, "");
	while (!crew_all_stopped(crew) && clock_boot() < until && crew->interrupts < LEAVE_IT)
		crew_wait(crew, until);
	for (size_t i = 0; i < crew->capture->plan->n_sources; i++) {
		if (crew->workers[i].fd < 0)
			continue;
		worker_kill(&crew->workers[i]);
		crew_note(crew, &crew->workers[i],
			  crew->interrupts < LEAVE_IT
				  ? "its process did not end in time and was killed: the last "
				    "moments may be missing"
				  : "the user did not wait for its process, which was killed: the "
				    "last moments may be missing");
	}
	worker_kill(&crew->watcher);
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

int crew_start_thawer(struct crew *crew, struct err *e)
{
	return crew->thaw ? thaw_start(crew->thaw, &crew->thawer, e) : 0;
}

void crew_check_thawer(struct crew *crew)
{
	struct err e = ERR_INIT;

	if (!crew->thaw || crew->thawer.fd >= 0 || !revival_is_due(&crew->thawer_revival))
		return;
	if (crew_start_thawer(crew, &e) < 0)
		log_line("%s", e.text);
}

/* One that is killed meanwhile gets a successor, a few times. */
int crew_await_thaw(struct crew *crew, uint64_t until, struct err *e)
{
	for (int tries = 0; tries < THAWERS_MAX; tries++) {
		if (crew->thawer.fd < 0 && crew_start_thawer(crew, e) < 0)
			return e->code;
		message_send(crew->thawer.fd, MESSAGE_STOP, "");
		while (crew->thawer.fd >= 0 && clock_boot() < until && crew->interrupts < LEAVE_IT)
			crew_wait(crew, until);
		if (crew->thawer.fd >= 0 || !crew->thawer.failed)
			break;
	}
	if (crew->thawer.failed) {
		*e = crew->thawer.err;
		return e->code;
	}
	if (crew->thawer.fd < 0)
		return 0;
	worker_kill(&crew->thawer);
	return err_set(e, crew->interrupts >= LEAVE_IT ? "interrupted while it waited for the thaw"
						       : "where it goes is frozen, or hangs");
}

void crew_kill(struct crew *crew)
{
	for (size_t i = 0; i < crew->capture->plan->n_sources; i++)
		worker_kill(&crew->workers[i]);
	worker_kill(&crew->watcher);
	worker_kill(&crew->thawer);
}

/* Without it, only the rings would stop at the event. */
void crew_check_watcher(struct crew *crew)
{
	struct err e = ERR_INIT;

	if (crew->watcher.fd >= 0 || stop_get(crew->capture->stop) ||
	    !revival_is_due(&crew->watcher_revival))
		return;
	stop_release(crew->capture->stop); /* it may have been killed while it wrote */
	watch_restarted(crew->watch);
	if (crew_start_watcher(crew, &e) < 0)
		log_line("%s", e.text);
	else
		crew_say_start(crew->watcher.fd, crew->capture->board->armed);
}

static void crew_signal_set(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGQUIT);
	sigaddset(set, SIGUSR1);
}

void crew_block_signals(void)
{
	static const int ignored[] = { SIGHUP,    SIGPIPE, SIGUSR2, SIGALRM,
				       SIGVTALRM, SIGPROF, SIGXFSZ, SIGXCPU };
	sigset_t set;

	crew_signal_set(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (size_t i = 0; i < countof(ignored); i++)
		signal(ignored[i], SIG_IGN);
}

static int crew_signals(struct err *e)
{
	sigset_t set;
	int fd;

	crew_block_signals();
	crew_signal_set(&set);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return fd < 0 ? err_sys(e, "cannot take signals") : fd;
}

int crew_open(struct crew *crew, struct capture *capture, struct console *console, struct err *e)
{
	size_t n = capture->plan->n_sources;

	*crew = (struct crew) { .capture = capture,
				.console = console,
				.watcher = { .fd = -1 },
				.thawer = { .fd = -1 },
				.signals = -1 };
	crew->workers = calloc(n + 1, sizeof(*crew->workers));
	if (!crew->workers)
		return err_set(e, "no memory");
	for (size_t i = 0; i < n; i++)
		crew->workers[i].fd = -1;
	crew->signals = crew_signals(e);
	return crew->signals < 0 ? e->code : 0;
}

void crew_close(struct crew *crew)
{
	if (crew->workers)
		crew_kill(crew);
	if (crew->signals >= 0)
		close(crew->signals);
	control_close(crew->control);
	watch_free(crew->watch);
	thaw_free(crew->thaw);
	free(crew->workers);
}
