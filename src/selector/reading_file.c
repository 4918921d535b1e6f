/* A file's content again and again: what t.gauge looks at. */
#include <stdlib.h>
#include <string.h>

#include "selector/reading.h"

static int file_decode(struct selector *s, struct err *e)
{
	struct reading_selector *reading = s->data = calloc(1, sizeof(*reading));

	if (!reading)
		return err_set(e, "no memory");
	reading->kind = READING_FILE;
	reading->path = json_string_value(json_object_get(s->spec, "path"));
	if (!reading->path || *reading->path != '/' || strpbrk(reading->path, "*?["))
		return err_set(e, "a file has an absolute path without wildcards");
	return reading_every(s, e);
}

static void file_describe(const struct selector *s, const struct observation *o, FILE *out)
{
	const struct reading_selector *reading = s->data;

	fprintf(out, "%s: %.*s", reading->path, (int)strcspn((const char *)o->data, "\n"),
		(const char *)o->data);
}

const struct selector_ops file_selector = {
	.type = "file",
	.stream = STREAM_READINGS,
	.decode = file_decode,
	.probe = reading_probe,
	.find = reading_find,
	.describe = file_describe,
	.free = reading_free,
};
