/* The formats of all events of a host in one text: host/formats.txt of a bundle, by which a recipe
 * can be checked, and a recording read, where there is no such kernel. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* Writes those below the events directory EVENTSDIR to a new file: for each a line "system: NAME",
 * then its format as the kernel gives it. */
int formats_write(int eventsdir, int dirfd, const char *path, struct err *e);

/* One of them. */
struct formats_entry {
	const char *system, *name;
	const char *text; /* as events/SYSTEM/NAME/format has it */
};

struct formats {
	char *text; /* owns all below */
	struct formats_entry *list;
	size_t n;
};

/* Reads such a text; *ret is the caller's. */
int formats_read(struct formats **ret, const char *text, struct err *e);

/* NULL is fine. */
void formats_free(struct formats *formats);

/* NULL if there is none. */
const struct formats_entry *formats_find(const struct formats *formats, const char *system,
					 const char *name);
