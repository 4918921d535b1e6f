/* What all sources of logs share: their word in the plan, and their ring. */
#pragma once

#include <stdint.h>

#include "base/units.h"
#include "plan/source.h"

/* Reads `log`, which stays the spec's, and `keep`; checks the source's name. */
int log_read(const struct source *s, const char **log, uint64_t *keep, struct err *e);

/* The ring's file in the state directory. */
struct unit_text log_file(const struct source *s);

/* Saves the kernel's log. */
int log_save(struct source *s, struct save *save, struct err *e);
