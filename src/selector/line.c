/* t.line: a line of the kernel log, seen as the event printk:console. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auto.h"
#include "selector.h"

/* What the kernel's own glob cannot say: a pattern, or a text with characters that its filters know
 * no escape for. */
struct line {
	pcre2_code *code;
	pcre2_match_data *match;
	pcre2_match_context *limits;
	char *text;
};

static void line_free(struct selector *s)
{
	struct line *line = s->data;

	if (!line)
		return;
	pcre2_code_free(line->code);
	pcre2_match_data_free(line->match);
	pcre2_match_context_free(line->limits);
	free(line->text);
	free(line);
	s->data = NULL;
}

static int line_compile(struct line *line, const char *regex, struct err *e)
{
	PCRE2_UCHAR words[200];
	PCRE2_SIZE at;
	int code;

	line->code = pcre2_compile((PCRE2_SPTR)regex, PCRE2_ZERO_TERMINATED, 0, &code, &at, NULL);
	if (!line->code) {
		pcre2_get_error_message(code, words, sizeof(words));
		err_set(e, "regex '%s': %s at character %zu", regex, (const char *)words,
			(size_t)at + 1);
		return err_exit(e, EXIT_USAGE);
	}
	line->match = pcre2_match_data_create_from_pattern(line->code, NULL);
	line->limits = pcre2_match_context_create(NULL);
	if (!line->match || !line->limits)
		return err_set(e, "no memory");
	pcre2_set_match_limit(line->limits, 100000);
	pcre2_set_depth_limit(line->limits, 1000);
	return 0;
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
		return line_compile(line, regex, e);
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
	return pcre2_match(line->code, (PCRE2_SPTR)text, length, 0, 0, line->match, line->limits) >=
	       0;
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
