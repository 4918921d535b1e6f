/* What one selector selects of a file that is read whole: packets, readings, lines of a log; in the
 * order of time. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "packet/packetprogram.h"
#include "plan/selector.h"
#include "replay/recording.h"
#include "replay/replay_choose.h"

#define REPLAY_LINKS 4 /* link types whose packets can be selected */

struct replay_list {
	const struct selector *selector;
	struct observation *all; /* data from malloc */
	size_t n, room;
	size_t next;
	struct bpf_program programs[REPLAY_LINKS]; /* of packets, by link type */
};

/* What needs another process: before the sandbox. */
int replay_list_prepare(struct replay_list *list, const struct replay_choice *choice,
			struct err *e);

/* Reads the files, in the sandbox. What breaks off ends there. */
int replay_list_read(struct replay_list *list, const struct recording *r,
		     const struct replay_choice *choice, struct err *e);

void replay_list_clear(struct replay_list *list);
