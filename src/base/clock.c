#include "base/clock.h"

#include <stdio.h>
#include <time.h>

#include "base/units.h"

#define ANCHOR_READINGS 16

static uint64_t clock_read(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

uint64_t clock_boot(void)
{
	return clock_read(CLOCK_BOOTTIME);
}

/* The boot clock is read on both sides of the others, so that its middle is no further off than
 * half the width. */
static struct anchor anchor_read(void)
{
	uint64_t before = clock_read(CLOCK_BOOTTIME);
	struct anchor a = {
		.wall_ns = clock_read(CLOCK_REALTIME),
		.mono_ns = clock_read(CLOCK_MONOTONIC),
		.tai_ns = clock_read(CLOCK_TAI),
	};

	a.width = clock_read(CLOCK_BOOTTIME) - before;
	a.boot = before + a.width / 2;
	return a;
}

struct anchor anchor_take(void)
{
	struct anchor best = anchor_read();

	for (int i = 1; i < ANCHOR_READINGS; i++) {
		struct anchor a = anchor_read();

		if (a.width < best.width)
			best = a;
	}
	return best;
}

/* 0 is the word for "not known": a time before the boot becomes the first nanosecond. */
static uint64_t clock_clamp(__int128 boot)
{
	if (boot < 1)
		return 1;
	return boot > UINT64_MAX ? UINT64_MAX : (uint64_t)boot;
}

static uint64_t anchor_between(const struct anchor *a, const struct anchor *b, uint64_t printk_ns)
{
	__int128 into = printk_ns - a->printk_ns;
	__int128 run = (__int128)b->boot - a->boot;

	return clock_clamp(a->boot + into * run / (b->printk_ns - a->printk_ns));
}

uint64_t anchors_printk(const struct anchor *anchors, size_t n, uint64_t printk_ns)
{
	const struct anchor *before = NULL, *after = NULL, *nearest;

	for (size_t i = 0; i < n; i++) {
		const struct anchor *a = &anchors[i];

		if (!a->printk_ns)
			continue;
		if (a->printk_ns <= printk_ns && (!before || a->printk_ns > before->printk_ns))
			before = a;
		if (a->printk_ns > printk_ns && (!after || a->printk_ns < after->printk_ns))
			after = a;
	}
	if (before && after)
		return anchor_between(before, after, printk_ns);
	nearest = before ? before : after;
	if (!nearest)
		return 0;
	return clock_clamp((__int128)nearest->boot + printk_ns - nearest->printk_ns);
}

uint64_t anchor_wall(const struct anchor *a, uint64_t boot)
{
	return a->wall_ns + (boot - a->boot);
}

uint64_t anchors_wall(const struct anchor *anchors, size_t n, uint64_t boot)
{
	size_t i = n - 1;

	while (i > 0 && boot < anchors[i].boot)
		i--;
	return anchor_wall(&anchors[i], boot);
}

uint64_t anchors_boot(const struct anchor *anchors, size_t n, uint64_t wall_ns)
{
	size_t i = n - 1;

	while (i > 0 && wall_ns < anchors[i].wall_ns)
		i--;
	return anchors[i].boot + (wall_ns - anchors[i].wall_ns);
}

static struct clock_text clock_format(const char *format, uint64_t wall_ns)
{
	time_t seconds = wall_ns / NS_PER_S;
	struct clock_text t;
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(t.text, sizeof(t.text), format, &tm);
	return t;
}

struct clock_text clock_utc(uint64_t wall_ns)
{
	struct clock_text date = clock_format("%Y-%m-%dT%H:%M:%S", wall_ns);
	struct clock_text t;

	snprintf(t.text, sizeof(t.text), "%.28s.%09lluZ", date.text,
		 (unsigned long long)(wall_ns % NS_PER_S));
	return t;
}

struct clock_text clock_stamp(uint64_t wall_ns)
{
	return clock_format("%Y%m%dT%H%M%SZ", wall_ns);
}
