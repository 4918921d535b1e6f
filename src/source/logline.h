/* Log files of a bundle: a line has its time in UTC and on the boot clock, its level, its text. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "plan/source.h"

struct logline {
	uint64_t time;  /* boot clock */
	uint32_t level; /* of syslog(3); UINT32_MAX: it has none */
	bool continued; /* goes on with the line before */
	const char *text;
	size_t size;
};

/* Makes logs/NAME.log; NULL with an error. */
FILE *logline_create(const struct source *s, const struct save *save, struct err *e);

/* Bytes that would speak to a terminal are escaped; a text of several lines has the head on each.
 */
void logline_write(FILE *out, const struct save *save, const struct logline *line);
