#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysinfo.h>

#include "auto.h"
#include "clock.h"
#include "eventstream.h"
#include "instance.h"
#include "judge.h"
#include "live.h"
#include "message.h"
#include "packetstream.h"
#include "readings.h"
#include "units.h"
#include "watchlist.h"

#define TELL_EVERY (NS_PER_S / 2)
#define LOOK_EVERY (NS_PER_MS / 2)
/* Of the watch instance, which holds only what the kernel has filtered: of each CPU, and in all
 * where a condition may want each of many. */
#define WATCH_KB 64
#define WATCH_MANY_KB 16384u

struct watch {
	struct plan *plan;
	struct stop_page *stop;
	struct board *board;
	const struct ring_switch *switches;
	size_t n_switches;
	struct judge *judge;
	struct ringpage_layout layout;
	unsigned n_cpus;
	int *raw; /* trace_pipe_raw of each CPU, -1 where it has none */
	int comms;
	int tracing_on; /* of the watch instance itself; -1 if there is none */
	struct eventstream *events;
	struct packetstream *packets; /* NULL if no condition looks for any */
	struct readings *readings;    /* the same */
	uint64_t start;               /* boot clock */
	struct watchlist *list;
	bool restarted;
	uint64_t told; /* boot clock: when progress was last brought up to date */
};

static int watch_allocate(struct watch *w, struct capture *c, struct err *e)
{
	w->plan = c->plan;
	w->stop = c->stop;
	w->board = c->board;
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

	if (selector_join(c->plan->selectors, c->plan->n_selectors, event, 2, &any, &filter, e) < 0)
		return e->code;
	snprintf(file, sizeof(file), "events/%s/%s/filter", event->system, event->name);
	if (filter && instance_write(c->tracing, name, file, filter, e) < 0)
		return e->code;
	snprintf(file, sizeof(file), "events/%s/%s/enable", event->system, event->name);
	return instance_write(c->tracing, name, file, "1", e);
}

static unsigned watch_buffer_kb(const struct plan *plan)
{
	unsigned each = WATCH_MANY_KB / get_nprocs_conf();

	for (size_t i = 0; i < plan->n_conditions; i++)
		if (plan->conditions[i].ops != &seen_condition)
			return each > WATCH_KB ? each : WATCH_KB;
	return WATCH_KB;
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

	snprintf(size, sizeof(size), "%u", watch_buffer_kb(c->plan));
	for (size_t i = 0; i < countof(settings); i++)
		if (instance_write(c->tracing, name, settings[i][0], settings[i][1], e) < 0)
			return e->code;
	for (size_t i = 0; i < c->plan->n_selectors; i++) {
		const struct selector *s = c->plan->selectors[i];

		if (s->format && watch_enable(c, name, s->format, e) < 0)
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
	eventstream_free(w->events);
	packetstream_close(w->packets);
	readings_close(w->readings);
	watchlist_free(w->list);
	judge_free(w->judge);
	free(w->raw);
	free(w);
}

int watch_descriptors(const struct watch *w, int **fds, size_t *n, struct err *e)
{
	int *list = malloc((w->n_cpus + w->n_switches + 2) * sizeof(*list));

	if (!list)
		return err_set(e, "no memory");
	*n = 0;
	for (unsigned cpu = 0; cpu < w->n_cpus; cpu++)
		list[(*n)++] = w->raw[cpu];
	for (size_t i = 0; i < w->n_switches; i++)
		list[(*n)++] = w->switches[i].fd;
	list[(*n)++] = w->comms;
	list[(*n)++] = w->tracing_on;
	*fds = list;
	return 0;
}

static enum page watch_page(void *arg, unsigned cpu, void *page)
{
	const struct watch *w = arg;

	if (w->raw[cpu] < 0)
		return PAGE_END;
	return read(w->raw[cpu], page, w->layout.page_size) > 0 ? PAGE_READ : PAGE_NONE;
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

	if (stop_get(w->stop))
		return;
	if (!w->plan->post) /* first of all, before anything is looked up or told */
		switches_off(w->switches, w->n_switches, &ignored);
	snprintf(record.text, sizeof(record.text), "%s", verdict->text);
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

/* Before what comes behind it is shown. */
static void watch_note_loss(struct watch *w)
{
	uint64_t lost;

	if (eventstream_missed(w->events, &lost))
		judge_hole(w->judge, STREAM_EVENTS, lost);
}

static void watch_look(struct watch *w)
{
	uint64_t now = clock_boot();

	eventstream_look(w->events, now);
	watch_note_loss(w);
	if (w->packets)
		packetstream_look(w->packets, now, w->start);
	if (w->packets && packetstream_missed(w->packets))
		judge_hole(w->judge, STREAM_PACKETS, now);
	if (w->readings)
		readings_look(w->readings, now);
}

/* What a stream has next; without one, the time before which it will have none. */
struct next {
	uint64_t time;
	bool there;
};

static struct next watch_next_event(struct watch *w)
{
	unsigned cpu;
	const struct ringpage_record *record = eventstream_peek(w->events, &cpu);

	return (struct next) { record ? record->time : eventstream_seen(w->events), record };
}

static struct next watch_next_packet(struct watch *w)
{
	const struct selector *selector;
	const struct observation *packet;

	if (!w->packets)
		return (struct next) { .time = UINT64_MAX };
	packet = packetstream_peek(w->packets, &selector);
	return (struct next) { packet ? packet->time : packetstream_seen(w->packets), packet };
}

static struct next watch_next_reading(struct watch *w)
{
	const struct selector *selector;

	if (!w->readings)
		return (struct next) { .time = UINT64_MAX };
	return (struct next) { readings_seen(w->readings), readings_peek(w->readings, &selector) };
}

static void watch_show_event(struct watch *w)
{
	unsigned cpu;
	const struct ringpage_record *record = eventstream_peek(w->events, &cpu);

	watchlist_show(w->list, w->judge, cpu, record);
	eventstream_take(w->events);
	watch_note_loss(w);
}

static void watch_show_packet(struct watch *w)
{
	const struct selector *selector;
	const struct observation *packet = packetstream_peek(w->packets, &selector);

	judge_see(w->judge, selector, packet);
	packetstream_take(w->packets);
}

static void watch_show_reading(struct watch *w)
{
	const struct selector *selector;
	const struct observation *reading = readings_peek(w->readings, &selector);

	judge_see(w->judge, selector, reading);
	readings_take(w->readings);
}

/* Shows the oldest of what all streams have, if no stream can have an older one yet. */
static bool watch_show_next(struct watch *w)
{
	static void (*const show[])(struct watch *) = {
		[STREAM_EVENTS] = watch_show_event,
		[STREAM_PACKETS] = watch_show_packet,
		[STREAM_READINGS] = watch_show_reading,
	};
	const struct next next[STREAMS] = {
		[STREAM_EVENTS] = watch_next_event(w),
		[STREAM_PACKETS] = watch_next_packet(w),
		[STREAM_READINGS] = watch_next_reading(w),
	};
	int first = 0;

	for (int i = 1; i < STREAMS; i++)
		if (next[i].time < next[first].time ||
		    (next[i].time == next[first].time && next[i].there > next[first].there))
			first = i;
	if (next[first].there)
		show[first](w);
	else
		judge_reach(w->judge, next[first].time);
	return next[first].there;
}

/* All that is certain now, in the order of time. */
static void watch_round(struct watch *w)
{
	watch_look(w);
	while (!stop_get(w->stop) && watch_show_next(w))
		;
	watch_tell(w);
}

/* How long after its stamp the last of the streams has a record for certain. */
static uint64_t watch_delay(const struct watch *w)
{
	return w->packets ? packetstream_delay() : EVENTSTREAM_DELAY;
}

/* Whether there is something that waits for other streams to be seen. */
static bool watch_waits(const struct watch *w)
{
	const struct selector *selector;

	return eventstream_waits(w->events) || (w->packets && packetstream_waits(w->packets)) ||
	       (w->readings && readings_peek(w->readings, &selector));
}

/* When there may be something to do without a new record. */
static uint64_t watch_due(const struct watch *w)
{
	uint64_t now = clock_boot(), due = judge_due(w->judge), delay = watch_delay(w);
	uint64_t wake = now + NS_PER_S;

	if (watch_waits(w))
		wake = now + EVENTSTREAM_DELAY;
	if (due < wake - delay)
		wake = due + delay + 1;
	if (w->readings && readings_due(w->readings) < wake)
		wake = readings_due(w->readings);
	/* what is due already waits for a stream: asking all the time does not bring it */
	return wake < now + LOOK_EVERY ? now + LOOK_EVERY : wake;
}

/* Until there is a record, the engine speaks, or something is due. The engine comes first, and is
 * left out once it has spoken its last word. */
static void watch_wait(const struct watch *w, const struct live *live, struct pollfd *fds, size_t n)
{
	uint64_t now = clock_boot(), due = watch_due(w), wait = due > now ? due - now : 0;
	struct timespec timeout = { wait / NS_PER_S, wait % NS_PER_S };

	fds[0] = (struct pollfd) { .fd = live->stopping ? -1 : live->engine, .events = POLLIN };
	ppoll(fds, n, &timeout, NULL);
	/* of a CPU that is not there, of an interface that is gone: it would be said for ever */
	for (size_t i = 1; i < n; i++)
		if (fds[i].revents & (POLLERR | POLLNVAL))
			fds[i].fd = -1;
}

/* The first is the engine's. */
static struct pollfd *watch_pollfds(const struct watch *w, size_t *n)
{
	size_t room = 2 + w->n_cpus + 2 * w->plan->n_selectors;
	struct pollfd *fds = calloc(room, sizeof(*fds));
	autofree int *taps = calloc(room, sizeof(*taps));

	*n = 1;
	if (!fds || !taps)
		return fds;
	for (unsigned cpu = 0; cpu < w->n_cpus; cpu++)
		fds[(*n)++] = (struct pollfd) { .fd = w->raw[cpu], .events = POLLIN };
	for (size_t i = w->packets ? packetstream_fds(w->packets, taps) : 0; i > 0; i--)
		fds[(*n)++] = (struct pollfd) { .fd = taps[i - 1], .events = POLLIN };
	if (w->readings)
		*n += readings_fds(w->readings, fds + *n);
	return fds;
}

static int watch_begin(struct watch *w, uint64_t start, struct err *e)
{
	uint64_t now = clock_boot();

	w->start = start;
	if (judge_begin(w->judge, start, w->restarted ? now : start, watch_fired, w, e) < 0)
		return e->code;
	judge_tell(w->judge);
	for (int stream = 0; w->restarted && stream < STREAMS; stream++)
		judge_hole(w->judge, stream, now);
	return eventstream_create(&w->events, &w->layout, w->n_cpus, watch_page, w, e);
}

static void watch_until_decided(struct watch *w, struct live *live)
{
	size_t n;
	autofree struct pollfd *fds = watch_pollfds(w, &n);

	while (fds && !stop_get(w->stop)) {
		watch_wait(w, live, fds, n);
		watch_round(w);
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
}

/* A successor goes on with what it still has. */
static int watch_open_streams(struct watch *w, struct live *live, struct err *e)
{
	struct selector **selectors = w->plan->selectors;
	size_t n = w->plan->n_selectors;

	for (int stream = STREAM_PACKETS; stream <= STREAM_READINGS; stream++) {
		struct err one = ERR_INIT;

		if ((stream == STREAM_PACKETS
			     ? packetstream_open(&w->packets, selectors, n, &one)
			     : readings_open(&w->readings, selectors, n, &one)) == 0)
			continue;
		*e = one;
		if (!w->restarted)
			return e->code;
		live_say(live, "%s: conditions see nothing of it any more", one.text);
	}
	return 0;
}

int watch_main(void *arg, int engine, struct err *e)
{
	struct watch *w = arg;
	struct live live = { .engine = engine, .stop = w->stop };

	if (watch_open_streams(w, &live, e) < 0)
		return e->code;
	if (live_armed(&live, SANDBOX_HELD, e) < 0)
		return e->code == 0 ? -ECANCELED : e->code;
	if (watch_begin(w, live.since, e) < 0)
		return e->code;
	watch_until_decided(w, &live);
	message_send(engine, MESSAGE_HIT, "");
	while (clock_boot() < stop_cut(w->stop) && !live.stopping)
		live_wait(&live, -1, stop_cut(w->stop));
	if (w->tracing_on >= 0 && pwrite(w->tracing_on, "0", 1, 0) != 1)
		return err_sys(e, "cannot turn the watch instance off");
	return switches_off(w->switches, w->n_switches, e);
}
