/* t.event: a kernel event, with a filter on its fields. */
#include <string.h>

#include "auto.h"
#include "condition.h"

static int event_format(struct condition *c, const char *event, struct tracing *tracing,
			struct err *e)
{
	const char *colon = strchr(event, ':');
	autofree char *system = colon ? strndup(event, colon - event) : NULL;

	if (c->probe)
		return probe_format(c->probe, tracing, &c->format, e);
	if (!system)
		err_set(e, "'%s' is no event: it is written SYSTEM:NAME", event);
	else if (strpbrk(event, "*?["))
		err_set(e, "'%s' names several events: a stop condition watches one", event);
	else
		return tracing_format(tracing, system, colon + 1, &c->format, e);
	return err_exit(e, EXIT_USAGE);
}

static int event_probe(struct condition *c, struct tracing *tracing, struct err *e)
{
	const char *event = json_string_value(json_object_get(c->spec, "event"));
	const char *filter = json_string_value(json_object_get(c->spec, "filter"));

	if (event_format(c, event ? event : "", tracing, e) < 0)
		return e->code;
	if (filter && c->format && filter_parse(&c->filter, filter, c->format, e) < 0) {
		err_wrap(e, "filter of '%s'", event);
		return err_exit(e, EXIT_USAGE);
	}
	return 0;
}

const struct condition_ops event_condition = {
	.type = "event",
	.probe = event_probe,
};
