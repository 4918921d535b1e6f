/* A line of the journal, or of a file that rotates, as a follower hands it out. */
#include "selector/textline.h"

#include <stdlib.h>
#include <string.h>

#include "log/follower.h"

static void textline_free(struct selector *s)
{
	struct textline *line = s->data;

	if (line)
		linetext_clear(&line->text);
	free(line);
	s->data = NULL;
}

static int textline_decode(struct selector *s, struct err *e)
{
	struct textline *line = s->data = calloc(1, sizeof(*line));
	const char *log = json_string_value(json_object_get(s->spec, "log"));

	if (!line)
		return err_set(e, "no memory");
	line->reading.kind = READING_LINES;
	line->reading.path = log;
	line->reading.every = FOLLOWER_LATE;
	if (!log || (strcmp(log, FOLLOWER_JOURNAL) && *log != '/'))
		return err_set(e, "cannot watch the log '%s': it is \"%s\" or an absolute path",
			       log ? log : "", FOLLOWER_JOURNAL);
	return linetext_read(&line->text, s->spec, e);
}

static int textline_probe(struct selector *s, struct tracing *tracing, struct err *e)
{
	const struct textline *line = s->data;

	return tracing_is_recorded(tracing) ? 0 : follower_probe(line->reading.path, e);
}

static bool textline_match(const struct selector *s, const struct observation *o)
{
	const struct textline *line = s->data;

	return linetext_is_in(&line->text, (const char *)o->data, o->size);
}

static void textline_describe(const struct selector *s, const struct observation *o, FILE *out)
{
	const struct textline *line = s->data;

	fprintf(out, "%s: %.*s", line->reading.path, (int)o->size, (const char *)o->data);
}

const struct selector_ops textline_selector = {
	.type = "textline",
	.stream = STREAM_READINGS,
	.decode = textline_decode,
	.probe = textline_probe,
	.match = textline_match,
	.find = reading_find,
	.describe = textline_describe,
	.free = textline_free,
};
