/* The threads of the processes of one name, program or cgroup, again and again: what t.exit looks
 * at.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "selector/reading.h"

static int members_decode(struct selector *s, struct err *e)
{
	struct reading_selector *reading = s->data = calloc(1, sizeof(*reading));

	if (!reading)
		return err_set(e, "no memory");
	reading->kind = READING_MEMBERS;
	reading->path = json_string_value(json_object_get(s->spec, "of"));
	if (!reading->path || strlen(reading->path) >= PATH_MAX)
		return err_set(e, "the plan does not say whose threads are looked for");
	return reading_every(s, e);
}

static void members_describe(const struct selector *s, const struct observation *o, FILE *out)
{
	(void)s;
	fprintf(out, "%zu bytes of threads", o->size);
}

const struct selector_ops members_selector = {
	.type = "members",
	.stream = STREAM_READINGS,
	.decode = members_decode,
	.probe = reading_probe,
	.find = reading_find,
	.describe = members_describe,
	.free = reading_free,
};
