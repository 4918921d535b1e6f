/* What the selectors for readings have in common, for who takes them. */
#pragma once

#include <stdint.h>

#include "plan/selector.h"

enum reading {
	READING_FILE,
	READING_PATHS,
	READING_TASKS,
	READING_PRESSURE,
	READING_LINES,
	READING_MEMBERS
};

struct reading_selector {
	enum reading kind;
	const char *path; /* a file, a pattern, a file of the kernel's pressure, a log, or who is
			     looked for; owned by the spec but for `made` */
	char *made;
	uint64_t every;   /* ns between two readings, or how late a line is seen; of pressure there
			     is no need */
	char trigger[64]; /* of pressure: what the kernel is told */
};

#define READING_TEXT 65536 /* bytes of one file, and a NUL */

/* Tells the kernel of pressure's trigger, and returns the descriptor that it then wakes, or -errno.
 */
int pressure_open(const struct reading_selector *reading, struct err *e);

/* Reads `every`: 10ms at least. */
int reading_every(struct selector *s, struct err *e);

/* For their selector_ops; what the host has shows when it is read. */
int reading_probe(struct selector *s, struct tracing *tracing, struct err *e);
int reading_find(const struct selector *s, struct key_part *part, struct err *e);
void reading_free(struct selector *s);

/* The file's content now, with a NUL behind it; TEXT has room for READING_TEXT. */
int reading_read(const struct reading_selector *reading, char *text, size_t *size, struct err *e);
