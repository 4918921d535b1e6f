#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "auto.h"
#include "clock.h"
#include "live.h"
#include "packetprogram.h"
#include "source/packets.h"
#include "stampclock.h"
#include "units.h"

#define BATCH 4096             /* packets between two looks at the engine */
#define IDLE (200 * NS_PER_MS) /* at least so often "seen until" moves on */
#define EVICT_SLACK NS_PER_S   /* a window of time: what a late decision may still want */
#define KNOWN_MAX 256          /* interfaces whose names are written down */

/* The kernel hands over a block of packets when it is this old. A packet is here for certain after
 * two ticks of that timer; the rest is a margin. */
#define BLOCK_MS 20
#define BLOCK_DELAY (50 * NS_PER_MS)

/* libpcap's head of packets from `any`, with the interface's index at 4. */
#define COOKED_HEAD 20

/* The packet socket, and what is known of the packets that came. */
struct tap {
	const struct packets *packets;
	struct live *live;
	struct stats *stats;
	struct ring_counters *counters;
	pcap_t *pcap;
	int fd; /* to wait for */
	int names;
	bool cooked;
	uint32_t index; /* of the interface if it is one */
	uint32_t known[KNOWN_MAX];
	size_t n_known;
	uint64_t started;
	uint64_t end; /* once it is to stop: up to here packets count */
	struct stampclock clock;
	uint32_t dropped; /* as the kernel counts, when last asked */
	uint64_t asked;
};

static void auto_tap(struct tap *tap)
{
	if (tap->pcap)
		pcap_close(tap->pcap);
	auto_close(&tap->names);
}

static int tap_error(const struct tap *tap, struct err *e)
{
	return err_set(e, "packets of '%s': %s", tap->packets->interface, pcap_geterr(tap->pcap));
}

/* Never immediate mode: it gives up the blocks of TPACKET_V3 and loses packets at rates that these
 * take. */
static int tap_activate(struct tap *tap, struct err *e)
{
	char error[PCAP_ERRBUF_SIZE] = "";
	pcap_t *pcap = tap->pcap = pcap_create(tap->packets->interface, error);

	if (!pcap)
		return err_set(e, "packets of '%s': %s", tap->packets->interface, error);
	if (pcap_set_snaplen(pcap, tap->packets->snaplen) || pcap_set_promisc(pcap, 0) ||
	    pcap_set_timeout(pcap, BLOCK_MS) || pcap_set_buffer_size(pcap, PACKETS_KERNEL_RING) ||
	    pcap_set_tstamp_precision(pcap, PCAP_TSTAMP_PRECISION_NANO) || pcap_activate(pcap) < 0)
		return tap_error(tap, e);
	if (pcap_setnonblock(pcap, 1, error) < 0)
		return err_set(e, "packets of '%s': %s", tap->packets->interface, error);
	return 0;
}

static int tap_link(struct tap *tap, struct err *e)
{
	if (!strcmp(tap->packets->interface, PACKETS_ANY)) {
		/* the one form that names each packet's interface */
		if (pcap_set_datalink(tap->pcap, DLT_LINUX_SLL2) < 0)
			return tap_error(tap, e);
		tap->cooked = true;
	}
	tap->index = if_nametoindex(tap->packets->interface);
	return packets_names_link(tap->names, pcap_datalink(tap->pcap), e);
}

/* With Ethernet the kernel alone filters. libpcap would run the program once more, over what was in
 * the ring when it was attached and over the first block after that, without what only the kernel
 * knows ("inbound"). Packets from before the filter go by their stamps. */
static int tap_attach(struct tap *tap, struct bpf_program *program, struct err *e)
{
	struct sock_fprog code = { program->bf_len, (struct sock_filter *)program->bf_insns };
	int fd = pcap_fileno(tap->pcap);

	if (pcap_datalink(tap->pcap) != DLT_EN10MB)
		return pcap_setfilter(tap->pcap, program) < 0 ? tap_error(tap, e) : 0;
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &code, sizeof(code)) < 0)
		return err_sys(e, "cannot filter packets of '%s'", tap->packets->interface);
	return 0;
}

/* Locked afterwards: whoever takes this process over cannot listen to more than the plan says. */
static int tap_filter(struct tap *tap, struct err *e)
{
	autofree char *filter = packets_filter_for(tap->packets, pcap_datalink(tap->pcap));
	struct bpf_program program = { 0 };
	const int on = 1;
	int r;

	if (!filter)
		return err_sys(e, "cannot compile the filter");
	if (!*filter)
		return 0;
	if (packetprogram_compile(&program, tap->pcap, filter, e) < 0)
		return err_wrap(e, "filter '%s'", tap->packets->filter);
	r = tap_attach(tap, &program, e);
	packetprogram_free(&program);
	setsockopt(pcap_fileno(tap->pcap), SOL_SOCKET, SO_LOCK_FILTER, &on, sizeof(on));
	return r;
}

static int tap_open(struct tap *tap, struct err *e)
{
	tap->names = packets_names_open(tap->live->statedir, tap->packets->names_file, e);
	if (tap->names < 0)
		return e->code;
	if (tap_activate(tap, e) < 0 || tap_link(tap, e) < 0 || tap_filter(tap, e) < 0)
		return e->code;
	tap->fd = pcap_get_selectable_fd(tap->pcap);
	return tap->fd < 0 ? tap_error(tap, e) : 0;
}

static bool index_is_known(const struct tap *tap, uint32_t index)
{
	for (size_t i = 0; i < tap->n_known; i++)
		if (tap->known[i] == index)
			return true;
	return false;
}

/* An interface that came after the start has to be asked for while it is there. */
static void tap_note_index(struct tap *tap, uint32_t index)
{
	struct ifreq request = { .ifr_ifindex = (int)index };

	if (index_is_known(tap, index) || tap->n_known == KNOWN_MAX)
		return;
	tap->known[tap->n_known++] = index;
	if (ioctl(pcap_fileno(tap->pcap), SIOCGIFNAME, &request) == 0)
		packets_names_add(tap->names, index, request.ifr_name);
}

/* Once for each batch, which is more often than a clock can drift by a microsecond. */
static void tap_set_clock(struct tap *tap)
{
	struct anchor now = anchor_take();
	int64_t step = stampclock_set(&tap->clock, &now);

	if (step)
		live_say(tap->live, "the wall clock was set by %lld us", (long long)step / 1000);
}

static uint32_t packet_index(const struct tap *tap, const struct pcap_pkthdr *head,
			     const u_char *data)
{
	uint32_t index;

	if (!tap->cooked || head->caplen < COOKED_HEAD)
		return tap->index;
	memcpy(&index, data + 4, sizeof(index));
	return ntohl(index);
}

static void tap_packet(u_char *arg, const struct pcap_pkthdr *head, const u_char *data)
{
	struct tap *tap = (struct tap *)arg;
	/* the handle has nanosecond precision, whatever the field is called */
	uint64_t wall_ns = head->ts.tv_sec * NS_PER_S + head->ts.tv_usec;
	uint64_t boot = stampclock_boot(&tap->clock, wall_ns,
					tap->clock.stepped ? clock_boot() : UINT64_MAX);
	struct ring_record record = { .time = boot, .aux = head->len };
	struct iovec iov = { (void *)data, head->caplen };

	if (boot < tap->started || boot > stop_cut(tap->live->stop))
		return;
	record.kind = packet_index(tap, head, data);
	tap_note_index(tap, record.kind);
	if (ring_push(tap->packets->ring, &record, &iov, 1) < 0) {
		tap->counters->lost++;
		return;
	}
	tap->stats->records++;
	tap->stats->bytes += head->caplen;
	tap->stats->last = boot;
}

/* Returns 1 if all that the kernel had is here, 0 if there is more, or -errno. */
static int tap_read(struct tap *tap, struct err *e)
{
	int n = pcap_dispatch(tap->pcap, BATCH, tap_packet, (u_char *)tap);

	if (n < 0)
		return tap_error(tap, e);
	if (n < BATCH)
		stampclock_caught_up(&tap->clock);
	return n < BATCH;
}

/* What the kernel had no room for, somewhere between the last time it was asked and now. */
static void tap_ask_drops(struct tap *tap, uint64_t now)
{
	struct ring_counters *c = tap->counters;
	struct pcap_stat stat;
	uint32_t more;

	/* losses behind the cut are nobody's */
	if (tap->asked > stop_cut(tap->live->stop) || pcap_stats(tap->pcap, &stat) < 0)
		return;
	more = stat.ps_drop - tap->dropped;
	if (more && tap->asked) {
		if (!c->lost)
			c->lost_since = tap->asked;
		c->lost_until = now;
		c->lost += more;
	}
	tap->dropped = stat.ps_drop;
	tap->asked = now;
}

static void tap_evict(const struct tap *tap, uint64_t now)
{
	uint64_t cut = stop_cut(tap->live->stop);
	uint64_t window = tap->packets->keep_ns + EVICT_SLACK, end = now < cut ? now : cut;

	if (tap->packets->keep_ns && end > window)
		ring_evict_before(tap->packets->ring, end - window);
}

static int tap_turn(struct tap *tap, struct err *e)
{
	uint64_t now = clock_boot(), seen;
	int all;

	tap_set_clock(tap);
	all = tap_read(tap, e);
	if (all < 0)
		return all;
	tap_ask_drops(tap, now);
	tap_evict(tap, now);
	seen = (all ? now : tap->clock.newest) - BLOCK_DELAY;
	if (seen > tap->counters->seen_until)
		tap->counters->seen_until = seen;
	tap->stats->lost = tap->counters->lost;
	tap->stats->overwritten = tap->counters->overwritten;
	return 0;
}

/* True when all up to the cut is here; without a decision, all up to the moment at which the engine
 * was gone. */
static bool tap_is_done(struct tap *tap)
{
	uint64_t cut;

	if (!tap->live->stopping)
		return false;
	if (!tap->end) {
		cut = stop_cut(tap->live->stop);
		tap->end = cut == UINT64_MAX ? clock_boot() : cut;
	}
	return tap->counters->seen_until >= tap->end;
}

/* What came before the start is still in the kernel's ring and goes by its stamps; what it lost
 * then does not count. */
static void tap_start(struct tap *tap)
{
	tap->started = tap->live->since;
	tap->counters->seen_since = tap->started;
	tap_ask_drops(tap, tap->started);
}

static int tap_run(struct tap *tap, struct err *e)
{
	tap_start(tap);
	while (!tap_is_done(tap)) {
		if (tap_turn(tap, e) < 0)
			return e->code;
		live_wait(tap->live, tap->fd,
			  clock_boot() + (tap->live->stopping ? BLOCK_MS * NS_PER_MS : IDLE));
	}
	return 0;
}

int packets_live(struct source *s, struct live *live, struct err *e)
{
	const struct packets *packets = s->data;
	__attribute__((cleanup(auto_tap))) struct tap tap = {
		.packets = packets,
		.live = live,
		.stats = s->stats,
		.counters = ring_counters(packets->ring),
		.names = -1,
	};
	int r;

	if (tap_open(&tap, e) < 0)
		return e->code;
	r = live_armed(live, SANDBOX_HELD, e);
	if (r < 0)
		return r == -ECANCELED ? 0 : r;
	return tap_run(&tap, e);
}
