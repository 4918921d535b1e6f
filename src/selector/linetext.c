#include "selector/linetext.h"

#include <string.h>

#include "selector/pattern.h"

int linetext_read(struct linetext *l, const json_t *spec, struct err *e)
{
	const char *text = json_string_value(json_object_get(spec, "text"));
	const char *regex = json_string_value(json_object_get(spec, "regex"));

	if (!text == !regex)
		return err_set(e, "a line is found by `text` or by `regex`: give one of them");
	if (text && !*text)
		return err_set(e, "an empty text is in every line");
	l->text = text;
	return regex ? pattern_compile(&l->regex, regex, false, e) : 0;
}

bool linetext_is_in(const struct linetext *l, const char *line, size_t size)
{
	return l->regex ? pattern_matches(l->regex, line, size)
			: memmem(line, size, l->text, strlen(l->text)) != NULL;
}

void linetext_clear(struct linetext *l)
{
	pattern_free(l->regex);
}
