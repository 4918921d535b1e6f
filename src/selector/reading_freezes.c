/* What happens to file systems that are frozen and thawed: what t.frozen looks at. */
#include <stdlib.h>

#include "log/follower.h"
#include "log/freezeline.h"
#include "log/freezes.h"
#include "selector/reading.h"

static int freezes_decode(struct selector *s, struct err *e)
{
	struct reading_selector *reading = s->data = calloc(1, sizeof(*reading));

	if (!reading)
		return err_set(e, "no memory");
	*reading = (struct reading_selector) { .kind = READING_LINES,
					       .path = FREEZES_LOG,
					       .every = FOLLOWER_LATE };
	return 0;
}

static int freezes_probe(struct selector *s, struct tracing *tracing, struct err *e)
{
	(void)s;
	return tracing_is_recorded(tracing) ? 0 : follower_probe(FREEZES_LOG, e);
}

static bool freezes_match(const struct selector *s, const struct observation *o)
{
	struct freeze freeze;
	const char *rest;

	(void)s;
	return freezeline_read(&freeze, (const char *)o->data, &rest);
}

static void freezes_describe(const struct selector *s, const struct observation *o, FILE *out)
{
	(void)s;
	fprintf(out, "%.*s", (int)o->size, (const char *)o->data);
}

const struct selector_ops freezes_selector = {
	.type = "freezes",
	.stream = STREAM_READINGS,
	.decode = freezes_decode,
	.probe = freezes_probe,
	.match = freezes_match,
	.find = reading_find,
	.describe = freezes_describe,
	.free = reading_free,
};
