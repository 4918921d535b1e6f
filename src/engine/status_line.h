/* How a capture is getting on, in words. */
#pragma once

#include <stdio.h>

#include "capture/board.h"
#include "plan/plan.h"

/* One line: elapsed, records, losses, the conditions and how near they are. */
void status_line(FILE *out, const struct board *board, const struct plan *plan);

/* The same as a few lines, one a source and one a condition. */
void status_page(FILE *out, const struct board *board, const struct plan *plan);
