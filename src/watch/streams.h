/* All that the conditions of a plan look at as one stream in the order of time: kernel events,
 * packets, and readings of our own. */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "condition/judge.h"
#include "log/follower.h"
#include "plan/plan.h"
#include "trace/ringpage.h"
#include "watch/watchlist.h"

struct streams;

/* The kernel ring with their events. */
struct streams_ring {
	const struct ringpage_layout *layout;
	const struct watchlist *list;
	const int *cpus; /* trace_pipe_raw of each, -1 where it has none */
	unsigned n_cpus;
	int comms; /* saved_cmdlines, -1 if there is none */
};

/* With root's privileges, what needs them: sockets for packets, helpers that read files. RING,
 * JUDGE and TESTS (NULL if the plan has none) have to stay as long as the streams. *ret is the
 * caller's; where only some could be opened it is there as well, with the others, and E says which
 * could not. */
int streams_open(struct streams **ret, const struct plan *plan, const struct streams_ring *ring,
		 struct judge *judge, struct luatest *tests, enum follow follow, struct err *e);

/* NULL is fine. */
void streams_close(struct streams *s);

/* What to wait for: fills FDS, which has room for streams_fds_max, and goes on to look there for
 * what poll has said. Returns how many. */
size_t streams_fds_max(const struct streams *s);
size_t streams_fds(struct streams *s, struct pollfd *fds);

/* Takes in what there is now, and shows all of it to the judge that is certain to be the next; what
 * came before SINCE is passed over. Until STOP says so. Whether there was anything, or there is
 * still. */
bool streams_show(struct streams *s, uint64_t since, const struct stop_page *stop);

/* Why not all of it can be looked at any more; NULL as long as it can. */
const char *streams_fault(const struct streams *s);

/* When to do so again without anything to read, if the judge waits for DUE. Boot clock. */
uint64_t streams_wake(const struct streams *s, uint64_t due);
