#include "watch/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/units.h"
#include "condition/judge.h"
#include "log/freezes.h"
#include "process/memory.h"
#include "process/message.h"
#include "selector/reading.h"
#include "source/live.h"
#include "source/watched.h"
#include "trace/instance.h"
#include "watch/streams.h"
#include "watch/watchlist.h"

#define TELL_EVERY (NS_PER_S / 2)
#define WATCH_NICE (-20)
/* With records at hand nothing is decided any sooner (EVENTSTREAM_DELAY), and each that woke it
 * would cost the task that made it microseconds. */
#define REST (550 * NS_PER_US) /* twice is a little more than that */

struct watch {
	struct plan *plan;
	struct stop_page *stop;
	struct board *board;
	struct luatest *tests; /* NULL if the plan has none */
	bool trial;
	const struct ring_switch *switches;
	size_t n_switches;
	struct judge *judge;
	struct ringpage_layout layout;
	unsigned n_cpus;
	int *raw; /* trace_pipe_raw of each CPU, -1 where it has none */
	int comms;
	int tracing_on; /* of the watch instance itself; -1 if there is none */
	struct watchlist *list;
	bool restarted;
	/* of its process: */
	struct streams_ring ring;
	struct streams *streams;
	uint64_t start; /* boot clock */
	bool busy;      /* there were records at the last look */
	uint64_t told;  /* boot clock: when progress was last brought up to date */
};

static int watch_allocate(struct watch *w, struct capture *c, struct err *e)
{
	w->plan = c->plan;
	w->stop = c->stop;
	w->board = c->board;
	w->tests = c->tests;
	w->trial = c->trial;
	w->switches = c->switches;
	w->n_switches = c->n_switches;
	w->comms = w->tracing_on = -1;
	return judge_create(&w->judge, c->plan->conditions, c->plan->n_conditions,
			    c->board->conditions, e);
}

static int watch_enable(struct capture *c, const char *name, const struct format *event,
			struct err *e)
{
	autofree char *filter = NULL;
	char file[300];
	bool any;

	if (condition_join(c->plan->selectors, c->plan->n_selectors, event, 3, &any, &filter, e) <
	    0)
		return e->code;
	snprintf(file, sizeof(file), "events/%s/%s/filter", event->system, event->name);
	if (filter && instance_write(c->tracing, name, file, filter, e) < 0)
		return e->code;
	snprintf(file, sizeof(file), "events/%s/%s/enable", event->system, event->name);
	return instance_write(c->tracing, name, file, "1", e);
}

/* Who follows them has a ring of its own. */
static int watch_arm_freezes(struct capture *c, const struct selector *s, struct err *e)
{
	struct reading_selector *reading = s->data;
	char name[32];

	snprintf(name, sizeof(name), ".freezes-%u", s->number);
	if (freezes_arm(c->ledger, c->tracing, capture_instance(c->state, name).text,
			&reading->made, e) < 0)
		return e->code;
	reading->path = reading->made;
	return 0;
}

/* The same event may serve several conditions: enabling it again changes nothing. */
static int watch_setup_instance(struct capture *c, const char *name, struct err *e)
{
	char size[16];
	const char *const settings[][2] = {
		{ "tracing_on", "0" },
		{ "trace_clock", "boot" },
		{ "buffer_size_kb", size },
		{ "buffer_percent", "0" },
	};

	snprintf(size, sizeof(size), "%u", watched_buffer_kb(c->plan));
	for (size_t i = 0; i < countof(settings); i++)
		if (instance_write(c->tracing, name, settings[i][0], settings[i][1], e) < 0)
			return e->code;
	for (size_t i = 0; i < c->plan->n_selectors; i++) {
		const struct selector *s = c->plan->selectors[i];

		if (s->ops == &freezes_selector && watch_arm_freezes(c, s, e) < 0)
			return err_wrap(e, "%s", s->at);
		if (s->format && watch_enable(c, name, s->format, e) < 0)
			return err_wrap(e, "%s", s->at);
		if (s->test && luatest_learn(c->tests, s->test - 1, s->format, e) < 0)
			return err_wrap(e, "%s", s->at);
	}
	return 0;
}

static int watch_open(struct watch *w, struct capture *c, const char *name, struct err *e)
{
	if (instance_layout(c->tracing, name, &w->layout, e) < 0 ||
	    instance_cpus(c->tracing, name, &w->n_cpus, e) < 0)
		return e->code;
	w->raw = malloc(w->n_cpus * sizeof(*w->raw));
	if (!w->raw) {
		w->n_cpus = 0;
		return err_set(e, "no memory");
	}
	for (unsigned cpu = 0; cpu < w->n_cpus; cpu++) {
		struct err absent = ERR_INIT;

		w->raw[cpu] = instance_open_cpu(c->tracing, name, cpu, "trace_pipe_raw", &absent);
	}
	w->comms = openat(tracing_fd(c->tracing), "saved_cmdlines", O_RDONLY | O_CLOEXEC);
	w->tracing_on = instance_open(c->tracing, name, "tracing_on", O_RDWR, e);
	if (w->tracing_on < 0)
		return e->code;
	return watchlist_create(&w->list, c->plan->selectors, c->plan->n_selectors, w->comms, false,
				e);
}

static int watch_arm_instance(struct watch *w, struct capture *c, struct err *e)
{
	struct capture_name name = capture_instance(c->state, ".watch");

	if (watch_allocate(w, c, e) < 0)
		return e->code;
	if (!c->plan->n_conditions)
		return 0;
	if (ledger_instance(c->ledger, name.text, e) < 0 ||
	    instance_create(c->tracing, name.text, e) < 0 ||
	    watch_setup_instance(c, name.text, e) < 0)
		return e->code;
	return watch_open(w, c, name.text, e);
}

int watch_arm(struct watch **ret, struct capture *c, struct err *e)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (!w)
		return err_set(e, "no memory");
	if (watch_arm_instance(w, c, e) < 0) {
		watch_free(w);
		return err_wrap(e, "the stop conditions");
	}
	*ret = w;
	return 0;
}

int watch_start(struct watch *w, struct err *e)
{
	if (w->tracing_on >= 0 && pwrite(w->tracing_on, "1", 1, 0) != 1)
		return err_sys(e, "cannot turn the watch instance on");
	return 0;
}

void watch_restarted(struct watch *w)
{
	w->restarted = true;
}

void watch_free(struct watch *w)
{
	if (!w)
		return;
	for (unsigned cpu = 0; cpu < w->n_cpus; cpu++)
		if (w->raw[cpu] >= 0)
			close(w->raw[cpu]);
	if (w->comms >= 0)
		close(w->comms);
	if (w->tracing_on >= 0)
		close(w->tracing_on);
	streams_close(w->streams);
	watchlist_free(w->list);
	judge_free(w->judge);
	free(w->raw);
	free(w);
}

int watch_descriptors(const struct watch *w, int **fds, size_t *n, struct err *e)
{
	int *list = malloc((w->n_cpus + w->n_switches + 3) * sizeof(*list));

	if (!list)
		return err_set(e, "no memory");
	*n = 0;
	for (unsigned cpu = 0; cpu < w->n_cpus; cpu++)
		list[(*n)++] = w->raw[cpu];
	for (size_t i = 0; i < w->n_switches; i++)
		list[(*n)++] = w->switches[i].fd;
	list[(*n)++] = w->comms;
	list[(*n)++] = w->tracing_on;
	if (w->tests)
		list[(*n)++] = w->tests->fd;
	*fds = list;
	return 0;
}

/* Of a trial. */
static void watch_count(struct watch *w, const struct verdict *verdict)
{
	struct progress *progress = &w->board->conditions[verdict->condition->index];

	if (progress->fired++)
		return;
	progress->first = verdict->time;
	text_escape(progress->text, sizeof(progress->text), verdict->text);
}

static void watch_fired(void *arg, const struct verdict *verdict)
{
	struct watch *w = arg;
	struct stop_record record = {
		.by = STOP_CONDITION,
		.condition = verdict->condition->index,
		.event = verdict->time,
		.cut = verdict->time + w->plan->post,
		.uncertain = verdict->uncertain,
		.cpu = verdict->cpu,
		.pid = verdict->pid,
	};
	struct err ignored = ERR_INIT;

	if (w->trial)
		watch_count(w, verdict);
	if (w->trial || stop_get(w->stop))
		return;
	if (!w->plan->post) /* first of all, before anything is looked up or told */
		switches_off(w->switches, w->n_switches, &ignored);
	text_escape(record.text, sizeof(record.text), verdict->text);
	snprintf(record.numbers, sizeof(record.numbers), "%s", verdict->numbers);
	if (verdict->record && !*record.numbers)
		selector_numbers(verdict->selector, verdict->record, record.numbers,
				 sizeof(record.numbers));
	stop_decide(w->stop, &record);
}

static void watch_tell(struct watch *w)
{
	uint64_t now = clock_boot();

	if (now - w->told < TELL_EVERY)
		return;
	w->told = now;
	judge_tell(w->judge);
}

/* Until there is a record, the engine speaks, or something is due. The engine comes first, and is
 * left out once it has spoken its last word. */
static void watch_wait(const struct watch *w, const struct live *live, struct pollfd *fds, size_t n)
{
	uint64_t due = streams_wake(w->streams, judge_due(w->judge)), now = clock_boot();
	uint64_t wait = due > now ? due - now : 0;
	struct timespec timeout = { wait / NS_PER_S, wait % NS_PER_S };

	fds[0] = (struct pollfd) { .fd = live->stopping ? -1 : live->engine, .events = POLLIN };
	if (w->busy && wait > REST) {
		timeout = (struct timespec) { 0, REST };
		n = 1;
	}
	ppoll(fds, n, &timeout, NULL);
}

static int watch_begin(struct watch *w, uint64_t start, struct err *e)
{
	uint64_t now = clock_boot();

	w->start = start;
	if (judge_begin(w->judge, start, w->restarted ? now : start, watch_fired, w, e) < 0)
		return e->code;
	judge_tell(w->judge);
	for (int stream = 0; stream < STREAMS; stream++) {
		watched_begin(w->plan->watched[stream], start);
		if (!w->restarted)
			continue;
		judge_hole(w->judge, stream, now);
		watched_lost(w->plan->watched[stream], now);
	}
	return 0;
}

/* An error: who starts a successor makes anew what is gone. */
static int watch_until_decided(struct watch *w, struct live *live, struct err *e)
{
	autofree struct pollfd *fds = calloc(1 + streams_fds_max(w->streams), sizeof(*fds));
	size_t n = fds ? 1 + streams_fds(w->streams, fds + 1) : 0;

	/* what is lost from here on is counted */
	if (fds)
		streams_show(w->streams, w->start, w->stop);
	while (fds && !stop_get(w->stop)) {
		if (streams_fault(w->streams) && !live->stopping)
			return err_set(e, "%s", streams_fault(w->streams));
		watch_wait(w, live, fds, n);
		w->busy = streams_show(w->streams, w->start, w->stop);
		watch_tell(w);
		if (fds[0].revents)
			live_wait(live, -1, 0);
		if (!live->stopping || stop_get(w->stop))
			continue;
		/* the engine is gone: what was recorded up to now is what can be saved */
		struct stop_record record = {
			.by = STOP_KILLED,
			.cpu = UINT32_MAX,
			.pid = -1,
			.event = clock_boot(),
			.cut = clock_boot(),
			.text = "the capture's main process was ended from outside"
		};
		stop_decide(w->stop, &record);
	}
	return 0;
}

/* A successor goes on with what it still has. */
static int watch_open_streams(struct watch *w, struct live *live, struct err *e)
{
	w->ring = (struct streams_ring) {
		.layout = &w->layout,
		.list = w->list,
		.cpus = w->raw,
		.n_cpus = w->n_cpus,
		.comms = w->comms,
	};
	if (streams_open(&w->streams, w->plan, &w->ring, w->judge, w->tests,
			 w->restarted ? FOLLOW_LATER : FOLLOW_NOW, e) == 0)
		return 0;
	if (!w->restarted || !w->streams)
		return e->code;
	live_say(live, "%s: conditions see nothing of it any more", e->text);
	*e = (struct err)ERR_INIT;
	return 0;
}

/* It goes before those whose events it looks at, or it would lose them when they take all there is;
 * but not where somebody else's log could keep it busy. */
static bool watch_may_hurry(const struct plan *plan)
{
	for (size_t i = 0; i < plan->n_selectors; i++)
		if (plan->selectors[i]->ops == &textline_selector)
			return false;
	return plan->watched[STREAM_EVENTS] != NULL;
}

int watch_main(void *arg, int engine, struct err *e)
{
	struct watch *w = arg;
	struct live live = { .engine = engine, .stop = w->stop };

	if ((w->plan->fsfreeze_safe && memory_lock(e) < 0) || watch_open_streams(w, &live, e) < 0)
		return e->code;
	if (watch_may_hurry(w->plan))
		setpriority(PRIO_PROCESS, 0, WATCH_NICE);
	if (live_armed(&live, SANDBOX_HELD, e) < 0)
		return e->code == 0 ? -ECANCELED : e->code;
	if (watch_begin(w, live.since, e) < 0 || watch_until_decided(w, &live, e) < 0)
		return e->code;
	message_send(engine, MESSAGE_HIT, "");
	while (clock_boot() < stop_cut(w->stop) && !live.stopping)
		live_wait(&live, -1, stop_cut(w->stop));
	for (int stream = 0; stream < STREAMS; stream++) /* it has looked up to the end */
		watched_reach(w->plan->watched[stream], stop_get(w->stop)->event);
	if (w->tracing_on >= 0 && pwrite(w->tracing_on, "0", 1, 0) != 1)
		return err_sys(e, "cannot turn the watch instance off");
	return switches_off(w->switches, w->n_switches, e);
}
