/* Selectors: what a stop condition looks for, records of one kind that pass a filter. Each kind is
 * one file behind one struct of operations. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "plan/key.h"
#include "plan/probe.h"
#include "trace/filter.h"
#include "trace/format.h"
#include "trace/tracing.h"

/* Where records come from, each in the order of time. */
enum stream { STREAM_EVENTS, STREAM_PACKETS, STREAM_READINGS, STREAMS };

/* One record of a stream. */
struct observation {
	uint64_t time; /* boot clock */
	uint32_t cpu;  /* UINT32_MAX if it has none */
	int32_t pid;   /* of the task, -1 if it has none */
	const uint8_t *data;
	size_t size;
	uint32_t length; /* of a packet: on the wire, and its link type (DLT_*) */
	int link;
};

struct selector_ops;
struct condition;

/* One entry of the plan's `stop`, or of a condition in it, that names records. */
struct selector {
	const struct selector_ops *ops;
	const char *at;     /* "recipe.lua:7"; owned by spec, as is all text */
	const json_t *spec; /* its part of the plan */
	struct condition *owner;
	uint32_t part;         /* which of its owner's selectors it is */
	uint32_t number;       /* in the plan */
	struct probe *probe;   /* that makes its event, NULL if the kernel has it; borrowed from the
				  plan */
	struct format *format; /* of its kernel event, set by probe; NULL until there is one */
	struct filter *filter; /* on that event, NULL: every record */
	uint32_t test; /* the recipe's, that a record has to pass besides; from 1, 0: none */
	void *data;    /* made by ops->decode, freed by ops->free */
};

struct selector_ops {
	const char *type; /* the plan's word: "event" */
	enum stream stream;

	/* Reads the spec; no look at the host. NULL if there is nothing to read. */
	int (*decode)(struct selector *s, struct err *e);

	/* Finds it on this host, and makes the filter; changes nothing. Where a probe makes the
	 * event, this is asked before, and again once it is made. */
	int (*probe)(struct selector *s, struct tracing *tracing, struct err *e);

	/* Whether a record that passed the filter counts, if it passes the test; NULL: it does. */
	bool (*match)(const struct selector *s, const struct observation *o);

	/* Finds one value of a key in its records: a wrong name is told with the nearest. */
	int (*find)(const struct selector *s, struct key_part *part, struct err *e);

	/* Appends that value of a record; false if it has none. */
	bool (*read)(const struct selector *s, const struct observation *o,
		     const struct key_part *part, struct key *key);

	/* One line about a record. */
	void (*describe)(const struct selector *s, const struct observation *o, FILE *out);

	/* Frees s->data; NULL and half-decoded are fine. */
	void (*free)(struct selector *s);
};

extern const struct selector_ops event_selector;
extern const struct selector_ops line_selector;
extern const struct selector_ops textline_selector;
extern const struct selector_ops packet_selector;
extern const struct selector_ops file_selector;
extern const struct selector_ops appears_selector;
extern const struct selector_ops pressure_selector;
extern const struct selector_ops tasks_selector;
extern const struct selector_ops members_selector;
extern const struct selector_ops freezes_selector;

/* The operations for the plan's word, NULL if there are none. */
const struct selector_ops *selector_find(const char *type);

/* Fills S from its part of the plan. */
int selector_decode(struct selector *s, const json_t *spec, struct err *e);

/* Asks the host. */
int selector_probe(struct selector *s, struct tracing *tracing, struct err *e);

/* Finds one value of a key; a selector whose event is not there yet is asked again. */
int selector_find_part(const struct selector *s, struct key_part *part, struct err *e);

/* Frees what it holds. */
void selector_free(struct selector *s);

/* Why the kernel cannot decide alone whether a record counts; NULL if it can. */
const char *selector_why(const struct selector *s);

/* Whether it watches the kernel event with that ID. */
bool selector_watches(const struct selector *s, uint16_t id);

/* One line about a record: "sched:sched_switch prev_comm=... prev_pid=...". */
void selector_describe(const struct selector *s, const struct observation *o, char *text,
		       size_t room);

/* "pid=7 sport=1 ": the integer fields of a record of a kernel event. */
void selector_numbers(const struct selector *s, const struct observation *o, char *text,
		      size_t room);

/* What both kinds that watch a kernel event have in common. */
int selector_event_find(const struct selector *s, struct key_part *part, struct err *e);
bool selector_event_read(const struct selector *s, const struct observation *o,
			 const struct key_part *part, struct key *key);
void selector_event_describe(const struct selector *s, const struct observation *o, FILE *out);
