/* The tasks that sleep and cannot be woken, again and again: what t.hung looks at. */
#include <stdlib.h>

#include "selector/reading.h"

static int tasks_decode(struct selector *s, struct err *e)
{
	struct reading_selector *reading = s->data = calloc(1, sizeof(*reading));

	if (!reading)
		return err_set(e, "no memory");
	reading->kind = READING_TASKS;
	reading->path = "/proc/*/task/*";
	return reading_every(s, e);
}

static void tasks_describe(const struct selector *s, const struct observation *o, FILE *out)
{
	(void)s;
	fprintf(out, "%zu bytes of tasks in state D", o->size);
}

const struct selector_ops tasks_selector = {
	.type = "tasks",
	.stream = STREAM_READINGS,
	.decode = tasks_decode,
	.probe = reading_probe,
	.find = reading_find,
	.describe = tasks_describe,
	.free = reading_free,
};
