/* The packets that selectors look for as one stream, in the order of time, while they come in. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "plan/selector.h"

/* A packet is here for certain this long after its stamp, ns. */
uint64_t packetstream_delay(void);

struct packetstream;
struct pollfd;

/* A tap for each of N selectors that is for packets, with root's privileges; *ret stays NULL if
 * there is none. *ret is the caller's. */
int packetstream_open(struct packetstream **ret, struct selector *const *selectors, size_t n,
		      struct err *e);

/* NULL is fine. */
void packetstream_close(struct packetstream *s);

/* What to wait for: fills FDS, which has room for as many as there are selectors. One whose
 * interface is gone is taken out there. Returns how many. */
size_t packetstream_fds(struct packetstream *s, struct pollfd *fds);

/* Takes in what there is now, NOW being the boot clock. Packets from before SINCE are passed over.
 */
void packetstream_look(struct packetstream *s, uint64_t now, uint64_t since);

/* The oldest that is certain to be the next, and whose it is; NULL if there is none. It is valid
 * until packetstream_take. */
const struct observation *packetstream_peek(struct packetstream *s,
					    const struct selector **selector);
void packetstream_take(struct packetstream *s);

/* Without a next one: none of before this time will come. */
uint64_t packetstream_seen(const struct packetstream *s);

/* Whether a packet waits for others to be seen. */
bool packetstream_waits(const struct packetstream *s);

/* Whether some were lost since the last call: the kernel had no room, or the interface is gone. */
bool packetstream_missed(struct packetstream *s);
