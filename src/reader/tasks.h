/* Tasks, as /proc shows them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Whether the cgroup at that path, of N bytes, is the other one or below it. */
bool tasks_cgroup_is_below(const char *path, size_t n, const char *cgroup);

/* Writes those of this moment that sleep and cannot be woken, state D, into BUFFER, each as a text
 * "TID START SWITCHES COMM\tSTACK" ended by a NUL: when it was started, in ticks since boot; how
 * often it has been switched from; the functions that it sleeps in, the innermost first, as far as
 * /proc tells. Returns the bytes; those that do not fit in ROOM are left out. */
size_t tasks_asleep(char *buffer, size_t room);

/* Writes the time at which it begins, of the boot clock, in ns, and "PID TID", a line for each
 * thread of the processes that WHO names: "comm NAME" (of the first thread), "exe PATH", "cgroup
 * PATH" (it, or one below). Returns 0 or an errno. */
int tasks_members(FILE *out, const char *who);

/* Writes what /proc tells of each task that passes QUERY, a JSON object of what is asked for: "pid"
 * (list: of a process, or of a thread of one; numbers, or their digits), "comm" (list), "cgroup"
 * (it, or one below), "state" (one of these letters), until it is more than MAX bytes, or takes too
 * long: *cut then. Returns 0 or an errno. */
int tasks_write(FILE *out, const char *query, size_t max, bool *cut);
