/* The boot clock, and how other clocks map to it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* CLOCK_BOOTTIME in nanoseconds: the one clock of all records. */
uint64_t clock_boot(void);

/* One reading of all clocks within `width` nanoseconds. */
struct anchor {
	uint64_t boot;
	uint64_t wall_ns;   /* CLOCK_REALTIME */
	uint64_t mono_ns;   /* CLOCK_MONOTONIC */
	uint64_t tai_ns;    /* CLOCK_TAI */
	uint64_t printk_ns; /* the kernel log's clock, 0 if not known */
	uint64_t width;     /* how far apart the readings can be */
};

/* The tightest of several readings. */
struct anchor anchor_take(void);

/* The boot time of a stamp in the kernel log, by the two anchors around it (or the nearest); 0 if
 * no anchor knows that clock. */
uint64_t anchors_printk(const struct anchor *anchors, size_t n, uint64_t printk_ns);

/* The wall time of BOOT by this anchor. */
uint64_t anchor_wall(const struct anchor *a, uint64_t boot);

/* By the last anchor before it, of N, oldest first: the wall clock may have been set meanwhile. And
 * back, for what was written so. */
uint64_t anchors_wall(const struct anchor *anchors, size_t n, uint64_t boot);
uint64_t anchors_boot(const struct anchor *anchors, size_t n, uint64_t wall_ns);

/* "2026-08-24T03:15:02.123456789Z", and "20260824T031502Z" for names. */
struct clock_text {
	char text[40];
};
struct clock_text clock_utc(uint64_t wall_ns);
struct clock_text clock_stamp(uint64_t wall_ns);
