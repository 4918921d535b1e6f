/* manifest.json, schema 1: what a bundle is, what it holds and how whole that is. */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/err.h"
#include "bundle/output.h"
#include "plan/source.h"

/* The manifest of what was saved, without the list of files. *ret is the caller's. */
int manifest_make(json_t **ret, const struct output *output, const struct report *reports,
		  const struct anchor *anchors, size_t n_anchors, struct err *e);

/* Reads and writes it in a bundle's directory; writing replaces it at once. */
int manifest_read(json_t **ret, int bundledir, struct err *e);

/* Its clock anchors, oldest first, at least one; *ret is the caller's to free, also after an error.
 */
int manifest_anchors(const json_t *manifest, struct anchor **ret, size_t *n, struct err *e);
int manifest_write(const json_t *manifest, int bundledir, struct err *e);

/* Adds every file below BUNDLEDIR but itself, with size and SHA-256, sorted by path. */
int manifest_add_files(json_t *manifest, int bundledir, struct err *e);

/* The members that readers need: numbers are 0 and strings "" where they are not there. */
json_int_t manifest_int(const json_t *object, const char *key);
const char *manifest_text(const json_t *object, const char *key);
