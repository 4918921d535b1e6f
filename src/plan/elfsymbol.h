/* From a symbol of a program or library to the place of its code in the file. */
#pragma once

#include <stdint.h>

#include "base/err.h"

/* Finds SYMBOL in the ELF file FD, by its dynamic symbols and, where they were not stripped, its
 * own ones. SYMBOL is a function's name, with "@VERSION" where an older one is meant and "+OFFSET"
 * for a place within it. *offset is where that code is in the file. The file is not to be trusted:
 * call this in a process that has nothing to lose. */
int elfsymbol_offset(int fd, const char *symbol, uint64_t *offset, struct err *e);
