/* Tasks that sleep and cannot be woken, state D. */
#pragma once

#include <stddef.h>

/* Writes those of this moment into BUFFER, each as a text "TID START SWITCHES COMM\tSTACK" ended by
 * a NUL: when it was started, in ticks since boot; how often it has been switched from; the
 * functions that it sleeps in, the innermost first, as far as /proc tells. Returns the bytes; those
 * that do not fit in ROOM are left out. */
size_t tasks_asleep(char *buffer, size_t room);
