#include "plan/selector.h"

#include <string.h>

#include "base/auto.h"

static const struct selector_ops *const selector_table[] = {
	&event_selector,   &line_selector,    &textline_selector, &packet_selector,
	&file_selector,    &appears_selector, &pressure_selector, &tasks_selector,
	&members_selector, &freezes_selector,
};

const struct selector_ops *selector_find(const char *type)
{
	for (size_t i = 0; type && i < countof(selector_table); i++)
		if (!strcmp(selector_table[i]->type, type))
			return selector_table[i];
	return NULL;
}

/* What is left out has its default; what is there and of another type would silently mean something
 * else. */
static int selector_check(const json_t *spec, struct err *e)
{
	static const char *const texts[] = { "filter", "text", "regex", "interface" };

	for (size_t i = 0; i < countof(texts); i++)
		if (json_object_get(spec, texts[i]) &&
		    !json_is_string(json_object_get(spec, texts[i])))
			return err_set(e, "'%s' of a stop condition is no text", texts[i]);
	return 0;
}

int selector_decode(struct selector *s, const json_t *spec, struct err *e)
{
	const char *type = json_string_value(json_object_get(spec, "type"));

	s->spec = spec;
	if (json_string_value(json_object_get(spec, "at")))
		s->at = json_string_value(json_object_get(spec, "at"));
	s->ops = selector_find(type);
	if (!s->ops || !s->at)
		return err_set(e, "the plan looks for something of unknown type '%s'",
			       type ? type : "");
	if (selector_check(spec, e) < 0)
		return e->code;
	return s->ops->decode ? s->ops->decode(s, e) : 0;
}

int selector_probe(struct selector *s, struct tracing *tracing, struct err *e)
{
	if (s->ops->probe(s, tracing, e) < 0)
		return err_wrap(e, "%s", s->at);
	return 0;
}

int selector_find_part(const struct selector *s, struct key_part *part, struct err *e)
{
	return s->ops->find(s, part, e) < 0 ? err_exit(e, EXIT_USAGE) : 0;
}

void selector_free(struct selector *s)
{
	if (s->ops && s->ops->free)
		s->ops->free(s);
	format_free(s->format);
	filter_free(s->filter);
	*s = (struct selector) { 0 };
}

const char *selector_why(const struct selector *s)
{
	if (s->ops->stream != STREAM_EVENTS)
		return "the kernel has triggers for its events only";
	if (s->test)
		return "the kernel cannot run a recipe's test";
	if (s->ops->match && s->data)
		return "the kernel cannot match this text";
	return NULL;
}

bool selector_watches(const struct selector *s, uint16_t id)
{
	return s->format && s->format->id == id;
}

void selector_describe(const struct selector *s, const struct observation *o, char *text,
		       size_t room)
{
	FILE *out = fmemopen(text, room, "w");

	if (!out)
		return;
	s->ops->describe(s, o, out);
	fclose(out);
	text[room - 1] = '\0';
}

void selector_numbers(const struct selector *s, const struct observation *o, char *text,
		      size_t room)
{
	size_t used = 0;

	*text = '\0';
	for (size_t i = 0; s->format && i < s->format->n_fields; i++) {
		const struct field *field = &s->format->fields[i];
		char one[200];
		size_t n;

		if (field->kind != FIELD_INT)
			continue;
		n = snprintf(one, sizeof(one), "%s=%lld ", field->name,
			     (long long)field_int(field, o->data, o->size));
		if (n < sizeof(one) && used + n < room) /* whole ones only */
			used += snprintf(text + used, room - used, "%s", one);
	}
}
