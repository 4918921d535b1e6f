/* A file's content again and again: what t.gauge looks at. */
#include <stdlib.h>
#include <string.h>

#include "selector/reading.h"
#include "units.h"

static int file_decode(struct selector *s, struct err *e)
{
	struct reading_selector *reading = s->data = calloc(1, sizeof(*reading));
	json_int_t every = json_integer_value(json_object_get(s->spec, "every"));

	if (!reading)
		return err_set(e, "no memory");
	reading->kind = READING_FILE;
	reading->path = json_string_value(json_object_get(s->spec, "path"));
	reading->every = every;
	if (!reading->path || *reading->path != '/' || strpbrk(reading->path, "*?["))
		return err_set(e, "a file has an absolute path without wildcards");
	if (every < (json_int_t)(10 * NS_PER_MS))
		return err_set(e, "`every` is 10ms or more");
	return 0;
}

/* Whoever looks at the content reads it. */
static int file_probe(struct selector *s, struct tracing *tracing, struct err *e)
{
	(void)s;
	(void)tracing;
	(void)e;
	return 0;
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
	.probe = file_probe,
	.find = reading_find,
	.describe = file_describe,
	.free = reading_free,
};
