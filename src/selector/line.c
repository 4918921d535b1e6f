/* t.line: a line of the kernel log, seen as the event printk:console. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auto.h"
#include "pattern.h"
#include "selector.h"

/* What the kernel's own glob cannot say: a pattern, or a text with characters that its filters know
 * no escape for. */
struct line {
	struct pattern *regex;
	char *text;
};

static void line_free(struct selector *s)
{
	struct line *line = s->data;

	if (!line)
		return;
	pattern_free(line->regex);
	free(line->text);
	free(line);
	s->data = NULL;
}

static int line_decode(struct selector *s, struct err *e)
{
	const char *text = json_string_value(json_object_get(s->spec, "text"));
	const char *regex = json_string_value(json_object_get(s->spec, "regex"));
	const char *log = json_string_value(json_object_get(s->spec, "log"));
	struct line *line;

	if (!log || strcmp(log, "kernel"))
		return err_set(e, "cannot watch the log '%s', only 'kernel'", log ? log : "");
	if (!text == !regex)
		return err_set(e, "a line is found by `text` or by `regex`: give one of them");
	if (text && !*text)
		return err_set(e, "an empty text is in every line");
	if (text && !strpbrk(text, "\"\\*?[]"))
		return 0;
	line = calloc(1, sizeof(*line));
	s->data = line;
	if (!line)
		return err_set(e, "no memory");
	if (regex)
		return pattern_compile(&line->regex, regex, false, e);
	line->text = strdup(text);
	return line->text ? 0 : err_set(e, "no memory");
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
	const struct line *line = s->data;
	const struct field *msg = format_field(s->format, "msg");
	size_t length;
	const char *text;

	if (!line)
		return true;
	if (!msg)
		return false;
	text = field_string(msg, o->data, o->size, &length);
	if (line->text)
		return memmem(text, length, line->text, strlen(line->text)) != NULL;
	return pattern_matches(line->regex, text, length);
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
