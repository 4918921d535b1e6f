/* The functions of this host that a probe can be put on: those of the kernel, and those of programs
 * and libraries. */
#pragma once

#include <stdint.h>

#include "base/err.h"

/* Whether the kernel has just one function of that name and allows a probe in it; else a sentence
 * with the nearest. */
int function_in_kernel(const char *name, struct err *e);

/* Where the code of SYMBOL (elfsymbol.h) is in the file PATH. */
int function_in_file(const char *path, const char *symbol, uint64_t *offset, struct err *e);
