/* A bundle at a desk: what was recorded, of which host, in files that are open. The tarball is
 * unpacked by a process that can do nothing else, into files that have no name. */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "plan/plan.h"
#include "trace/tracing.h"

struct recording_file {
	char *path; /* in the bundle */
	int fd;     /* -1: the bundle does not have it */
};

struct recording {
	char *name; /* as it was given */
	int fd;     /* the tarball, or an unpacked one's directory */
	json_t *manifest;
	struct plan *plan;       /* what it was recorded by; decoded only */
	struct tracing *tracing; /* the formats of its host; NULL if it has none */
	struct anchor *anchors;
	size_t n_anchors;
	struct recording_file *files; /* that were fetched */
	size_t n_files;
};

/* Opens a tarball, or the directory of one, and reads what it says of itself. *ret is the caller's.
 */
int recording_open(struct recording **ret, const char *path, struct err *e);

/* NULL is fine. */
void recording_close(struct recording *r);

/* Fetches those paths, all that will be needed, at once. */
int recording_fetch(struct recording *r, const char *const *paths, size_t n, struct err *e);

/* The descriptor of one that was fetched, -1 if the bundle does not have it. */
int recording_file(const struct recording *r, const char *path);

/* A moment of the manifest ("started", "stop.event"), boot clock. */
uint64_t recording_moment(const struct recording *r, const char *object, const char *member);

/* The window of the source of that name: what the manifest says was kept whole. False if it was not
 * saved. */
bool recording_window(const struct recording *r, const char *source, uint64_t *from, uint64_t *to);

/* The host's kernel and CPUs. */
const char *recording_kernel(const struct recording *r);
uint32_t recording_cpus(const struct recording *r);
