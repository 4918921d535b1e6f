/* Converters: each makes text from a saved bundle, so that sealing, recovering, showing and
 * replaying share it. */
#pragma once

#include "base/err.h"

struct converter {
	const char *what;   /* for the log */
	const char *dir;    /* of the files that it is for, NULL: it runs once for the bundle */
	const char *suffix; /* of the files that it is for */

	/* In a process of its own: opens what it needs below BUNDLEDIR, enters the sandbox, writes.
	 * PATH is the file, NULL if it runs once. What it wrote before it failed stays. */
	int (*run)(int bundledir, const char *path, struct err *e);
};

extern const struct converter trace_converter;
extern const struct converter syscalls_converter;
extern const struct converter last_converter;
extern const struct converter summary_converter;

/* The family's one table, ended by NULL, in the order in which they run. */
extern const struct converter *const converter_table[];

/* A worker_main over struct output: text from the raw data, by every converter that has input, each
 * in a sandbox. Failures are in the manifest alone. */
int convert_main(void *output, int engine, struct err *e);
