/* Where a bundle goes: from the halted rings to the tarball, each stage is told this. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "capture/about.h"
#include "capture/capture.h"

struct output {
	struct capture *capture;
	const struct about *about;
	const char *outdir;   /* where the bundle goes */
	char sealed_in[4096]; /* where it is, if an earlier run has made it */
	char name[200];       /* of the bundle, without ".tar.zst" */
	const char *skipped;  /* why there is no conversion, NULL if there is */
};

/* ".tar.zst" and the like, by enum compress. */
extern const char *const output_suffixes[];

/* Fills the bundle's name from the stop record. */
void output_name(struct output *output);

/* The bundle's path. */
void output_path(const struct output *output, char *path, size_t size);

/* Whether the rings were emptied already: then DIR becomes the directory that the raw data's is in,
 * and output->name its name. */
bool output_saved(struct output *output, char *dir, size_t size);

/* Opens the directory of the raw data. Returns the descriptor or -errno. */
int output_open(const struct output *output, struct err *e);
