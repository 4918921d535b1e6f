/* What a record says of itself: where its fields are, and the text behind the time of its line, as
 * the kernel prints it. */
#pragma once

#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "trace/format.h"
#include "trace/tracedat.h"

struct events;
struct event;

/* Writes what comes behind the time. */
typedef void body_fn(struct events *events, const struct event *event,
		     const struct tracedat_record *record, FILE *out);

/* An event, as far as the lines of its records need it. Fields that it does not have are NULL. */
struct event {
	const struct format *format;
	const struct field *flags;
	const struct field *preempt_count;
	const struct field *pid;
	const struct field *payload; /* the field that a body of our own starts from */
	uint32_t least;              /* bytes of a whole record */
	body_fn *body;
};

/* Knows the events of DAT, which has to outlive it; their formats go through libtraceevent, see
 * tracetext_open. *ret is the caller's. */
int events_open(struct events **ret, const struct tracedat *dat, struct err *e);

/* NULL is fine. */
void events_close(struct events *events);

/* The number of a record's event; 0 if it is too short to have one. */
uint16_t event_id(const struct tracedat_record *record);

/* The event of a record, made when its first one comes and freed with EVENTS. NULL if the file has
 * no format for it, or if there is no memory. */
const struct event *event_find(struct events *events, const struct tracedat_record *record);

/* Writes what a record of that event, or of an unknown one (NULL), says: up to its newline. */
void event_print(struct events *events, const struct event *event,
		 const struct tracedat_record *record, FILE *out);
