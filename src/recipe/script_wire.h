/* What the engine and the script process say to each other, over a stream socket. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum wire_kind {
	/* from the script */
	WIRE_REQUIRE = 1, /* the name of a module; answered by MODULE or REFUSED */
	WIRE_HAS,         /* "SYSTEM:NAME"; answered by YES or NO */
	WIRE_RESULT,      /* what it was asked for: the last message */
	WIRE_ERROR,       /* the recipe or its arguments are wrong, a sentence: the last message */
	WIRE_FAULT,       /* the process itself does not work, a sentence: the last message */
	/* from the engine */
	WIRE_MODULE,  /* the file's name, a NUL, its text */
	WIRE_REFUSED, /* a sentence */
	WIRE_YES,
	WIRE_NO,
};

#define WIRE_SIZE_MAX (8u << 20) /* of one message, bytes */

/* Sends a whole message before UNTIL (boot clock). Returns 0, -ETIME, -EMSGSIZE or another -errno.
 */
int wire_send(int fd, enum wire_kind kind, const void *data, size_t size, uint64_t until);

/* Takes a whole message before UNTIL. *data ends in a NUL that *size does not count, and is the
 * caller's. Returns its kind, or -ETIME, -EMSGSIZE, -ECONNRESET where the other side is gone, or
 * another -errno. */
int wire_receive(int fd, char **data, size_t *size, uint64_t until);
