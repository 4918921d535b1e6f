/* Keys: what joins two records, the same values in fields of the same or of different names. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "trace/format.h"

#define KEY_PARTS 4
#define KEY_SIZE 96 /* so much for each part: */
#define KEY_VALUE (KEY_SIZE / KEY_PARTS - 2)

enum value { VALUE_NUMBER = 1, VALUE_TEXT, VALUE_HASH, VALUE_ADDRESS };

/* Where one value of a key is in the records of one selector. */
struct key_part {
	const char *name;          /* a field's; NULL for bytes of the payload */
	const struct field *field; /* of the event, once it is found */
	uint32_t what;             /* of a packet, the selector's own number for the name */
	enum value kind;           /* of what is there, and how many bytes a number has */
	uint32_t width;
	uint32_t offset; /* bytes of the payload: from its begin, how many */
	uint32_t size;
	bool little; /* their order: the least first */
};

/* The values, each behind its kind, one behind the other. */
struct key {
	uint32_t size;
	uint8_t data[KEY_SIZE];
};

/* Reads one side of an entry of the plan's `key`: a name, or { payload, size, order }. */
int key_part_decode(struct key_part *part, const json_t *spec, struct err *e);

/* Append a value. A text that is longer than KEY_VALUE is told apart by a hash. */
void key_add_number(struct key *key, const struct key_part *part, uint64_t number);
void key_add_text(struct key *key, const char *text, size_t length);
void key_add_address(struct key *key, const void *address, size_t size); /* 4 or 16 bytes */

/* Whether A and B, which are of two selectors, can be the same: then numbers are compared by the
 * bytes that both have. */
int key_parts_join(struct key_part *a, struct key_part *b, struct err *e);

/* "xid=7 port=2049 ", those of the values that are numbers. */
void key_numbers(const struct key *key, const struct key_part *parts, size_t n, char *text,
		 size_t room);

/* "xid=7 port=2049", by the names of those parts. */
void key_print(const struct key *key, const struct key_part *parts, size_t n, char *text,
	       size_t room);
