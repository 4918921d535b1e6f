/* Numbered requests over UDP and their replies, of which one is missing or late.
 *
 *   replies serve ADDRESS PORT [--drop N] [--late N --by MS]     answers each request with its
 * number, but not N replies ask ADDRESS PORT [--count N] [--rate N] [--window N] sends requests 1
 * to N, at most WINDOW of them unanswered
 *
 * A request is its number in four bytes, the first the most significant, and 28 more of no meaning;
 * a reply is the same number behind four bytes of no meaning. When the one that is dropped comes,
 * serve says so: "dropped number=N at=NS"; ask says what it has sent at last: "sent=N answered=N".
 */
#include <poll.h>
#include <stdbool.h>
#include <unistd.h>

#include "provoke.h"

#define SIZE 32
#define REPLY_AT 4 /* where a reply has its number */

struct replies {
	uint64_t drop, late, by_ms;
	uint64_t count, rate, window;
};

static int udp_socket(const char *address, const char *port, bool serve)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(number_of(port)) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), size = 4 << 20;

	if (inet_pton(AF_INET, address, &to.sin_addr) != 1)
		die("'%s' is no address", address);
	if (fd < 0)
		die_sys("socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if ((serve ? bind(fd, (void *)&to, sizeof(to)) : connect(fd, (void *)&to, sizeof(to))) < 0)
		die_sys("%s", address);
	return fd;
}

static void answer(int fd, uint32_t number, const struct sockaddr_in *to)
{
	uint8_t reply[SIZE] = { 0 };
	uint32_t wire = htonl(number);

	memcpy(reply + REPLY_AT, &wire, sizeof(wire));
	sendto(fd, reply, sizeof(reply), 0, (const void *)to, sizeof(*to));
}

static void serve(int fd, const struct replies *what)
{
	uint8_t request[SIZE];
	struct sockaddr_in from;
	socklen_t size = sizeof(from);
	uint32_t number;

	while (recvfrom(fd, request, sizeof(request), 0, (void *)&from, &size) >= 4) {
		memcpy(&number, request, sizeof(number));
		number = ntohl(number);
		if (number == what->drop) {
			say("dropped number=%u at=%llu", number, (unsigned long long)boot_ns());
			continue;
		}
		if (number == what->late)
			sleep_ns(what->by_ms * NS_PER_MS);
		answer(fd, number, &from);
	}
	die_sys("recvfrom");
}

static uint64_t take_replies(int fd, int wait_ms)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	uint8_t reply[SIZE];
	uint64_t n = 0;

	if (wait_ms && poll(&pollfd, 1, wait_ms) <= 0)
		return 0;
	while (recv(fd, reply, sizeof(reply), MSG_DONTWAIT) > 0)
		n++;
	return n;
}

static void ask(int fd, const struct replies *what)
{
	uint64_t start = boot_ns(), answered = 0;
	uint8_t request[SIZE] = { 0 };

	for (uint64_t n = 1; n <= what->count; n++) {
		uint32_t wire = htonl(n);
		uint64_t due = what->rate ? start + n * NS_PER_S / what->rate : boot_ns(), now;

		while (n - answered > what->window && boot_ns() < due + NS_PER_S)
			answered += take_replies(fd, 10);
		now = boot_ns();
		if (now < due)
			sleep_ns(due - now);
		memcpy(request, &wire, sizeof(wire));
		send(fd, request, sizeof(request), 0);
		answered += take_replies(fd, 0);
	}
	for (int i = 0; i < 20 && answered < what->count; i++)
		answered += take_replies(fd, 20);
	say("sent=%llu answered=%llu", (unsigned long long)what->count,
	    (unsigned long long)answered);
}

int main(int argc, char **argv)
{
	struct replies what = { .count = 1000, .window = 64 };
	const struct option options[] = {
		{ "--drop", &what.drop },
		{ "--late", &what.late },
		{ "--by", &what.by_ms },
		{ "--count", &what.count },
		{ "--rate", &what.rate },
		{ "--window", &what.window },
		{},
	};
	bool serves = argc > 3 && !strcmp(argv[1], "serve");
	int fd;

	if (argc < 4 || (!serves && strcmp(argv[1], "ask")))
		die("it is called with: serve ADDRESS PORT, or: ask ADDRESS PORT");
	options_read(options, argv + 4);
	fd = udp_socket(argv[2], argv[3], serves);
	if (serves)
		serve(fd, &what);
	else
		ask(fd, &what);
	return 0;
}
