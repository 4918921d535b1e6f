/* t.appears: a path that was not there before. */
#include <stdlib.h>
#include <string.h>

#include "selector/reading.h"

static int appears_decode(struct selector *s, struct err *e)
{
	struct reading_selector *reading = s->data = calloc(1, sizeof(*reading));

	if (!reading)
		return err_set(e, "no memory");
	reading->kind = READING_PATHS;
	reading->path = json_string_value(json_object_get(s->spec, "path"));
	if (!reading->path || *reading->path != '/')
		return err_set(e, "what appears has an absolute path");
	return reading_every(s, e);
}

static void appears_describe(const struct selector *s, const struct observation *o, FILE *out)
{
	(void)s;
	fprintf(out, "%.*s has appeared", (int)o->size, (const char *)o->data);
}

const struct selector_ops appears_selector = {
	.type = "appears",
	.stream = STREAM_READINGS,
	.decode = appears_decode,
	.probe = reading_probe,
	.find = reading_find,
	.describe = appears_describe,
	.free = reading_free,
};
