/* State directories: what a running capture keeps on tmpfs, and what a killed one leaves there. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/ulid.h"

struct state {
	char id[ULID_SIZE];
	char path[64];
	int fd;
	int lock; /* held while the capture lives; -1 if we only look */
};

/* Makes the directory for ID (mode 0700, tmpfs) and takes its lock. *ret is the caller's. */
int state_create(struct state **ret, const char *id, struct err *e);

/* Takes over the state of a capture whose process is gone: an error if it lives, or if ID (any
 * unique prefix; NULL if there is just one) names none or several. */
int state_adopt(struct state **ret, const char *id, struct err *e);

/* Lets go of it; the directory stays. NULL is fine. */
void state_close(struct state *state);

/* Removes the directory and lets go of it. */
int state_remove(struct state *state, struct err *e);

struct state_entry {
	char id[ULID_SIZE];
	char path[64];
	bool alive; /* somebody holds its lock */
};

/* All state directories of this host, oldest first. *ret is the caller's to free. */
int state_list(struct state_entry **ret, size_t *n, struct err *e);

/* A sentence a line to standard error for each capture that was interrupted: every command that
 * starts something says so. */
void state_tell_interrupted(void);

/* The entry that ID (any unique prefix, NULL if there is just one) names among those that live, or
 * that do not. */
int state_find(struct state_entry *ret, const char *id, bool alive, struct err *e);

/* The path of a file that all captures of this host share, beside their directories; NULL without a
 * place or memory. The caller frees it. */
char *state_shared_path(const char *name);

/* Bytes that a new state directory could hold now. */
uint64_t state_room(void);
