#include "packet/packettext.h"

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "packet/packethead.h"
#include "packet/tap.h"

static size_t length_behind(const struct packethead *head, size_t size)
{
	return head->length > size ? head->length - size : 0;
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

static void packettext_tcp(const struct packethead *head, FILE *out)
{
	struct tcphdr tcp;

	if (head->transport_size < sizeof(tcp)) {
		fputs("TCP, cut short", out);
		return;
	}
	memcpy(&tcp, head->transport, sizeof(tcp));
	fputs("TCP ", out);
	packettext_tcp_flags(tcp.th_flags, out);
	fprintf(out, " seq %u ack %u win %u, length %zu", ntohl(tcp.th_seq), ntohl(tcp.th_ack),
		ntohs(tcp.th_win), length_behind(head, tcp.th_off * 4u));
}

static void packettext_transport(const struct packethead *head, FILE *out)
{
	if (head->fragment)
		fprintf(out, "fragment at %u, protocol %u", head->fragment, head->protocol);
	else if (head->protocol == IPPROTO_TCP)
		packettext_tcp(head, out);
	else if (head->protocol == IPPROTO_UDP)
		fprintf(out, "UDP, length %zu", length_behind(head, 8));
	else if ((head->protocol == IPPROTO_ICMP || head->protocol == IPPROTO_ICMPV6) &&
		 head->transport_size >= 2)
		fprintf(out, "ICMP type %u code %u", head->transport[0], head->transport[1]);
	else
		fprintf(out, "protocol %u, length %zu", head->protocol, head->length);
}

static void packettext_ip(const struct packethead *head, FILE *out)
{
	int family = head->type == ETH_P_IP ? AF_INET : AF_INET6;
	char from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN];

	inet_ntop(family, head->src, from, sizeof(from));
	inet_ntop(family, head->dst, to, sizeof(to));
	fprintf(out, "%s %s", family == AF_INET ? "IP" : "IP6", from);
	if (head->has_ports)
		fprintf(out, ".%u", head->sport);
	fprintf(out, " > %s", to);
	if (head->has_ports)
		fprintf(out, ".%u", head->dport);
	fputs(": ", out);
	packettext_transport(head, out);
}

/* What is no IP, or not enough of it. */
static void packettext_other(unsigned type, FILE *out)
{
	if (type == ETH_P_IP)
		fputs("IP, cut short", out);
	else if (type == ETH_P_IPV6)
		fputs("IP6, cut short", out);
	else if (type == ETH_P_ARP)
		fputs("ARP", out);
	else
		fprintf(out, "ethertype 0x%04x", type);
}

void packettext_line(uint16_t link, const uint8_t *data, size_t caplen, size_t len, FILE *out)
{
	struct packethead head;
	bool ip = packethead_read(&head, tap_datalink(link), data, caplen);

	if (!head.has_link) {
		fprintf(out, "link type %u, %zu bytes", link, len);
		return;
	}
	for (unsigned i = 0; i < head.n_tags; i++)
		fprintf(out, "vlan %u, ", head.tags[i]);
	if (ip)
		packettext_ip(&head, out);
	else
		packettext_other(head.type, out);
}
