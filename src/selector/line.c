/* t.line: a line of the kernel log, seen as the event printk:console. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "plan/selector.h"
#include "selector/linetext.h"

/* A text whose characters the kernel's own glob knows no escape for has to be looked for by us, as
 * a pattern has. */
static bool line_is_for_kernel(const struct linetext *line)
{
	return line->text && !strpbrk(line->text, "\"\\*?[]");
}

static void line_free(struct selector *s)
{
	struct linetext *line = s->data;

	if (line)
		linetext_clear(line);
	free(line);
	s->data = NULL;
}

static int line_decode(struct selector *s, struct err *e)
{
	const char *log = json_string_value(json_object_get(s->spec, "log"));
	struct linetext *line = s->data = calloc(1, sizeof(*line));

	if (!line)
		return err_set(e, "no memory");
	if (!log || strcmp(log, "kernel"))
		return err_set(e, "cannot watch the log '%s' as the kernel's", log ? log : "");
	if (linetext_read(line, s->spec, e) < 0)
		return e->code;
	if (line_is_for_kernel(line))
		line_free(s);
	return 0;
}

static int line_probe(struct selector *s, struct tracing *tracing, struct err *e)
{
	const char *text = json_string_value(json_object_get(s->spec, "text"));
	char filter[1100];

	if (tracing_format(tracing, "printk", "console", &s->format, e) < 0)
		return err_wrap(e, "the kernel log cannot be watched on this kernel");
	if (s->data)
		return 0;
	if (snprintf(filter, sizeof(filter), "msg ~ \"*%s*\"", text) > 240) {
		err_set(e, "text = is longer than a kernel filter can be; use a part of it");
		return err_exit(e, EXIT_USAGE);
	}
	return filter_parse(&s->filter, filter, s->format, e);
}

static bool line_match(const struct selector *s, const struct observation *o)
{
	const struct linetext *line = s->data;
	const struct field *msg = format_field(s->format, "msg");
	size_t length;
	const char *text;

	if (!line)
		return true;
	if (!msg)
		return false;
	text = field_string(msg, o->data, o->size, &length);
	return linetext_is_in(line, text, length);
}

const struct selector_ops line_selector = {
	.type = "line",
	.stream = STREAM_EVENTS,
	.decode = line_decode,
	.probe = line_probe,
	.match = line_match,
	.find = selector_event_find,
	.read = selector_event_read,
	.describe = selector_event_describe,
	.free = line_free,
};
