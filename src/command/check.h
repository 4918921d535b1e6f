/* What the two parts of tracer check share: its page, and its trial. */
#pragma once

#include <stdint.h>

#include "prepare/prepare.h"

/* How late a condition is decided, ns: all streams of the plan have to be seen up to then. */
uint64_t check_lateness(const struct plan *plan, const struct condition *c);

/* Arms the plan for a trial and tells what it has measured. */
int check_measure(struct prepared *p, const struct options *options, const char **words,
		  int n_words, struct err *e);
