/* The records of all CPUs of a kernel ring as one stream, in the order of time, while they come in.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "trace/ringpage.h"

/* A record may be in the ring this much later than its stamp says. */
#define EVENTSTREAM_DELAY (1000 * 1000ull) /* ns */

/* What eventstream_page found. */
enum page { PAGE_NONE, PAGE_READ, PAGE_END };

/* Fills PAGE with the next page of that CPU: there is none now, or there never will be. */
typedef enum page eventstream_page(void *arg, unsigned cpu, void *page);

struct eventstream;

/* Over CPUS rings of pages that FILL gives. *ret is the caller's. */
int eventstream_create(struct eventstream **ret, const struct ringpage_layout *layout,
		       unsigned cpus, eventstream_page *fill, void *arg, struct err *e);

/* NULL is fine. */
void eventstream_free(struct eventstream *s);

/* Looks whether there is more now, NOW being a reading of the clock of the records. */
void eventstream_look(struct eventstream *s, uint64_t now);

/* The next record and its CPU; NULL if none is certain to be the next: look again. It is valid
 * until eventstream_take, behind which comes the next. */
const struct ringpage_record *eventstream_peek(struct eventstream *s, unsigned *cpu);
void eventstream_take(struct eventstream *s);

/* Without a next one: none of before this time will come. */
uint64_t eventstream_seen(const struct eventstream *s);

/* Whether a record waits for others to be seen. */
bool eventstream_waits(const struct eventstream *s);

/* Whether records were lost since the last call; then *to is a time before which they were. */
bool eventstream_missed(struct eventstream *s, uint64_t *to);
