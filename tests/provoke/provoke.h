/* What the provoking programs share: the boot clock, numbers from arguments, and one way to give
 * up. */
#pragma once

#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NS_PER_S 1000000000ull
#define NS_PER_MS 1000000ull

#define die(fmt, ...)                                                                           \
	do {                                                                                    \
		fprintf(stderr, "%s: " fmt "\n", program_invocation_short_name, ##__VA_ARGS__); \
		exit(1);                                                                        \
	} while (0)

#define die_sys(fmt, ...) die(fmt ": %s", ##__VA_ARGS__, strerror(errno))

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

static inline void pin_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		die_sys("cannot run on cpu %d", cpu);
}
