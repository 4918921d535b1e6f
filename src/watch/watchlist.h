/* Which selectors a record of a kernel ring is for: puts it into the queue for each of them. */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "plan/selector.h"
#include "trace/ringpage.h"
#include "watch/testqueue.h"

struct watchlist;

/* Of those among N selectors that watch an event. COMMS is saved_cmdlines, for filters on a task's
 * name; -1 if there is none. ALL: the ring has more than what they want, as one that was recorded
 * has. *ret is the caller's. */
int watchlist_create(struct watchlist **ret, struct selector *const *selectors, size_t n, int comms,
		     bool all, struct err *e);

/* NULL is fine. */
void watchlist_free(struct watchlist *list);

/* Shows a record of that CPU. */
void watchlist_show(const struct watchlist *list, struct testqueue *queue, uint32_t cpu,
		    const struct ringpage_record *record);
