/* The files that a script may load: the recipe and what lies beneath its directory. */
#pragma once

#include <stddef.h>

#include "base/err.h"

#define SCRIPT_FILE_MAX (1u << 20) /* of one file, bytes */

struct script_file {
	char *name; /* relative to the recipe's directory: "scoutfs.lua", "lib/net.lua" */
	char *text; /* UTF-8 without a NUL; ends in a NUL that size does not count */
	size_t size;
};

/* Reads the recipe at PATH. *dirfd is its directory, for what it requires; both are the caller's.
 */
int script_file_recipe(struct script_file *ret, int *dirfd, const char *path, struct err *e);

/* Reads the module NAME ("net", "lib.net" or "lib/net") from a file beneath DIRFD: a regular file,
 * no link on the way. */
int script_file_module(struct script_file *ret, int dirfd, const char *name, struct err *e);

/* Opens a regular file beneath DIRFD without following a link or leaving DIRFD. The second does it
 * one component at a time, for kernels without openat2; the first falls back to it. Returns the
 * descriptor or -errno. */
int script_file_open(int dirfd, const char *path, struct err *e);
int script_file_open_stepwise(int dirfd, const char *path, struct err *e);

/* Refuses what is not Lua text: compiled chunks, NULs, what is not UTF-8. */
int script_file_check(const char *text, size_t size, struct err *e);

/* Frees what the file owns, not the file itself. */
void script_file_clear(struct script_file *file);
