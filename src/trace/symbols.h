/* The kernel's symbols, and which of them a recording needs. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct symbols;

/* Reads the text of /proc/kallsyms from FD. Where the kernel hides the addresses (all are zero),
 * nothing will ever be marked. *ret is the caller's. */
int symbols_read(struct symbols **ret, int fd, struct err *e);

/* NULL is fine. */
void symbols_free(struct symbols *symbols);

/* Marks the symbol around each address in DATA: any value of 8 bytes, aligned to 4, between the
 * first symbol and the last. */
void symbols_mark(struct symbols *symbols, const void *data, size_t size);

/* The most bytes that symbols_text can give. */
size_t symbols_text_max(const struct symbols *symbols);

/* The marked ones in the form of /proc/kallsyms, by address, and the one behind the last of them,
 * which is where that one ends. The caller frees it; NULL without memory. */
char *symbols_text(const struct symbols *symbols, size_t *size);
