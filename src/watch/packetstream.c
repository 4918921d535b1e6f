#include "watch/packetstream.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "base/units.h"
#include "packet/stampclock.h"
#include "packet/tap.h"
#include "selector/packet.h"
#include "source/watched.h"

#define BLOCK_MS 1 /* the kernel hands over packets at the latest after this, or twice as long */
#define QUEUE_MAX 4096 /* packets that wait for other streams */

/* One selector's packets. */
struct lane {
	const struct selector *selector;
	struct tap tap;
	struct pollfd *polled; /* NULL: nobody waits */
	struct stampclock clock;
	uint32_t snaplen;
	struct observation *queue; /* the data of the i-th is at bytes + i * snaplen */
	uint8_t *bytes;
	size_t head, n; /* taken, and there */
	uint64_t seen;  /* without more in the queue: none of before this will come */
	uint64_t since; /* the filter was there */
	bool looked;
	bool late;        /* one came that was no longer expected */
	uint32_t dropped; /* as the kernel counts */
};

struct packetstream {
	struct lane *lanes;
	size_t n;
	struct lane *current;
	bool missed;
};

/* Two turns of the timer that hands blocks over, and a margin. Before 6.18 it counts in ticks. */
uint64_t packetstream_delay(void)
{
	static uint64_t delay;
	struct utsname uts;
	struct timespec tick;
	unsigned major = 0, minor = 0;

	if (delay)
		return delay;
	uname(&uts);
	sscanf(uts.release, "%u.%u", &major, &minor);
	delay = 4 * NS_PER_MS;
	if (major * 1000 + minor < 6018 && clock_getres(CLOCK_MONOTONIC_COARSE, &tick) == 0)
		delay = 2 * (uint64_t)tick.tv_nsec + 2 * NS_PER_MS;
	return delay;
}

static int lane_open(struct lane *lane, const struct selector *selector, struct err *e)
{
	const struct packet_selector *packet = selector->data;
	const struct tap_request rq = {
		.interface = packet->interface,
		.filter = packet->filter,
		.snaplen = packet->snaplen,
		.block_ms = BLOCK_MS,
		.buffer = WATCHED_TAP_BUFFER,
	};

	lane->selector = selector;
	lane->snaplen = packet->snaplen;
	lane->queue = calloc(QUEUE_MAX, sizeof(*lane->queue));
	lane->bytes = malloc((size_t)QUEUE_MAX * lane->snaplen);
	if (!lane->queue || !lane->bytes)
		return err_set(e, "no memory for packets");
	if (tap_open(&lane->tap, &rq, e) < 0)
		return e->code;
	lane->since = clock_boot();
	return 0;
}

int packetstream_open(struct packetstream **ret, struct selector *const *selectors, size_t n,
		      struct err *e)
{
	struct packetstream *s = calloc(1, sizeof(*s));

	if (!s || !(s->lanes = calloc(n + 1, sizeof(*s->lanes)))) {
		free(s);
		return err_set(e, "no memory");
	}
	packetstream_delay(); /* the sandbox lets nobody ask what kernel this is */
	for (size_t i = 0; i < n; i++) {
		if (selectors[i]->ops->stream != STREAM_PACKETS)
			continue;
		if (lane_open(&s->lanes[s->n++], selectors[i], e) < 0) {
			packetstream_close(s);
			return err_wrap(e, "%s", selectors[i]->at);
		}
	}
	if (s->n)
		*ret = s;
	else
		packetstream_close(s);
	return 0;
}

void packetstream_close(struct packetstream *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++) {
		tap_close(&s->lanes[i].tap);
		free(s->lanes[i].queue);
		free(s->lanes[i].bytes);
	}
	free(s->lanes);
	free(s);
}

size_t packetstream_fds(struct packetstream *s, struct pollfd *fds)
{
	for (size_t i = 0; i < s->n; i++) {
		fds[i] = (struct pollfd) { .fd = s->lanes[i].tap.fd, .events = POLLIN };
		s->lanes[i].polled = &fds[i];
	}
	return s->n;
}

static void lane_packet(u_char *arg, const struct pcap_pkthdr *head, const u_char *data)
{
	struct lane *lane = (struct lane *)arg;
	/* the handle has nanosecond precision, whatever the field is called */
	uint64_t wall_ns = head->ts.tv_sec * NS_PER_S + head->ts.tv_usec;
	uint8_t *copy = lane->bytes + lane->n * lane->snaplen;
	struct observation *o = &lane->queue[lane->n];

	*o = (struct observation) { .cpu = UINT32_MAX, .pid = -1, .data = copy };
	o->time = stampclock_boot(&lane->clock, wall_ns,
				  lane->clock.stepped ? clock_boot() : UINT64_MAX);
	o->size = head->caplen < lane->snaplen ? head->caplen : lane->snaplen;
	o->length = head->len;
	o->link = pcap_datalink(lane->tap.pcap);
	if (o->time < lane->since)
		return;
	lane->late |= o->time < lane->seen;
	memcpy(copy, data, o->size);
	lane->n++;
}

static void lane_make_room(struct lane *lane)
{
	size_t left = lane->n - lane->head;

	if (lane->head == 0)
		return;
	memmove(lane->bytes, lane->bytes + lane->head * lane->snaplen, left * lane->snaplen);
	memmove(lane->queue, lane->queue + lane->head, left * sizeof(*lane->queue));
	for (size_t i = 0; i < left; i++)
		lane->queue[i].data = lane->bytes + i * lane->snaplen;
	lane->head = 0;
	lane->n = left;
}

/* How many the kernel had no room for since the last time. */
static bool lane_dropped(struct lane *lane)
{
	struct pcap_stat stat;
	uint32_t before = lane->dropped;
	bool looked = lane->looked;

	if (pcap_stats(lane->tap.pcap, &stat) < 0)
		return false;
	lane->dropped = stat.ps_drop;
	lane->looked = true;
	return looked && lane->dropped != before; /* what came before the start does not count */
}

static void lane_look(struct packetstream *s, struct lane *lane, uint64_t now)
{
	struct anchor anchor = anchor_take();
	size_t room;
	int n;

	lane_make_room(lane);
	room = QUEUE_MAX - lane->n;
	if (!room)
		return;
	stampclock_set(&lane->clock, &anchor);
	n = pcap_dispatch(lane->tap.pcap, room, lane_packet, (u_char *)lane);
	s->missed |= lane_dropped(lane) | lane->late;
	lane->late = false;
	s->missed |= n < 0;
	if (n < 0 && lane->polled)
		lane->polled->fd = -1; /* the interface is gone: the others go on */
	if (n < 0 || (size_t)n < room) {
		stampclock_caught_up(&lane->clock);
		lane->seen = now - packetstream_delay();
	} else if (lane->n) {
		lane->seen = lane->queue[lane->n - 1].time;
	}
}

void packetstream_look(struct packetstream *s, uint64_t now, uint64_t since)
{
	for (size_t i = 0; i < s->n; i++) {
		if (s->lanes[i].since < since)
			s->lanes[i].since = since;
		lane_look(s, &s->lanes[i], now);
	}
}

static bool lane_has(const struct lane *lane)
{
	return lane->head < lane->n;
}

static uint64_t lane_limit(const struct lane *lane)
{
	return lane_has(lane) ? lane->queue[lane->head].time : lane->seen;
}

const struct observation *packetstream_peek(struct packetstream *s,
					    const struct selector **selector)
{
	s->current = NULL;
	for (size_t i = 0; i < s->n; i++)
		if (lane_has(&s->lanes[i]) &&
		    (!s->current || lane_limit(&s->lanes[i]) < lane_limit(s->current)))
			s->current = &s->lanes[i];
	for (size_t i = 0; s->current && i < s->n; i++)
		if (!lane_has(&s->lanes[i]) && s->lanes[i].seen < lane_limit(s->current))
			s->current = NULL;
	if (!s->current)
		return NULL;
	*selector = s->current->selector;
	return &s->current->queue[s->current->head];
}

void packetstream_take(struct packetstream *s)
{
	s->current->head++;
}

uint64_t packetstream_seen(const struct packetstream *s)
{
	uint64_t seen = UINT64_MAX;

	for (size_t i = 0; i < s->n; i++)
		if (lane_limit(&s->lanes[i]) < seen)
			seen = lane_limit(&s->lanes[i]);
	return seen;
}

bool packetstream_waits(const struct packetstream *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (lane_has(&s->lanes[i]))
			return true;
	return false;
}

bool packetstream_missed(struct packetstream *s)
{
	bool missed = s->missed;

	s->missed = false;
	return missed;
}
