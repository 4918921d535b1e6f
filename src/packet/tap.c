#include "packet/tap.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "base/units.h"
#include "packet/packetfilter.h"
#include "packet/packetprogram.h"

#define LINKTYPE_RAW 101 /* in files; libpcap's DLT_RAW is another number */

/* libpcap's head of packets from `any`, with the interface's index at 4. */
#define COOKED_HEAD 20

#define SNAPLEN 262144 /* what a filter is tried with: it does not depend on it */

int tap_error(const struct tap *tap, struct err *e)
{
	return err_set(e, "packets of '%s': %s", tap->interface, pcap_geterr(tap->pcap));
}

/* Never immediate mode: it gives up the blocks of TPACKET_V3 and loses packets at rates that these
 * take. */
static int tap_activate(struct tap *tap, const struct tap_request *rq, struct err *e)
{
	char error[PCAP_ERRBUF_SIZE] = "";
	pcap_t *pcap = tap->pcap = pcap_create(rq->interface, error);

	if (!pcap)
		return err_set(e, "packets of '%s': %s", rq->interface, error);
	if (pcap_set_snaplen(pcap, rq->snaplen) || pcap_set_promisc(pcap, 0) ||
	    pcap_set_timeout(pcap, rq->block_ms) || pcap_set_buffer_size(pcap, rq->buffer) ||
	    pcap_set_tstamp_precision(pcap, PCAP_TSTAMP_PRECISION_NANO) || pcap_activate(pcap) < 0)
		return tap_error(tap, e);
	if (pcap_setnonblock(pcap, 1, error) < 0)
		return err_set(e, "packets of '%s': %s", rq->interface, error);
	return 0;
}

static int tap_link(struct tap *tap, struct err *e)
{
	if (!strcmp(tap->interface, TAP_ANY)) {
		/* the one form that names each packet's interface */
		if (pcap_set_datalink(tap->pcap, DLT_LINUX_SLL2) < 0)
			return tap_error(tap, e);
		tap->cooked = true;
	}
	tap->index = if_nametoindex(tap->interface);
	return 0;
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
		return err_sys(e, "cannot filter packets of '%s'", tap->interface);
	return 0;
}

/* Locked afterwards: whoever takes this process over cannot listen to more than the plan says. */
static int tap_filter(struct tap *tap, const char *text, struct err *e)
{
	autofree char *filter = tap_filter_for(text, pcap_datalink(tap->pcap));
	struct bpf_program program = { 0 };
	const int on = 1;
	int r;

	if (!filter)
		return err_sys(e, "cannot compile the filter");
	if (!*filter)
		return 0;
	if (packetprogram_compile(&program, tap->pcap, filter, e) < 0)
		return err_wrap(e, "filter '%s'", text);
	r = tap_attach(tap, &program, e);
	packetprogram_free(&program);
	setsockopt(pcap_fileno(tap->pcap), SOL_SOCKET, SO_LOCK_FILTER, &on, sizeof(on));
	return r;
}

int tap_open(struct tap *tap, const struct tap_request *rq, struct err *e)
{
	*tap = (struct tap) { .interface = rq->interface, .fd = -1 };
	if (tap_activate(tap, rq, e) == 0 && tap_link(tap, e) == 0 &&
	    tap_filter(tap, rq->filter, e) == 0) {
		tap->fd = pcap_get_selectable_fd(tap->pcap);
		if (tap->fd >= 0)
			return 0;
		tap_error(tap, e);
	}
	tap_close(tap);
	return e->code;
}

void tap_close(struct tap *tap)
{
	if (tap->pcap)
		pcap_close(tap->pcap);
	tap->pcap = NULL;
}

uint32_t tap_packet_index(const struct tap *tap, const struct pcap_pkthdr *head,
			  const uint8_t *data)
{
	uint32_t index;

	if (!tap->cooked || head->caplen < COOKED_HEAD)
		return tap->index;
	memcpy(&index, data + 4, sizeof(index));
	return ntohl(index);
}

int tap_linktype(int link)
{
	return link == DLT_RAW ? LINKTYPE_RAW : link;
}

int tap_datalink(int linktype)
{
	return linktype == LINKTYPE_RAW ? DLT_RAW : linktype;
}

char *tap_filter_for(const char *filter, int link)
{
	return packetprogram_has_tags(link) ? packetfilter_tagged(filter) : strdup(filter);
}

static int interface_missing(const char *interface, struct err *e)
{
	struct if_nameindex *all = if_nameindex();
	const char *names[256], *nearest;
	size_t n = 0;

	for (; all && n < countof(names) && all[n].if_index; n++)
		names[n] = all[n].if_name;
	nearest = nearest_name(interface, names, n);
	err_set(e, "there is no interface '%s' here%s%s%s", interface,
		nearest ? ", did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
	if (all)
		if_freenameindex(all);
	return err_exit(e, EXIT_HOST);
}

/* The link type that libpcap will find, as far as filters tell them apart: tunnels have no
 * Ethernet. */
static int interface_link(const char *interface, int *link, struct err *e)
{
	/* no protocol: nothing is ever received */
	autoclose int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	struct ifreq request = { 0 };

	*link = DLT_LINUX_SLL2;
	if (fd < 0) {
		err_sys(e, "no packet sockets here");
		return err_exit(e, EXIT_HOST);
	}
	if (!strcmp(interface, TAP_ANY))
		return 0;
	if (!if_nametoindex(interface))
		return interface_missing(interface, e);
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	if (ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		return err_sys(e, "interface '%s'", interface);
	if (!(request.ifr_flags & IFF_UP)) {
		err_set(e, "the interface '%s' is down: packets cannot be taken from it",
			interface);
		return err_exit(e, EXIT_HOST);
	}
	if (ioctl(fd, SIOCGIFHWADDR, &request) < 0)
		return err_sys(e, "interface '%s'", interface);
	*link = request.ifr_hwaddr.sa_family == ARPHRD_ETHER ||
				request.ifr_hwaddr.sa_family == ARPHRD_LOOPBACK
			? DLT_EN10MB
			: DLT_RAW;
	return 0;
}

static int tap_try_filter(const char *text, int link, struct err *e)
{
	autofree char *filter = tap_filter_for(text, link);
	struct bpf_program program = { 0 };
	pcap_t *pcap;
	int r;

	if (!filter)
		return err_sys(e, "cannot compile the filter");
	if (!*filter)
		return 0;
	pcap = pcap_open_dead(link, SNAPLEN);
	if (!pcap)
		return err_sys(e, "cannot compile the filter");
	r = packetprogram_compile(&program, pcap, filter, e);
	packetprogram_free(&program);
	pcap_close(pcap);
	if (r == 0)
		return 0;
	err_wrap(e, "filter '%s'", text);
	return err_exit(e, EXIT_USAGE);
}

int tap_check(const char *interface, const char *filter, struct err *e)
{
	int link;

	if (interface_link(interface, &link, e) < 0)
		return e->code;
	return tap_try_filter(filter, link, e);
}

int tap_check_filter(const char *filter, struct err *e)
{
	if (tap_try_filter(filter, DLT_EN10MB, e) < 0)
		return e->code;
	return tap_try_filter(filter, DLT_LINUX_SLL2, e);
}
