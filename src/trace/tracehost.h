/* What the kernel says of itself that a trace.dat needs besides its pages: read while we are still
 * root. */
#pragma once

#include <stddef.h>

#include "base/err.h"
#include "trace/symbols.h"
#include "trace/tracedat.h"
#include "trace/tracing.h"

struct tracehost {
	struct tracedat_about about;
	struct symbols *symbols; /* NULL without */
	char **formats;          /* of all systems, one array */
	size_t n_formats;
	char **ftrace_formats;
	size_t n_ftrace_formats;
	struct tracedat_system *systems;
	char uname[400];
	char *texts[6];
	size_t n_texts;
};

/* Of an instance and of N events, whose names belong to who asks, and which are sorted here, each
 * once. The names of tasks come first: they are soon forgotten. */
struct tracehost_event {
	const char *system, *name;
};
int tracehost_read(struct tracehost *host, struct tracing *tracing, const char *instance,
		   struct tracehost_event *events, size_t n, struct err *e);

/* The kernel's symbols besides, for a file with addresses. Without them these stay numbers: no
 * reason to lose the events. */
void tracehost_read_symbols(struct tracehost *host);

/* Frees what it holds; one that is empty or half read is fine. */
void tracehost_clear(struct tracehost *host);
