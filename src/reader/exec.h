/* Running a command for the recipe, as root: what --allow-exec allows. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

/* Whether there is such a program, in PATH or by its path. */
bool exec_is_there(const char *program);

/* Runs the command of QUERY, { "argv": [...], "deadline": NS }, in a session of its own, in "/" and
 * with PATH and LC_ALL=C only, and writes what it prints, up to MAX bytes, and a last line that
 * says how it ended. *cut is set if there was more, or if it was killed at its deadline. Whatever
 * it has left in its session's first process group is killed, also as soon as the socket OWNER (-1:
 * none) has nobody at its other end. Returns 0 or an errno: it could not be run. */
int exec_write(FILE *out, const char *query, size_t max, int owner, bool *cut);
