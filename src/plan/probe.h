/* Probes: events that a capture makes for itself, on a function of the kernel ("kprobe:FUNC") or of
 * a program
 * ("uprobe:PATH:SYMBOL"). The kernel has them for all, in a group that is named after the capture.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "trace/format.h"
#include "trace/tracing.h"

enum probe_state {
	PROBE_WANTED,
	PROBE_FOUND,  /* this host has its function */
	PROBE_MADE,   /* the kernel has its event */
	PROBE_ABSENT, /* the capture does without */
};

struct probe {
	const char *event;   /* as the recipe has it; owned by the plan's JSON, like fetch */
	const json_t *fetch; /* its arguments, "NAME=WHERE:TYPE"; NULL for none */
	const char *at;  /* "recipe.lua:7", where it was first asked for; NULL if it does not say */
	bool optional;   /* nothing needs it */
	char group[40];  /* "tracer_ID", once the capture has an ID */
	char name[64];   /* of its event in the group; follows from the plan alone */
	uint64_t offset; /* of a uprobe: in its file */
	enum probe_state state;
};

/* All probes of a plan, each once. */
struct probes {
	struct probe *list;
	size_t n;
};

struct ledger;

/* Whether this event of a plan is one. */
bool probe_is(const char *event);

/* Finds the probes in the plan's JSON; no look at the host. */
int probes_collect(struct probes *probes, const json_t *plan, struct err *e);
void probes_free(struct probes *probes);

/* The probe of an entry in the plan that has `event` and `fetch`; NULL if its event is none. */
struct probe *probes_find(const struct probes *probes, const json_t *entry);

/* The format of its event, the caller's. Before it is made *ret is NULL, and the host is asked
 * whether it has the function; that changes nothing. */
int probe_format(struct probe *probe, struct tracing *tracing, struct format **ret, struct err *e);

/* Engine, before any instance is made: makes all that were found for the capture ID, each written
 * to the ledger before. */
int probes_make(struct probes *probes, const char *id, struct ledger *ledger,
		struct tracing *tracing, struct err *e);

/* For recover: those that the capture ID has made. */
void probes_adopt(struct probes *probes, const char *id, struct tracing *tracing);
