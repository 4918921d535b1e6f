#include <errno.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/units.h"
#include "packet/stampclock.h"
#include "packet/tap.h"
#include "source/live.h"
#include "source/packets.h"

#define BATCH 4096             /* packets between two looks at the engine */
#define IDLE (200 * NS_PER_MS) /* at least so often "seen until" moves on */
#define EVICT_SLACK NS_PER_S   /* a window of time: what a late decision may still want */
#define KNOWN_MAX 256          /* interfaces whose names are written down */

/* The kernel hands over a block of packets when it is this old. A packet is here for certain after
 * two ticks of that timer; the rest is a margin. */
#define BLOCK_MS 20
#define BLOCK_DELAY (50 * NS_PER_MS)

/* A tap, and what is known of the packets that came. */
struct recorder {
	struct tap tap;
	const struct packets *packets;
	struct live *live;
	struct stats *stats;
	struct ring_counters *counters;
	int names;
	uint32_t known[KNOWN_MAX];
	size_t n_known;
	uint64_t started;
	uint64_t end; /* once it is to stop: up to here packets count */
	struct stampclock clock;
	uint32_t dropped; /* as the kernel counts, when last asked */
	uint64_t asked;
};

static void auto_recorder(struct recorder *r)
{
	tap_close(&r->tap);
	auto_close(&r->names);
}

static int recorder_open(struct recorder *r, struct err *e)
{
	const struct tap_request rq = {
		.interface = r->packets->interface,
		.filter = r->packets->filter,
		.snaplen = r->packets->snaplen,
		.block_ms = BLOCK_MS,
		.buffer = PACKETS_KERNEL_RING,
	};

	r->names = packets_names_open(r->live->statedir, r->packets->names_file, e);
	if (r->names < 0 || tap_open(&r->tap, &rq, e) < 0)
		return e->code;
	return packets_names_link(r->names, pcap_datalink(r->tap.pcap), e);
}

static bool index_is_known(const struct recorder *r, uint32_t index)
{
	for (size_t i = 0; i < r->n_known; i++)
		if (r->known[i] == index)
			return true;
	return false;
}

/* An interface that came after the start has to be asked for while it is there. */
static void recorder_note_index(struct recorder *r, uint32_t index)
{
	struct ifreq request = { .ifr_ifindex = (int)index };

	if (index_is_known(r, index) || r->n_known == KNOWN_MAX)
		return;
	r->known[r->n_known++] = index;
	if (ioctl(pcap_fileno(r->tap.pcap), SIOCGIFNAME, &request) == 0)
		packets_names_add(r->names, index, request.ifr_name);
}

/* Once for each batch, which is more often than a clock can drift by a microsecond. */
static void recorder_set_clock(struct recorder *r)
{
	struct anchor now = anchor_take();
	int64_t step = stampclock_set(&r->clock, &now);

	if (step)
		live_say(r->live, "the wall clock was set by %lld us", (long long)step / 1000);
}

static void recorder_packet(u_char *arg, const struct pcap_pkthdr *head, const u_char *data)
{
	struct recorder *r = (struct recorder *)arg;
	/* the handle has nanosecond precision, whatever the field is called */
	uint64_t wall_ns = head->ts.tv_sec * NS_PER_S + head->ts.tv_usec;
	uint64_t boot =
		stampclock_boot(&r->clock, wall_ns, r->clock.stepped ? clock_boot() : UINT64_MAX);
	struct ring_record record = { .time = boot, .aux = head->len };
	struct iovec iov = { (void *)data, head->caplen };

	if (boot < r->started || boot > stop_cut(r->live->stop))
		return;
	record.kind = tap_packet_index(&r->tap, head, data);
	recorder_note_index(r, record.kind);
	if (ring_push(r->packets->ring, &record, &iov, 1) < 0) {
		r->counters->lost++;
		return;
	}
	r->stats->records++;
	r->stats->bytes += head->caplen;
	r->stats->last = boot;
}

/* Returns 1 if all that the kernel had is here, 0 if there is more, or -errno. */
static int recorder_read(struct recorder *r, struct err *e)
{
	int n = pcap_dispatch(r->tap.pcap, BATCH, recorder_packet, (u_char *)r);

	if (n < 0)
		return tap_error(&r->tap, e);
	if (n < BATCH)
		stampclock_caught_up(&r->clock);
	return n < BATCH;
}

/* What the kernel had no room for, somewhere between the last time it was asked and now. */
static void recorder_ask_drops(struct recorder *r, uint64_t now)
{
	struct ring_counters *c = r->counters;
	struct pcap_stat stat;
	uint32_t more;

	/* losses behind the cut are nobody's */
	if (r->asked > stop_cut(r->live->stop) || pcap_stats(r->tap.pcap, &stat) < 0)
		return;
	more = stat.ps_drop - r->dropped;
	if (more && r->asked) {
		if (!c->lost)
			c->lost_since = r->asked;
		c->lost_until = now;
		c->lost += more;
	}
	r->dropped = stat.ps_drop;
	r->asked = now;
}

static void recorder_evict(const struct recorder *r, uint64_t now)
{
	uint64_t cut = stop_cut(r->live->stop);
	uint64_t window = r->packets->keep_ns + EVICT_SLACK, end = now < cut ? now : cut;

	if (r->packets->keep_ns && end > window)
		ring_evict_before(r->packets->ring, end - window);
}

static int recorder_turn(struct recorder *r, struct err *e)
{
	uint64_t now = clock_boot(), seen;
	int all;

	recorder_set_clock(r);
	all = recorder_read(r, e);
	if (all < 0)
		return all;
	recorder_ask_drops(r, now);
	recorder_evict(r, now);
	seen = (all ? now : r->clock.newest) - BLOCK_DELAY;
	if (seen > r->counters->seen_until)
		r->counters->seen_until = seen;
	r->stats->lost = r->counters->lost;
	r->stats->overwritten = r->counters->overwritten;
	return 0;
}

/* True when all up to the cut is here; without a decision, all up to the moment at which the engine
 * was gone. */
static bool recorder_is_done(struct recorder *r)
{
	uint64_t cut;

	if (!r->live->stopping)
		return false;
	if (!r->end) {
		cut = stop_cut(r->live->stop);
		r->end = cut == UINT64_MAX ? clock_boot() : cut;
	}
	return r->counters->seen_until >= r->end;
}

/* What came before the start is still in the kernel's ring and goes by its stamps; what it lost
 * then does not count. */
static void recorder_start(struct recorder *r)
{
	r->started = r->live->since;
	r->counters->seen_since = r->started;
	recorder_ask_drops(r, r->started);
}

static int recorder_run(struct recorder *r, struct err *e)
{
	recorder_start(r);
	while (!recorder_is_done(r)) {
		if (recorder_turn(r, e) < 0)
			return e->code;
		live_wait(r->live, r->tap.fd,
			  clock_boot() + (r->live->stopping ? BLOCK_MS * NS_PER_MS : IDLE));
	}
	return 0;
}

int packets_live(struct source *s, struct live *live, struct err *e)
{
	const struct packets *packets = s->data;
	__attribute__((cleanup(auto_recorder))) struct recorder recorder = {
		.packets = packets,
		.live = live,
		.stats = s->stats,
		.counters = ring_counters(packets->ring),
		.names = -1,
	};
	int r;

	if (recorder_open(&recorder, e) < 0)
		return e->code;
	r = live_armed(live, SANDBOX_HELD, e);
	if (r < 0)
		return r == -ECANCELED ? 0 : r;
	return recorder_run(&recorder, e);
}
