/* The kernel's tracing directory. Where it is not mounted we hold a mount of our own that nobody
 * else sees. At a desk, the formats of a bundle stand in for it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "trace/format.h"

struct tracing;

/* Finds or privately mounts it, and tells libtracefs where it is. */
int tracing_open(struct tracing **ret, struct err *e);
void tracing_close(struct tracing *tracing);

/* Instead of a kernel, the formats of a bundle: formats.h. The text stays the caller's. */
int tracing_of_formats(struct tracing **ret, const char *formats, struct err *e);
bool tracing_is_recorded(const struct tracing *tracing);

/* A descriptor of its top directory, for openat; stays its own. -1 if it is recorded. */
int tracing_fd(const struct tracing *tracing);

bool tracing_has(const struct tracing *tracing, const char *system, const char *event);

/* The format of an event; an unknown one is an error with the nearest name. *ret is the caller's.
 */
int tracing_format(struct tracing *tracing, const char *system, const char *event,
		   struct format **ret, struct err *e);

/* The events "SYSTEM:NAME" that match a glob in either part, sorted; an array that ends in NULL,
 * the caller's to free with names_free. */
int tracing_glob(struct tracing *tracing, const char *glob, char ***ret, size_t *n, struct err *e);
void names_free(char **names);
