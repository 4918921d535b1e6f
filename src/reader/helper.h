/* A helper of a reader (reader.h): the process that opens what it is asked for, and nothing else.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "reader/kept.h"
#include "reader/query.h"

struct request {
	uint32_t op; /* enum reader_op */
	uint32_t sequence;
	uint32_t n; /* of files: so many paths, each ended by a NUL; of others 1 */
	char path[PATH_MAX];
};

/* The buffer of files begins with this; it is written by both sides. */
struct parts {
	uint32_t done;  /* how many are whole */
	uint32_t limit; /* how many are wanted: fewer, once one of them takes long */
};

/* One of them, with its content behind it, up to where the next one begins. */
struct part {
	uint64_t time;
	uint64_t size;
	int32_t error;
	uint32_t truncated;
};

/* How far one part is from the next. */
static inline size_t part_step(uint64_t size)
{
	return sizeof(struct part) + ((size + 7) & ~(size_t)7);
}

struct reply {
	uint32_t slot;
	uint32_t sequence; /* the request's; 0 says that the helper is ready */
	int32_t error;
	uint32_t truncated;
	uint64_t size;
	uint64_t time;
};

struct mnl_socket;

struct helper {
	enum reader_kind kind;
	bool fsfreeze_safe;
	int requests; /* sockets */
	int answers;
	uint32_t slot;
	char *buffer; /* shared with the owner, of `room` bytes, aligned for anything */
	size_t max;   /* bytes of an answer that is a text */
	size_t room;
	struct mnl_socket *netlink; /* of READER_OF_SOCKETS */
	struct kept kept;
};

/* Serves requests until OWNER is gone. */
_Noreturn void helper_run(struct helper *h, pid_t owner);
