/* What one t.ftrace asks for, against the events of this host. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "plan/probe.h"
#include "plan/source.h"

/* One event to be recorded. */
struct ftrace_event {
	char *system;
	char *name;
	char *filter; /* the kernel's text, NULL for none */
	bool stack;   /* with the kernel stack of each record */
	bool literal; /* named as it is, and not by a glob */
	const struct probe
		*probe; /* that is still to be made: system and name are those of the recipe */
};

struct ftrace {
	uint64_t keep;      /* bytes of the ring, over all CPUs */
	uint64_t post_keep; /* bytes of the ring after the event, 0 if the recipe has no `post` */
	bool stack;         /* of every event */
	struct ftrace_event *events; /* by ftrace_expand */
	size_t n_events;
};

/* Where its file goes in the bundle: "trace", or "syscalls" for t.syscalls. */
const char *ftrace_dir(const struct source *s);

int ftrace_decode(struct source *s, struct err *e);

/* Finds the events on this host; each that is literal and missing, and each glob that matches
 * nothing, is an error, unless it is optional. */
int ftrace_expand(struct source *s, struct err *e);

void ftrace_free(struct source *s);
