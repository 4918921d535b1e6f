/* A ring of records in a file on tmpfs, which another process can read after its writer was killed.
 *
 * One writer. Records are kept in the order in which they were pushed; the oldest make room for the
 * newest. The head is published after the record is whole, the tail before what it leaves is
 * overwritten, so that the file is well-formed at every instant. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/err.h"

struct ring_record {
	uint64_t time;    /* boot clock, ns */
	uint32_t kind;    /* the owner's: a file's number, an interface index */
	uint32_t size;    /* of the data, bytes */
	uint64_t aux;     /* the owner's: a packet's length on the wire, a read's errno */
	const void *data; /* points into the ring */
};

/* What the owner counts, in the file's head, so that it survives the owner. */
struct ring_counters {
	uint64_t pushed;            /* records since the start */
	uint64_t bytes;             /* of their data */
	uint64_t overwritten;       /* records that made room for newer ones: normal */
	uint64_t overwritten_until; /* boot clock: the newest stamp among those; what is later is
				       still here */
	uint64_t lost;              /* records that never came in: a hole */
	uint64_t lost_since; /* boot clock: first and last time at which a loss was noticed, 0 if
				none */
	uint64_t lost_until;
	uint64_t seen_since; /* boot clock: all from here on, */
	uint64_t seen_until; /* up to here, has been seen */
};

struct ring;

/* Makes a ring file of SIZE data bytes for the path below DIRFD, allocated whole so that it cannot
 * fail later. */
int ring_create(struct ring **ret, int dirfd, const char *path, uint64_t size, struct err *e);

/* Maps an existing ring, read-only; refuses one that is not well-formed. */
int ring_open(struct ring **ret, int dirfd, const char *path, struct err *e);

/* Unmaps; the file stays. NULL is fine. */
void ring_free(struct ring *ring);

/* Appends a record that is the concatenation of IOV, making room if needed. -EMSGSIZE if it can
 * never fit. */
int ring_push(struct ring *ring, const struct ring_record *record, const struct iovec *iov,
	      int iovcnt);

/* Evicts what is older than TIME from the tail: for rings that keep a time and not a size. */
void ring_evict_before(struct ring *ring, uint64_t time);

/* The writer's counters, to be counted up in place. */
struct ring_counters *ring_counters(struct ring *ring);

/* Bytes that its data area has. */
uint64_t ring_size(const struct ring *ring);

/* Walks from the oldest to the newest: *cursor starts at 0. Returns 1 with a record, 0 at the end.
 * Stops quietly at a record that is not well-formed. */
int ring_next(const struct ring *ring, uint64_t *cursor, struct ring_record *record);
