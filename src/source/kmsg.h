/* What recording the kernel's log and saving it share: records of /dev/kmsg, and their times. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/units.h"
#include "plan/source.h"

#define LOG_RECORD_MAX 16384 /* the kernel's own limit is 8192 */

/* What a record in the ring is. Its time is when it was read, its data what the kernel wrote. */
enum log_kind {
	LOG_LINE,   /* aux: the kernel's stamp, ns of the printk clock */
	LOG_BEFORE, /* the same, written before the start */
	LOG_HOLE, /* aux: how many records are missing; data: uint64_t, when the last one before was
		     read */
};

struct kmsg {
	unsigned int priority;
	uint64_t sequence;
	uint64_t stamp_ns;
	bool continued;   /* goes on with the line before */
	const char *text; /* escaped as the kernel does it */
	size_t size;
};

/* Reads "PRIORITY,SEQUENCE,MICROSECONDS,FLAG[,...];TEXT\n KEY=VALUE\n..."; false if it is not that.
 */
bool kmsg_parse(const char *data, size_t size, struct kmsg *k);

/* When a line was written, by when it was read: the least delay of late is the best guess at the
 * clocks' distance. */
struct log_clock {
	uint64_t distance; /* boot - printk */
	uint64_t when;     /* boot clock, when it was found; 0: never */
};

uint64_t log_clock_boot(struct log_clock *clock, uint64_t read, uint64_t stamp_ns);

/* Whether a line of that time is from after the cut, as far as it is known. */
bool log_after(uint64_t time, uint64_t cut);
