/* What the stop conditions looked at, kept so that a replay sees what they saw. The process that
 * watches fills a ring for each stream; from there on it is a source like others: `watched-events`,
 * `watched-packets`, `watched-readings`. */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/ring.h"
#include "plan/selector.h"
#include "plan/source.h"

struct plan;

struct watched {
	const struct plan *plan; /* whose conditions */
	enum stream stream;
	char ring_file[40]; /* in the state directory */
	struct ring *ring;  /* from arm on */
};

#define WATCHED_HOLE UINT32_MAX /* the kind of a record that stands for lost ones */

/* Kilobytes of each CPU's buffer of the watch instance; bytes of the kernel's buffer of the tap of
 * each packet selector. */
unsigned watched_buffer_kb(const struct plan *plan);
#define WATCHED_TAP_BUFFER (4u << 20)

/* For who watches; NULL is fine. A record of the ring: time; kind is the CPU of an event, else the
 * selector's number in the plan; aux the length on the wire of a packet and, from bit 32 on, its
 * link type (DLT_*). */
void watched_begin(struct watched *w, uint64_t since);
void watched_keep(struct watched *w, const struct observation *o, uint32_t kind);
void watched_lost(struct watched *w, uint64_t until);

/* All of before that time has been seen. */
void watched_reach(struct watched *w, uint64_t now);

int watched_save(struct source *s, struct save *save, struct err *e);
