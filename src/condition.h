/* Conditions that end a capture: each kind is one file behind one struct of operations. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "filter.h"
#include "format.h"
#include "probe.h"
#include "tracing.h"

struct condition_ops;

/* One entry of the plan's `stop`. */
struct condition {
	const struct condition_ops *ops;
	const char *name;   /* owned by spec */
	const char *at;     /* "recipe.lua:7"; owned by spec */
	const json_t *spec; /* its part of the plan */
	uint32_t index;
	uint64_t hits;   /* how many it takes */
	uint64_t within; /* ns in which they must come, 0: ever */
	struct probe *
		probe; /* that makes its event, NULL if the kernel has it; borrowed from the plan */
	struct format *format; /* of the kernel event that it watches, set by probe; NULL until it
				  is made */
	struct filter *filter; /* on that event, NULL: every record */
	void *data;            /* made by ops->decode, freed by ops->free */
};

struct condition_ops {
	const char *type; /* the plan's word: "event" */

	/* Reads the spec; no look at the host. NULL if there is nothing beyond the common fields.
	 */
	int (*decode)(struct condition *c, struct err *e);

	/* Finds its event on this host, and makes the filter; changes nothing. Where a probe makes
	 * the event, this is asked before, and again once it is made. */
	int (*probe)(struct condition *c, struct tracing *tracing, struct err *e);

	/* Whether a record that passed the filter counts; NULL: it does. */
	bool (*match)(const struct condition *c, const void *record, size_t size);

	/* Frees c->data; NULL and half-decoded are fine. */
	void (*free)(struct condition *c);
};

extern const struct condition_ops event_condition;
extern const struct condition_ops line_condition;

/* The family's one table, ended by NULL. */
extern const struct condition_ops *const condition_table[];

/* Fills C from its part of the plan. */
int condition_decode(struct condition *c, const json_t *spec, uint32_t index, struct err *e);

/* Asks the host. */
int condition_probe(struct condition *c, struct tracing *tracing, struct err *e);

/* Frees what it holds. */
void condition_free(struct condition *c);

/* 1: the kernel decides; 2: our own process does, from records that the kernel has filtered. */
int condition_tier(const struct condition *c);

/* Why it is not in a better tier; NULL if it is in the first. */
const char *condition_why(const struct condition *c);

/* The filter for EVENT ("SYSTEM:NAME") that passes whatever any of the conditions in the tiers up
 * to MAX_TIER wants: *any is false if none watches it; *text is the kernel's text, NULL for every
 * record; the caller frees it. */
int condition_join(const struct condition *conditions, size_t n, const struct format *event,
		   int max_tier, bool *any, char **text, struct err *e);
