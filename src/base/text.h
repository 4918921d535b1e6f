/* Text of others in what we print and write: bytes that would end a line or speak to a terminal
 * become \xNN. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* N bytes of it. */
void text_put(FILE *out, const char *text, size_t n);

/* The same into BUFFER, cut where it is full. */
void text_escape(char *buffer, size_t room, const char *text);

/* TEXT as JSON can have it: where it is no UTF-8, as names of tasks and files can be, with its odd
 * bytes as "\xff". The caller frees it. */
char *text_json(const char *text);

/* Whether it is well-formed UTF-8; a NUL is. */
bool text_is_utf8(const char *text, size_t size);

/* Makes it fit for a terminal: UTF-8 without control characters but the end of a line; what is
 * neither becomes '?'. */
void text_clean(char *text);
