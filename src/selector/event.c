/* t.event: a kernel event, with a filter on its fields. */
#include <endian.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/units.h"
#include "plan/selector.h"
#include "recipe/luatest.h"

static int event_decode(struct selector *s, struct err *e)
{
	const json_t *test = json_object_get(s->spec, "test");

	if (!test)
		return 0;
	if (!json_is_integer(test) || json_integer_value(test) < 1 ||
	    json_integer_value(test) > LUATEST_MAX)
		return err_set(e, "'test' of a stop condition is not the number of one");
	s->test = json_integer_value(test);
	return 0;
}

static int event_format(struct selector *s, const char *event, struct tracing *tracing,
			struct err *e)
{
	const char *colon = strchr(event, ':');
	autofree char *system = colon ? strndup(event, colon - event) : NULL;

	if (s->probe)
		return probe_format(s->probe, tracing, &s->format, e);
	if (!system)
		err_set(e, "'%s' is no event: it is written SYSTEM:NAME", event);
	else if (strpbrk(event, "*?["))
		err_set(e, "'%s' names several events: a stop condition watches one", event);
	else
		return tracing_format(tracing, system, colon + 1, &s->format, e);
	return err_exit(e, EXIT_USAGE);
}

static int event_probe(struct selector *s, struct tracing *tracing, struct err *e)
{
	const char *event = json_string_value(json_object_get(s->spec, "event"));
	const char *filter = json_string_value(json_object_get(s->spec, "filter"));

	if (event_format(s, event ? event : "", tracing, e) < 0)
		return e->code;
	if (filter && s->format && filter_parse(&s->filter, filter, s->format, e) < 0) {
		err_wrap(e, "filter of '%s'", event);
		return err_exit(e, EXIT_USAGE);
	}
	return 0;
}

static void describe_field(FILE *out, const struct field *field, const struct observation *o)
{
	const char *text;
	size_t length;

	if (field->kind == FIELD_INT && (field->is_signed || field->size < 8)) {
		fprintf(out, " %s=%lld", field->name,
			(long long)field_int(field, o->data, o->size));
	} else if (field->kind == FIELD_INT) {
		fprintf(out, " %s=%llu", field->name,
			(unsigned long long)field_int(field, o->data, o->size));
	} else if (field->kind != FIELD_OTHER) {
		text = field_string(field, o->data, o->size, &length);
		while (length && text[length - 1] == '\n')
			length--;
		fprintf(out, " %s=%.*s", field->name, (int)length, text);
	}
}

void selector_event_describe(const struct selector *s, const struct observation *o, FILE *out)
{
	const struct format *format = s->format;

	if (s->probe)
		fputs(s->probe->event, out);
	else
		fprintf(out, "%s:%s", format->system, format->name);
	for (size_t i = 0; i < format->n_fields; i++)
		if (strncmp(format->fields[i].name, "common_", 7) &&
		    strncmp(format->fields[i].name, "__", 2))
			describe_field(out, &format->fields[i], o);
}

/* "the event has a, b and c": for who has misspelt one. */
static int event_no_field(const struct selector *s, const char *name, struct err *e)
{
	const struct format *format = s->format;
	autofree const char **names = calloc(format->n_fields + 1, sizeof(*names));
	const char *near;

	for (size_t i = 0; names && i < format->n_fields; i++)
		names[i] = format->fields[i].name;
	near = names ? nearest_name(name, names, format->n_fields) : NULL;
	return err_set(e, "%s:%s has no field '%s'%s%s%s", format->system, format->name, name,
		       near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* Arrays that can be an address: of IPv4, of IPv6, or a sockaddr_in6 that holds either. */
static bool event_is_address(const struct field *field)
{
	return field->kind == FIELD_OTHER && !strstr(field->type, "_loc") &&
	       (field->size == 4 || field->size == 16 ||
		field->size == sizeof(struct sockaddr_in6));
}

int selector_event_find(const struct selector *s, struct key_part *part, struct err *e)
{
	if (!part->name)
		return err_set(e, "an event has no payload: its key is a field");
	if (!s->format) /* a probe that is not made yet */
		return 0;
	part->field = format_field(s->format, part->name);
	if (!part->field)
		return event_no_field(s, part->name, e);
	if (part->field->kind == FIELD_OTHER && !event_is_address(part->field))
		return err_set(e, "'%s' of %s:%s is no number, text or address: it cannot be a key",
			       part->name, s->format->system, s->format->name);
	part->kind = part->field->kind == FIELD_INT     ? VALUE_NUMBER
		     : part->field->kind == FIELD_OTHER ? VALUE_ADDRESS
							: VALUE_TEXT;
	part->width = part->field->size;
	return 0;
}

static uint64_t event_number(const struct field *field, const struct observation *o)
{
	uint64_t number = field_int(field, o->data, o->size);

	if (!strncmp(field->type, "__be", 4))
		number = be64toh(number) >> (64 - field->size * 8);
	return number;
}

static bool event_read_address(const struct field *field, const struct observation *o,
			       struct key *key)
{
	struct sockaddr_in6 name;

	if (field->offset + field->size > o->size)
		return false;
	if (field->size != sizeof(name)) {
		key_add_address(key, o->data + field->offset, field->size);
		return true;
	}
	memcpy(&name, o->data + field->offset, sizeof(name));
	if (name.sin6_family == AF_INET6)
		key_add_address(key, &name.sin6_addr, 16);
	else if (name.sin6_family == AF_INET)
		key_add_address(key, &((struct sockaddr_in *)&name)->sin_addr, 4);
	return name.sin6_family == AF_INET6 || name.sin6_family == AF_INET;
}

bool selector_event_read(const struct selector *s, const struct observation *o,
			 const struct key_part *part, struct key *key)
{
	const struct field *field = part->field;
	const char *text;
	size_t length;

	(void)s;
	if (field->kind == FIELD_OTHER)
		return event_read_address(field, o, key);
	if (field->kind == FIELD_INT) {
		key_add_number(key, part, event_number(field, o));
		return true;
	}
	text = field_string(field, o->data, o->size, &length);
	key_add_text(key, text, length);
	return true;
}

const struct selector_ops event_selector = {
	.type = "event",
	.stream = STREAM_EVENTS,
	.decode = event_decode,
	.probe = event_probe,
	.find = selector_event_find,
	.read = selector_event_read,
	.describe = selector_event_describe,
};
