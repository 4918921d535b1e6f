/* What the provoking programs share: the boot clock, numbers from arguments, packets to nobody, and
 * one way to give up. */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define NS_PER_S 1000000000ull
#define NS_PER_MS 1000000ull

#define die(fmt, ...)                                                                           \
	do {                                                                                    \
		fprintf(stderr, "%s: " fmt "\n", program_invocation_short_name, ##__VA_ARGS__); \
		exit(1);                                                                        \
	} while (0)

#define die_sys(fmt, ...) die(fmt ": %s", ##__VA_ARGS__, strerror(errno))

/* A fact on stdout, at once: a line of NAME=VALUE for scripts. */
#define say(fmt, ...)                            \
	do {                                     \
		printf(fmt "\n", ##__VA_ARGS__); \
		fflush(stdout);                  \
	} while (0)

static inline uint64_t boot_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static inline void sleep_ns(uint64_t ns)
{
	struct timespec ts = { .tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S };

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, &ts) == EINTR)
		;
}

static inline uint64_t number_of(const char *text)
{
	char *end;
	uint64_t n;

	errno = 0;
	n = strtoull(text, &end, 0);
	if (errno || end == text || *end)
		die("'%s' is not a number", text);
	return n;
}

struct option {
	const char *name;
	uint64_t *value;
};

/* Reads "NAME VALUE" after "NAME VALUE" from the arguments. OPTIONS end with one without a name. */
static inline void options_read(const struct option *options, char **argv)
{
	const struct option *option;

	for (; *argv; argv += 2) {
		for (option = options; option->name && strcmp(*argv, option->name); option++)
			;
		if (!option->name || !argv[1])
			die("unknown or incomplete option '%s'", *argv);
		*option->value = number_of(argv[1]);
	}
}

/* A socket for packet_send, to a port of this machine where nobody listens. */
static inline int packet_socket(uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		die_sys("cannot make a socket to port %u", port);
	return fd;
}

/* Sends a number as its 8 bytes. That nobody listened to the packet before comes back as an error
 * of this one, which is then not sent. */
static inline void packet_send(int fd, uint64_t number)
{
	while (send(fd, &number, sizeof(number), 0) < 0)
		if (errno != ECONNREFUSED)
			die_sys("cannot send");
}

static inline void pin_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		die_sys("cannot run on cpu %d", cpu);
}
