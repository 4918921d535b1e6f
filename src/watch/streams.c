#include "watch/streams.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/units.h"
#include "source/watched.h"
#include "trace/eventstream.h"
#include "watch/packetstream.h"
#include "watch/readings.h"

#define LOOK_EVERY (NS_PER_MS / 2)

struct streams {
	const struct plan *plan;
	const struct streams_ring *ring;
	struct judge *judge;
	struct testqueue *queue; /* to the judge */
	struct eventstream *events;
	struct packetstream *packets; /* NULL if no condition looks for any */
	struct readings *readings;    /* the same */
	struct pollfd *cpus;          /* the first of those that poll looks at */
};

static enum page streams_page(void *arg, unsigned cpu, void *page)
{
	const struct streams_ring *ring = arg;

	if (ring->cpus[cpu] < 0)
		return PAGE_END;
	return read(ring->cpus[cpu], page, ring->layout->page_size) > 0 ? PAGE_READ : PAGE_NONE;
}

int streams_open(struct streams **ret, const struct plan *plan, const struct streams_ring *ring,
		 struct judge *judge, struct luatest *tests, enum follow follow, struct err *e)
{
	struct streams *s = calloc(1, sizeof(*s));
	struct err packets = ERR_INIT;

	if (!s)
		return err_set(e, "no memory");
	*s = (struct streams) { .plan = plan, .ring = ring, .judge = judge };
	if (eventstream_create(&s->events, ring->layout, ring->n_cpus, streams_page, (void *)ring,
			       e) < 0 ||
	    testqueue_create(&s->queue, judge, tests, ring->comms, e) < 0) {
		streams_close(s);
		return e->code;
	}
	*ret = s;
	readings_open(&s->readings, plan, follow, e);
	if (packetstream_open(&s->packets, plan->selectors, plan->n_selectors, &packets) < 0)
		*e = packets;
	return e->code;
}

void streams_close(struct streams *s)
{
	if (!s)
		return;
	eventstream_free(s->events);
	packetstream_close(s->packets);
	readings_close(s->readings);
	testqueue_free(s->queue);
	free(s);
}

size_t streams_fds_max(const struct streams *s)
{
	return s->ring->n_cpus + 2 * s->plan->n_selectors + 1;
}

size_t streams_fds(struct streams *s, struct pollfd *fds)
{
	size_t n = 0;

	s->cpus = fds;
	for (unsigned cpu = 0; cpu < s->ring->n_cpus; cpu++)
		fds[n++] = (struct pollfd) { .fd = s->ring->cpus[cpu], .events = POLLIN };
	if (s->packets)
		n += packetstream_fds(s->packets, fds + n);
	if (s->readings)
		n += readings_fds(s->readings, fds + n);
	return n;
}

/* Before what comes behind it is shown. */
static void streams_note_loss(struct streams *s)
{
	uint64_t lost;

	if (!eventstream_missed(s->events, &lost))
		return;
	judge_hole(s->judge, STREAM_EVENTS, lost);
	watched_lost(s->plan->watched[STREAM_EVENTS], lost);
}

/* A CPU that is possible and not there says so for ever. */
static void streams_leave_absent(struct streams *s)
{
	for (unsigned cpu = 0; s->cpus && cpu < s->ring->n_cpus; cpu++)
		if (s->cpus[cpu].revents & (POLLERR | POLLNVAL))
			s->cpus[cpu].fd = -1;
}

static void streams_look(struct streams *s, uint64_t since)
{
	uint64_t now = clock_boot();

	streams_leave_absent(s);
	eventstream_look(s->events, now);
	streams_note_loss(s);
	if (s->packets)
		packetstream_look(s->packets, now, since);
	if (s->packets && packetstream_missed(s->packets)) {
		judge_hole(s->judge, STREAM_PACKETS, now);
		watched_lost(s->plan->watched[STREAM_PACKETS], now);
	}
	if (s->readings)
		readings_look(s->readings, now);
	if (s->readings && readings_missed(s->readings)) {
		judge_hole(s->judge, STREAM_READINGS, now);
		watched_lost(s->plan->watched[STREAM_READINGS], now);
	}
}

/* What a stream has next; without one, the time before which it will have none. */
struct next {
	uint64_t time;
	bool there;
};

static struct next next_event(struct streams *s)
{
	unsigned cpu;
	const struct ringpage_record *record = eventstream_peek(s->events, &cpu);

	return (struct next) { record ? record->time : eventstream_seen(s->events), record };
}

static struct next next_packet(struct streams *s)
{
	const struct selector *selector;
	const struct observation *packet;

	if (!s->packets)
		return (struct next) { .time = UINT64_MAX };
	packet = packetstream_peek(s->packets, &selector);
	return (struct next) { packet ? packet->time : packetstream_seen(s->packets), packet };
}

static struct next next_reading(struct streams *s)
{
	const struct selector *selector;

	if (!s->readings)
		return (struct next) { .time = UINT64_MAX };
	return (struct next) { readings_seen(s->readings), readings_peek(s->readings, &selector) };
}

static void show_event(struct streams *s)
{
	unsigned cpu;
	const struct ringpage_record *record = eventstream_peek(s->events, &cpu);

	watched_keep(s->plan->watched[STREAM_EVENTS],
		     &(struct observation) {
			     .time = record->time, .data = record->data, .size = record->size },
		     cpu);
	watchlist_show(s->ring->list, s->queue, cpu, record);
	eventstream_take(s->events);
	streams_note_loss(s);
}

static void show_packet(struct streams *s)
{
	const struct selector *selector;
	const struct observation *packet = packetstream_peek(s->packets, &selector);

	watched_keep(s->plan->watched[STREAM_PACKETS], packet, selector->number);
	testqueue_see(s->queue, selector, packet);
	packetstream_take(s->packets);
}

static void show_reading(struct streams *s)
{
	const struct selector *selector;
	const struct observation *reading = readings_peek(s->readings, &selector);

	watched_keep(s->plan->watched[STREAM_READINGS], reading, selector->number);
	testqueue_see(s->queue, selector, reading);
	readings_take(s->readings);
}

/* Shows the oldest of what all streams have, if no stream can have an older one yet. */
static bool streams_show_next(struct streams *s)
{
	static void (*const show[])(struct streams *) = {
		[STREAM_EVENTS] = show_event,
		[STREAM_PACKETS] = show_packet,
		[STREAM_READINGS] = show_reading,
	};
	const struct next next[STREAMS] = {
		[STREAM_EVENTS] = next_event(s),
		[STREAM_PACKETS] = next_packet(s),
		[STREAM_READINGS] = next_reading(s),
	};
	int first = 0;

	for (int i = 1; i < STREAMS; i++)
		if (next[i].time < next[first].time ||
		    (next[i].time == next[first].time && next[i].there > next[first].there))
			first = i;
	for (int stream = 0; stream < STREAMS; stream++)
		watched_reach(s->plan->watched[stream], next[first].time);
	if (next[first].there)
		show[first](s);
	else
		testqueue_reach(s->queue, next[first].time);
	return next[first].there;
}

/* Whether there is something that waits for other streams to be seen. */
static bool streams_wait(const struct streams *s)
{
	const struct selector *selector;

	return eventstream_waits(s->events) || (s->packets && packetstream_waits(s->packets)) ||
	       (s->readings && readings_peek(s->readings, &selector));
}

bool streams_show(struct streams *s, uint64_t since, const struct stop_page *stop)
{
	bool any = false;

	streams_look(s, since);
	while (!stop_get(stop) && streams_show_next(s))
		any = true;
	return any || streams_wait(s);
}

const char *streams_fault(const struct streams *s)
{
	return s->readings ? readings_fault(s->readings) : NULL;
}

uint64_t streams_wake(const struct streams *s, uint64_t due)
{
	/* how long after its stamp the last of them has a record for certain */
	uint64_t delay = s->packets ? packetstream_delay() : EVENTSTREAM_DELAY;
	uint64_t now = clock_boot(), wake = now + NS_PER_S;

	if (streams_wait(s))
		wake = now + EVENTSTREAM_DELAY;
	if (due < wake - delay)
		wake = due + delay + 1;
	if (s->readings && readings_due(s->readings) < wake)
		wake = readings_due(s->readings);
	/* what is due already waits for a stream: asking all the time does not bring it */
	return wake < now + LOOK_EVERY ? now + LOOK_EVERY : wake;
}
