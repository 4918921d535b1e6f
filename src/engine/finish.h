/* From a stopped recording to a bundle: save, convert, seal. Each is a process of its own (a
 * worker_main over struct output), since each touches disks that can hang; capture and recover
 * share them. */
#pragma once

#include "base/err.h"
#include "bundle/output.h"
#include "engine/workers.h"

struct finish {
	struct output output;
	struct workers *workers;
};

/* All three, and then nothing is left. On failure the state directory stays for recover, and the
 * sentence says so. */
int finish_run(struct finish *finish, enum exit_code *exit, struct err *e);

/* Closes all that is open in the kernel's rings, which cannot be removed before. */
void finish_let_go(struct finish *finish);
