#include "base/text.h"

#include <string.h>

#include "base/auto.h"

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

char *text_json(const char *text)
{
	autojson json_t *whole = json_string(text);
	char *escaped = NULL;
	size_t size;
	FILE *out;

	if (whole)
		return strdup(text);
	out = open_memstream(&escaped, &size);
	for (; out && *text; text++)
		fprintf(out, *text & 0x80 ? "\\x%02x" : "%c", (unsigned char)*text);
	if (out)
		fclose(out);
	return escaped;
}

bool text_is_utf8(const char *text, size_t size)
{
	autojson json_t *string = json_stringn(text, size); /* takes nothing else */

	return string != NULL;
}

static bool byte_is_control(unsigned char c)
{
	return (c < ' ' && c != '\n') || c == 0x7f;
}

/* U+0080 to U+009F: terminals obey them as they do the escape character. */
static bool bytes_are_control(const unsigned char *p)
{
	return p[0] == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f;
}

void text_clean(char *text)
{
	bool is_utf8 = text_is_utf8(text, strlen(text));

	for (unsigned char *p = (unsigned char *)text; *p; p++) {
		if (byte_is_control(*p) || (*p >= 0x80 && !is_utf8))
			*p = '?';
		else if (bytes_are_control(p))
			p[0] = p[1] = '?';
	}
}
