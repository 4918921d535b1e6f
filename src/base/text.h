/* Text of others in what we print and write: bytes that would end a line or speak to a terminal
 * become \xNN. */
#pragma once

#include <stddef.h>
#include <stdio.h>

/* N bytes of it. */
void text_put(FILE *out, const char *text, size_t n);

/* The same into BUFFER, cut where it is full. */
void text_escape(char *buffer, size_t room, const char *text);
