#include "convert/packettext.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

#include "auto.h"

#define LINK_ETHERNET 1
#define LINK_RAW 101
#define LINK_SLL2 276

#define ETHER_IPV4 0x0800
#define ETHER_ARP 0x0806
#define ETHER_VLAN 0x8100
#define ETHER_IPV6 0x86dd

/* What is left of a packet. */
struct bytes {
	const uint8_t *at;
	size_t n;
};

static unsigned bytes_u16(const struct bytes *b, size_t at)
{
	return b->n >= at + 2 ? b->at[at] << 8 | b->at[at + 1] : 0;
}

static uint32_t bytes_u32(const struct bytes *b, size_t at)
{
	return (uint32_t)bytes_u16(b, at) << 16 | bytes_u16(b, at + 2);
}

static struct bytes bytes_skip(struct bytes b, size_t n)
{
	n = n < b.n ? n : b.n;
	return (struct bytes) { b.at + n, b.n - n };
}

static void packettext_tcp_flags(unsigned flags, FILE *out)
{
	static const char letters[] = "FSRP.UEW";

	fputc('[', out);
	for (unsigned bit = 0; bit < 8; bit++)
		if (flags & 1 << bit)
			fputc(letters[bit], out);
	fputc(']', out);
}

/* LEN is what IP says its payload has. */
static void packettext_tcp(struct bytes b, size_t len, FILE *out)
{
	size_t header = b.n > 12 ? (b.at[12] >> 4) * 4u : 0;

	if (b.n < 20) {
		fputs("TCP, cut short", out);
		return;
	}
	fputs("TCP ", out);
	packettext_tcp_flags(b.at[13], out);
	fprintf(out, " seq %u ack %u win %u, length %zu", bytes_u32(&b, 4), bytes_u32(&b, 8),
		bytes_u16(&b, 14), len > header ? len - header : 0);
}

static void packettext_transport(unsigned protocol, struct bytes b, size_t len, FILE *out)
{
	if (protocol == IPPROTO_TCP)
		packettext_tcp(b, len, out);
	else if (protocol == IPPROTO_UDP)
		fprintf(out, "UDP, length %zu", len > 8 ? len - 8 : 0);
	else if ((protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6) && b.n >= 2)
		fprintf(out, "ICMP type %u code %u", b.at[0], b.at[1]);
	else
		fprintf(out, "protocol %u, length %zu", protocol, len);
}

static void packettext_addresses(int family, const uint8_t *src, const uint8_t *dst,
				 unsigned protocol, const struct bytes *payload, FILE *out)
{
	bool ports = (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP) && payload->n >= 4;
	char from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN];

	inet_ntop(family, src, from, sizeof(from));
	inet_ntop(family, dst, to, sizeof(to));
	fprintf(out, "%s %s", family == AF_INET ? "IP" : "IP6", from);
	if (ports)
		fprintf(out, ".%u", bytes_u16(payload, 0));
	fprintf(out, " > %s", to);
	if (ports)
		fprintf(out, ".%u", bytes_u16(payload, 2));
	fputs(": ", out);
}

static void packettext_ipv4(struct bytes b, FILE *out)
{
	size_t header = b.n ? (b.at[0] & 15) * 4u : 0, total = bytes_u16(&b, 2);
	unsigned fragment = bytes_u16(&b, 6) & 0x1fff;
	struct bytes payload;

	if (b.n < 20 || header < 20) {
		fputs("IP, cut short", out);
		return;
	}
	payload = fragment ? (struct bytes) { 0 } : bytes_skip(b, header);
	packettext_addresses(AF_INET, b.at + 12, b.at + 16, b.at[9], &payload, out);
	if (fragment)
		fprintf(out, "fragment at %u, protocol %u", fragment * 8, b.at[9]);
	else
		packettext_transport(b.at[9], payload, total > header ? total - header : 0, out);
}

static void packettext_ipv6(struct bytes b, FILE *out)
{
	struct bytes payload = bytes_skip(b, 40);

	if (b.n < 40) {
		fputs("IP6, cut short", out);
		return;
	}
	packettext_addresses(AF_INET6, b.at + 8, b.at + 24, b.at[6], &payload, out);
	packettext_transport(b.at[6], payload, bytes_u16(&b, 4), out);
}

static void packettext_ether(unsigned type, struct bytes b, FILE *out)
{
	for (int tags = 0; type == ETHER_VLAN && tags < 2 && b.n >= 4; tags++) {
		fprintf(out, "vlan %u, ", bytes_u16(&b, 0) & 0xfff);
		type = bytes_u16(&b, 2);
		b = bytes_skip(b, 4);
	}
	if (type == ETHER_IPV4)
		packettext_ipv4(b, out);
	else if (type == ETHER_IPV6)
		packettext_ipv6(b, out);
	else if (type == ETHER_ARP)
		fputs("ARP", out);
	else
		fprintf(out, "ethertype 0x%04x", type);
}

void packettext_line(uint16_t link, const uint8_t *data, size_t caplen, size_t len, FILE *out)
{
	struct bytes b = { data, caplen };

	if (link == LINK_ETHERNET && caplen >= 14)
		packettext_ether(bytes_u16(&b, 12), bytes_skip(b, 14), out);
	else if (link == LINK_SLL2 && caplen >= 20)
		packettext_ether(bytes_u16(&b, 0), bytes_skip(b, 20), out);
	else if (link == LINK_RAW && caplen)
		packettext_ether(data[0] >> 4 == 6 ? ETHER_IPV6 : ETHER_IPV4, b, out);
	else
		fprintf(out, "link type %u, %zu bytes", link, len);
}
