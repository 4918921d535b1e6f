#include "packet/packethead.h"

#include <net/ethernet.h>
#include <netinet/in.h>
#include <pcap/pcap.h>

#define IPV4_SIZE 20u
#define IPV6_SIZE 40u
#define TCP_SIZE 20u
#define UDP_SIZE 8u

/* What is left of a packet. */
struct rest {
	const uint8_t *at;
	size_t n;
};

static unsigned rest_u16(const struct rest *r, size_t at)
{
	return r->n >= at + 2 ? r->at[at] << 8 | r->at[at + 1] : 0;
}

static struct rest rest_skip(struct rest r, size_t n)
{
	n = n < r.n ? n : r.n;
	return (struct rest) { r.at + n, r.n - n };
}

/* The last PADDING bytes are not the packet's. */
static void head_transport(struct packethead *head, struct rest r, size_t padding)
{
	size_t size = UDP_SIZE;

	head->transport = r.at;
	head->transport_size = r.n;
	if ((head->protocol != IPPROTO_TCP && head->protocol != IPPROTO_UDP) || r.n < 4)
		return;
	head->has_ports = true;
	head->sport = rest_u16(&r, 0);
	head->dport = rest_u16(&r, 2);
	r.n -= padding < r.n ? padding : r.n;
	if (head->protocol == IPPROTO_TCP)
		size = r.n > 12 ? (r.at[12] >> 4) * 4u : TCP_SIZE;
	if (size > r.n)
		return;
	head->payload = r.at + size;
	head->payload_size = r.n - size;
}

static bool head_ipv4(struct packethead *head, struct rest r)
{
	size_t size = r.n ? (r.at[0] & 15) * 4u : 0, total = rest_u16(&r, 2);
	size_t padding = total >= size && total < r.n ? r.n - total : 0; /* Ethernet pads */

	if (r.n < IPV4_SIZE || size < IPV4_SIZE)
		return false;
	head->src = r.at + 12;
	head->dst = r.at + 16;
	head->address_size = 4;
	head->protocol = r.at[9];
	head->length = total > size ? total - size : 0;
	head->fragment = (rest_u16(&r, 6) & 0x1fff) * 8;
	if (!head->fragment)
		head_transport(head, rest_skip(r, size), padding);
	return true;
}

static bool head_is_extension(uint8_t protocol)
{
	return protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_ROUTING ||
	       protocol == IPPROTO_DSTOPTS;
}

static bool head_ipv6(struct packethead *head, struct rest r)
{
	size_t total = IPV6_SIZE + rest_u16(&r, 4);
	size_t padding = total < r.n ? r.n - total : 0;

	if (r.n < IPV6_SIZE)
		return false;
	head->src = r.at + 8;
	head->dst = r.at + 24;
	head->address_size = 16;
	head->protocol = r.at[6];
	head->length = total - IPV6_SIZE;
	r = rest_skip(r, IPV6_SIZE);
	while (head_is_extension(head->protocol) && r.n >= 8) {
		size_t size = (r.at[1] + 1) * 8u;

		head->protocol = r.at[0];
		head->length = head->length > size ? head->length - size : 0;
		r = rest_skip(r, size);
	}
	head_transport(head, r, padding);
	return true;
}

static bool head_ether(struct packethead *head, unsigned type, struct rest r)
{
	while ((type == ETH_P_8021Q || type == ETH_P_8021AD) && head->n_tags < PACKETHEAD_TAGS &&
	       r.n >= 4) {
		head->tags[head->n_tags++] = rest_u16(&r, 0) & 0xfff;
		type = rest_u16(&r, 2);
		r = rest_skip(r, 4);
	}
	head->has_link = true;
	head->type = type;
	if (type == ETH_P_IP)
		return head_ipv4(head, r);
	return type == ETH_P_IPV6 && head_ipv6(head, r);
}

bool packethead_read(struct packethead *head, int link, const uint8_t *data, size_t caplen)
{
	struct rest r = { data, caplen };

	*head = (struct packethead) { 0 };
	if (link == DLT_EN10MB && caplen >= 14)
		return head_ether(head, rest_u16(&r, 12), rest_skip(r, 14));
	if (link == DLT_LINUX_SLL2 && caplen >= 20)
		return head_ether(head, rest_u16(&r, 0), rest_skip(r, 20));
	return link == DLT_RAW && caplen &&
	       head_ether(head, data[0] >> 4 == 6 ? ETH_P_IPV6 : ETH_P_IP, r);
}
