/* The file that says which process a capture is, for who has started it. */
#pragma once

#include "base/err.h"

/* Writes this process's ID to PATH, whole or not at all. One that another capture has left is
 * replaced; one whose capture still runs is an error. */
int pidfile_write(const char *path, struct err *e);

/* Removes it, if it still is ours. */
void pidfile_remove(const char *path);
