#include "base/text.h"

#include <string.h>

static int text_is_plain(unsigned char c)
{
	return (c >= ' ' || c == '\t') && c != 0x7f;
}

void text_put(FILE *out, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = text[i];

		if (text_is_plain(c))
			fputc(c, out);
		else
			fprintf(out, "\\x%02x", c);
	}
}

void text_escape(char *buffer, size_t room, const char *text)
{
	size_t used = 0;

	for (; *text; text++) {
		unsigned char c = *text;
		size_t n = text_is_plain(c) ? 1 : 4;

		if (used + n >= room)
			break;
		used += snprintf(buffer + used, room - used, n == 1 ? "%c" : "\\x%02x", c);
	}
	buffer[used] = '\0';
}
