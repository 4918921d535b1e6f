/* Sends N numbered UDP packets to an address, IPv4 or IPv6, or makes a TCP connection that ends in
 * a reset:
 *
 *     packets udp ADDRESS PORT N [SIZE [INTERVAL_US]]   the number is the first 8 bytes of the
 * payload packets rst ADDRESS PORT                          connects to itself there, then resets
 *     packets ping ADDRESS PORT N                       a TCP connection to itself, N bytes, an
 * orderly end
 *     packets tagged INTERFACE ADDRESS PORT N           frames with a VLAN tag, IPv4 */
#include <linux/if_packet.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "provoke.h"

static struct addrinfo *resolve(const char *address, const char *port, int type)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
				  .ai_socktype = type };
	struct addrinfo *found;
	int rc = getaddrinfo(address, port, &hints, &found);

	if (rc)
		die("'%s' port '%s': %s", address, port, gai_strerror(rc));
	return found;
}

static void send_udp(const struct addrinfo *to, uint64_t n, size_t size, uint64_t interval_us)
{
	int fd = socket(to->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char payload[65000] = "";
	uint64_t i;

	if (fd < 0)
		die_sys("cannot make a socket");
	if (size < sizeof(i) || size > sizeof(payload))
		die("a packet has 8 to %zu bytes", sizeof(payload));
	for (i = 1; i <= n; i++) {
		memcpy(payload, &i, sizeof(i));
		if (sendto(fd, payload, size, 0, to->ai_addr, to->ai_addrlen) < 0)
			die_sys("cannot send packet %lu", (unsigned long)i);
		if (interval_us)
			sleep_ns(interval_us * 1000);
	}
	printf("sent n=%lu boot_ns=%lu\n", (unsigned long)n, (unsigned long)boot_ns());
}

static int listener_open(const struct addrinfo *at)
{
	int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0)
		die_sys("cannot make a socket");
	if (bind(fd, at->ai_addr, at->ai_addrlen) < 0 || listen(fd, 1) < 0)
		die_sys("cannot listen");
	return fd;
}

static void connection(const struct addrinfo *at, uint64_t bytes, int reset)
{
	struct linger linger = { .l_onoff = reset };
	int listener = listener_open(at);
	int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int accepted;
	uint64_t i;

	if (fd < 0 || connect(fd, at->ai_addr, at->ai_addrlen) < 0)
		die_sys("cannot connect");
	accepted = accept(listener, NULL, NULL);
	if (accepted < 0)
		die_sys("cannot accept");
	for (i = 0; i < bytes; i++)
		if (send(fd, "x", 1, MSG_NOSIGNAL) != 1 || recv(accepted, &(char) { 0 }, 1, 0) != 1)
			die_sys("cannot pass byte %lu", (unsigned long)i);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(fd);
	printf("closed boot_ns=%lu\n", (unsigned long)boot_ns());
	close(accepted);
	close(listener);
}

/* An IPv4 UDP packet in an Ethernet frame with a VLAN tag, as it comes over a trunk. */
struct __attribute__((packed)) tagged {
	uint8_t to[6], from[6];
	uint16_t tpid, tag, type;
	uint8_t version, tos;
	uint16_t total, id, fragment;
	uint8_t ttl, protocol;
	uint16_t checksum;
	uint32_t source, destination;
	uint16_t source_port, port, length, udp_checksum;
	uint64_t number;
};

/* Puts the frames on the wire as they are: no VLAN device is needed. */
static void send_tagged(const char *interface, const struct addrinfo *to, uint64_t n)
{
	const struct sockaddr_in *address = (const struct sockaddr_in *)to->ai_addr;
	struct sockaddr_ll wire = { .sll_family = AF_PACKET,
				    .sll_ifindex = (int)if_nametoindex(interface) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	struct tagged frame = {
		.to = { 255, 255, 255, 255, 255, 255 },
		.from = { 2, 0, 0, 0, 0, 1 },
		.tpid = htons(0x8100),
		.tag = htons(5),
		.type = htons(0x0800),
		.version = 0x45,
		.total = htons(36),
		.ttl = 64,
		.protocol = IPPROTO_UDP,
		.source = htonl(0x0a4e0002), /* 10.78.0.2 */
		.destination = address->sin_addr.s_addr,
		.source_port = address->sin_port,
		.port = address->sin_port,
		.length = htons(16),
	};

	if (fd < 0 || !wire.sll_ifindex)
		die_sys("cannot send on '%s'", interface);
	for (frame.number = 1; frame.number <= n; frame.number++)
		if (sendto(fd, &frame, sizeof(frame), 0, (struct sockaddr *)&wire, sizeof(wire)) <
		    0)
			die_sys("cannot send frame %lu", (unsigned long)frame.number);
	printf("sent n=%lu boot_ns=%lu\n", (unsigned long)n, (unsigned long)boot_ns());
}

int main(int argc, char **argv)
{
	if (argc >= 5 && !strcmp(argv[1], "udp"))
		send_udp(resolve(argv[2], argv[3], SOCK_DGRAM), number_of(argv[4]),
			 argc > 5 ? number_of(argv[5]) : 8, argc > 6 ? number_of(argv[6]) : 0);
	else if (argc == 4 && !strcmp(argv[1], "rst"))
		connection(resolve(argv[2], argv[3], SOCK_STREAM), 0, 1);
	else if (argc == 5 && !strcmp(argv[1], "ping"))
		connection(resolve(argv[2], argv[3], SOCK_STREAM), number_of(argv[4]), 0);
	else if (argc == 6 && !strcmp(argv[1], "tagged"))
		send_tagged(argv[2], resolve(argv[3], argv[4], SOCK_DGRAM), number_of(argv[5]));
	else
		die("tagged INTERFACE ADDRESS PORT N | udp ADDRESS PORT N [SIZE [INTERVAL_US]] | "
		    "rst ADDRESS PORT | ping ADDRESS "
		    "PORT N");
	return 0;
}
