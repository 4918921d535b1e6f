#include "selector/reading.h"

#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "reader/reader.h"

int reading_every(struct selector *s, struct err *e)
{
	struct reading_selector *reading = s->data;
	json_int_t every = json_integer_value(json_object_get(s->spec, "every"));

	if (every < (json_int_t)(10 * NS_PER_MS))
		return err_set(e, "`every` is 10ms or more");
	reading->every = every;
	return 0;
}

int reading_probe(struct selector *s, struct tracing *tracing, struct err *e)
{
	(void)s;
	(void)tracing;
	(void)e;
	return 0;
}

int reading_find(const struct selector *s, struct key_part *part, struct err *e)
{
	(void)part;
	return err_set(e, "a t.%s has no fields that could be a key", s->ops->type);
}

void reading_free(struct selector *s)
{
	struct reading_selector *reading = s->data;

	if (reading)
		free(reading->made);
	free(reading);
	s->data = NULL;
}

int reading_read(const struct reading_selector *reading, char *text, size_t *size, struct err *e)
{
	const struct reader_setup setup = { .helpers = 1, .max = READING_TEXT - 1 };
	struct reader_answer a;
	struct reader *reader;

	if (reader_create(&reader, &setup, e) < 0)
		return e->code;
	reader_call(reader, READER_READ, reading->path, &a);
	if (a.error)
		err_set(e, "'%s' cannot be read: %s", reading->path, reader_error_text(a.error));
	*size = a.error ? 0 : a.size;
	memcpy(text, a.data, *size);
	text[*size] = '\0';
	reader_free(reader);
	return a.error ? err_exit(e, EXIT_HOST) : 0;
}
