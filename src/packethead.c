#include "packethead.h"

#include <netinet/in.h>
#include <pcap/pcap.h>

#define ETHER_IPV4 0x0800
#define ETHER_VLAN 0x8100
#define ETHER_QINQ 0x88a8
#define ETHER_IPV6 0x86dd

/* What is left of a packet. */
struct rest {
	const uint8_t *at;
	size_t n;
};

static unsigned rest_u16(const struct rest *r, size_t at)
{
	return r->n >= at + 2 ? r->at[at] << 8 | r->at[at + 1] : 0;
}

static bool rest_skip(struct rest *r, size_t n)
{
	if (n > r->n)
		return false;
	r->at += n;
	r->n -= n;
	return true;
}

static void head_transport(struct packethead *head, struct rest r)
{
	size_t size = 8;

	if ((head->protocol != IPPROTO_TCP && head->protocol != IPPROTO_UDP) || r.n < 4)
		return;
	head->has_ports = true;
	head->sport = rest_u16(&r, 0);
	head->dport = rest_u16(&r, 2);
	if (head->protocol == IPPROTO_TCP)
		size = r.n > 12 ? (r.at[12] >> 4) * 4u : 20;
	if (!rest_skip(&r, size))
		return;
	head->payload = r.at;
	head->payload_size = r.n;
}

static bool head_ipv4(struct packethead *head, struct rest r)
{
	size_t size = r.n ? (r.at[0] & 15) * 4u : 0, total = rest_u16(&r, 2);

	if (r.n < 20 || size < 20)
		return false;
	*head = (struct packethead) {
		.src = r.at + 12, .dst = r.at + 16, .address_size = 4, .protocol = r.at[9]
	};
	if (total >= size && total < r.n) /* Ethernet pads short ones */
		r.n = total;
	if (!(rest_u16(&r, 6) & 0x1fff) && rest_skip(&r, size))
		head_transport(head, r);
	return true;
}

static bool head_is_extension(uint8_t protocol)
{
	return protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_ROUTING ||
	       protocol == IPPROTO_DSTOPTS;
}

static bool head_ipv6(struct packethead *head, struct rest r)
{
	size_t total = 40u + rest_u16(&r, 4);

	if (r.n < 40)
		return false;
	*head = (struct packethead) {
		.src = r.at + 8, .dst = r.at + 24, .address_size = 16, .protocol = r.at[6]
	};
	if (total < r.n)
		r.n = total;
	rest_skip(&r, 40);
	while (head_is_extension(head->protocol) && r.n >= 8) {
		head->protocol = r.at[0];
		if (!rest_skip(&r, (r.at[1] + 1) * 8u))
			return true;
	}
	head_transport(head, r);
	return true;
}

static bool head_ether(struct packethead *head, unsigned type, struct rest r)
{
	for (int tags = 0; (type == ETHER_VLAN || type == ETHER_QINQ) && tags < 2; tags++) {
		type = rest_u16(&r, 2);
		if (!rest_skip(&r, 4))
			return false;
	}
	if (type == ETHER_IPV4)
		return head_ipv4(head, r);
	return type == ETHER_IPV6 && head_ipv6(head, r);
}

bool packethead_read(struct packethead *head, int link, const uint8_t *data, size_t caplen)
{
	struct rest r = { data, caplen };
	unsigned type;

	if (link == DLT_EN10MB) {
		type = rest_u16(&r, 12);
		return rest_skip(&r, 14) && head_ether(head, type, r);
	}
	if (link == DLT_LINUX_SLL2) {
		type = rest_u16(&r, 0);
		return rest_skip(&r, 20) && head_ether(head, type, r);
	}
	return link == DLT_RAW && caplen &&
	       head_ether(head, data[0] >> 4 == 6 ? ETHER_IPV6 : ETHER_IPV4, r);
}
