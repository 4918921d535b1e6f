/* Anchors between the boot clock and all other clocks, taken at the start, at the stop and in
 * between, kept in the state directory. */
#pragma once

#include <stddef.h>

#include "base/clock.h"
#include "base/err.h"
#include "capture/capture.h"

/* Makes the small trace instance by which the kernel log's clock is read, if the capture has that
 * log; takes the first anchor. */
int anchors_arm(struct capture *c, struct err *e);

/* Takes one more. */
int anchors_add(struct capture *c, struct err *e);

/* All of a state directory, oldest first; at least one. *ret is the caller's to free. */
int anchors_read(int statedir, struct anchor **ret, size_t *n, struct err *e);
