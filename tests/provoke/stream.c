/* A TCP connection on which data goes one way.
 *
 *   stream take ADDRESS PORT                       takes one connection and all that comes
 *   stream send ADDRESS PORT [--every MS] [--for MS]  sends 100 bytes each MS, so long: "sent=N
 * at=NS" each time
 */
#include <netinet/tcp.h>
#include <stdbool.h>
#include <unistd.h>

#include "provoke.h"

static int tcp_socket(const char *address, const char *port, bool take)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(number_of(port)) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	if (inet_pton(AF_INET, address, &to.sin_addr) != 1)
		die("'%s' is no address", address);
	if (fd < 0)
		die_sys("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if ((take ? bind(fd, (void *)&to, sizeof(to)) : connect(fd, (void *)&to, sizeof(to))) < 0)
		die_sys("%s", address);
	return fd;
}

static void take(int fd)
{
	char data[4096];

	if (listen(fd, 1) < 0)
		die_sys("listen");
	say("ready");
	fd = accept(fd, NULL, NULL);
	while (fd >= 0 && read(fd, data, sizeof(data)) > 0)
		;
}

static void send_for(int fd, uint64_t every_ms, uint64_t for_ms)
{
	uint64_t end = boot_ns() + for_ms * NS_PER_MS, n = 0;
	static const char data[100];
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	while (boot_ns() < end && send(fd, data, sizeof(data), MSG_NOSIGNAL | MSG_DONTWAIT) > 0) {
		say("sent=%llu at=%llu", (unsigned long long)++n, (unsigned long long)boot_ns());
		sleep_ns(every_ms * NS_PER_MS);
	}
}

int main(int argc, char **argv)
{
	uint64_t every_ms = 50, for_ms = 10000;
	const struct option options[] = { { "--every", &every_ms }, { "--for", &for_ms }, {} };
	bool takes = argc > 3 && !strcmp(argv[1], "take");
	int fd;

	if (argc < 4 || (!takes && strcmp(argv[1], "send")))
		die("it is called with: take ADDRESS PORT, or: send ADDRESS PORT");
	options_read(options, argv + 4);
	fd = tcp_socket(argv[2], argv[3], takes);
	if (takes)
		take(fd);
	else
		send_for(fd, every_ms, for_ms);
	return 0;
}
