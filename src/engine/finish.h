/* From a stopped recording to a bundle: save, convert, seal. Each is a process of its own (a
 * worker_main over struct finish), since each touches disks that can hang; capture and recover
 * share them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "capture/about.h"
#include "capture/capture.h"
#include "engine/crew.h"

struct finish {
	struct capture *capture;
	struct crew *crew;
	const struct about *about;
	const char *outdir;   /* where the bundle goes */
	char sealed_in[4096]; /* where it is, if an earlier run has made it */
	char name[200];       /* of the bundle, without ".tar.zst" */
	const char *skipped;  /* why there is no conversion, NULL if there is */
};

/* All three, and then nothing is left. On failure the state directory stays for recover, and the
 * sentence says so. */
int finish_run(struct finish *finish, enum exit_code *exit, struct err *e);

/* The bundle's path. */
void finish_path(const struct finish *finish, char *path, size_t size);

/* Closes all that is open in the kernel's rings, which cannot be removed before. */
void finish_let_go(struct finish *finish);

/* ".tar.zst" and the like, by enum compress. */
extern const char *const bundle_suffixes[];

/* Fills the bundle's name from the stop record. */
void finish_name(struct finish *finish);

/* Whether the rings were emptied already: then DIR becomes the directory that the raw data's is in,
 * and finish->name its name. */
bool finish_saved(struct finish *finish, char *dir, size_t size);

/* The raw data, synced, with recipe and manifest, in OUTDIR/NAME. -ENOSPC before
 * anything was taken out of the rings. What was saved elsewhere before is moved here. */
int save_main(void *finish, int engine, struct err *e);

/* Text from the raw data: every converter that has input, each in a sandbox. Failures are in the
 * manifest alone. */
int convert_main(void *finish, int engine, struct err *e);

/* The tarball from the directory, which is then removed. */
int seal_main(void *finish, int engine, struct err *e);
