/* Capture IDs: 26 characters that sort by time and are not to be guessed. */
#pragma once

#include <stdint.h>

#define ULID_SIZE 27 /* with the NUL */

/* Makes one for this wall time. */
void ulid_make(char id[ULID_SIZE], uint64_t wall_ns);
