/* Obligations: keys with the time since which something is owed to each, the oldest first, in
 * memory of a fixed size. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "plan/key.h"

struct obligation {
	uint64_t since;
	uint32_t cpu;
	int32_t pid;
	bool uncertain;
	struct key key;
	uint32_t next; /* of the same bucket */
	uint32_t older, newer;
};

struct obligations;

/* Room for MAX of them. *ret is the caller's. */
int obligations_create(struct obligations **ret, uint32_t max, struct err *e);

/* NULL is fine. */
void obligations_free(struct obligations *o);

/* Opens one; NULL if that key has one already, or if there is no room, which is counted. The caller
 * fills in the rest: SINCE is no earlier than any before. */
struct obligation *obligations_open(struct obligations *o, const struct key *key, uint64_t since);

/* The one of that key, NULL if there is none. */
struct obligation *obligations_find(const struct obligations *o, const struct key *key);

/* The oldest, NULL if there is none. */
struct obligation *obligations_oldest(const struct obligations *o);

/* It is met, told, or has to make room. */
void obligations_close(struct obligations *o, struct obligation *obligation);

/* How many are open, and for how many there was no room. */
uint32_t obligations_count(const struct obligations *o);
uint64_t obligations_dropped(const struct obligations *o);
