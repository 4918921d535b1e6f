/* t.appears: a path that was not there before. */
#include <stdlib.h>
#include <string.h>

#include "selector/reading.h"
#include "units.h"

static int appears_decode(struct selector *s, struct err *e)
{
	struct reading_selector *reading = s->data = calloc(1, sizeof(*reading));
	json_int_t every = json_integer_value(json_object_get(s->spec, "every"));

	if (!reading)
		return err_set(e, "no memory");
	reading->kind = READING_PATHS;
	reading->path = json_string_value(json_object_get(s->spec, "path"));
	reading->every = every;
	if (!reading->path || *reading->path != '/')
		return err_set(e, "what appears has an absolute path");
	if (every < (json_int_t)(10 * NS_PER_MS))
		return err_set(e, "`every` is 10ms or more");
	return 0;
}

static int appears_probe(struct selector *s, struct tracing *tracing, struct err *e)
{
	(void)s;
	(void)tracing;
	(void)e;
	return 0;
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
	.probe = appears_probe,
	.find = reading_find,
	.describe = appears_describe,
	.free = reading_free,
};
