/* What a line has to have: a text in it, or a pattern that it matches. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct linetext {
	struct pattern *regex; /* NULL: `text` */
	const char *text;      /* owned by the spec */
};

/* Reads `text` or `regex` of the spec, of which there has to be one. */
int linetext_read(struct linetext *l, const json_t *spec, struct err *e);

bool linetext_is_in(const struct linetext *l, const char *line, size_t size);

void linetext_clear(struct linetext *l);
