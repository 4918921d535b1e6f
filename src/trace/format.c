#include "trace/format.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"

#define FIELDS_MAX 1024u
#define RECORD_MAX 65536u
#define NAME_SIZE_MAX 256u

/* A piece of the text, not NUL-terminated. */
struct span {
	const char *at;
	size_t size;
};

static struct span span_trim(struct span s)
{
	while (s.size && isspace((unsigned char)s.at[0])) {
		s.at++;
		s.size--;
	}
	while (s.size && isspace((unsigned char)s.at[s.size - 1]))
		s.size--;
	return s;
}

/* The part of *REST up to SEPARATOR, which is dropped. False when nothing is left. */
static bool span_cut(struct span *rest, char separator, struct span *part)
{
	const char *end;

	if (!rest->size)
		return false;
	end = memchr(rest->at, separator, rest->size);
	part->at = rest->at;
	part->size = end ? (size_t)(end - rest->at) : rest->size;
	rest->at += part->size;
	rest->size -= part->size;
	if (end) {
		rest->at++;
		rest->size--;
	}
	return true;
}

/* Strips PREFIX. False, and *s as it was, if it is not there. */
static bool span_strip(struct span *s, const char *prefix)
{
	size_t size = strlen(prefix);

	if (s->size < size || memcmp(s->at, prefix, size))
		return false;
	s->at += size;
	s->size -= size;
	return true;
}

static bool span_has(struct span s, const char *word)
{
	return memmem(s.at, s.size, word, strlen(word)) != NULL;
}

static bool span_number(struct span s, uint32_t max, uint32_t *number)
{
	uint64_t value = 0;
	size_t i;

	s = span_trim(s);
	if (!s.size)
		return false;
	for (i = 0; i < s.size; i++) {
		if (!isdigit((unsigned char)s.at[i]))
			return false;
		value = value * 10 + (uint64_t)(s.at[i] - '0');
		if (value > max)
			return false;
	}
	*number = (uint32_t)value;
	return true;
}

static char *span_dup(struct span s)
{
	return strndup(s.at, s.size);
}

static bool name_char(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* "char comm[16]" is a "char[16]" named "comm"; "__data_loc char[] name" has its brackets in the
 * type already. */
static int declaration_split(struct field *field, struct span text)
{
	struct span dimension = { .at = "" };
	struct span name;
	struct span type;
	const char *open;

	text = span_trim(text);
	while (text.size && text.at[text.size - 1] == ']') {
		open = memrchr(text.at, '[', text.size);
		if (!open)
			return -EINVAL;
		dimension.size += text.size - (size_t)(open - text.at);
		dimension.at = open;
		text.size = (size_t)(open - text.at);
	}
	text = span_trim(text);

	name.at = text.at + text.size;
	name.size = 0;
	while (name.at > text.at && name_char(name.at[-1])) {
		name.at--;
		name.size++;
	}
	type = span_trim((struct span) { text.at, text.size - name.size });
	if (!name.size || !type.size || name.size > NAME_SIZE_MAX)
		return -EINVAL;

	field->name = span_dup(name);
	field->type = calloc(1, type.size + dimension.size + 1);
	if (!field->name || !field->type)
		return -ENOMEM;
	memcpy(field->type, type.at, type.size);
	memcpy(field->type + type.size, dimension.at, dimension.size);
	return 0;
}

static enum field_kind kind_of(const struct field *field)
{
	struct span type = { field->type, strlen(field->type) };
	bool is_array = span_has(type, "[");
	bool has_char = span_has(type, "char");

	if (span_has(type, "__data_loc ") || span_has(type, "__rel_loc "))
		return is_array && has_char && field->size == 4 ? FIELD_DYNAMIC_STRING
								: FIELD_OTHER;
	if (is_array)
		return has_char ? FIELD_STRING : FIELD_OTHER;
	if ((span_has(type, "struct ") || span_has(type, "union ")) && !span_has(type, "*"))
		return FIELD_OTHER;
	switch (field->size) {
	case 1:
	case 2:
	case 4:
	case 8:
		return FIELD_INT;
	}
	return FIELD_OTHER;
}

/* "field:int prev_prio;	offset:28;	size:4;	signed:1;" behind the "field:". */
static int field_parse(struct field *field, struct span line)
{
	struct span declaration;
	struct span part;
	uint32_t is_signed = 0;
	bool has_offset = false;
	bool has_size = false;
	int r;

	if (!span_cut(&line, ';', &declaration))
		return -EINVAL;
	while (span_cut(&line, ';', &part)) {
		part = span_trim(part);
		if (span_strip(&part, "offset:"))
			has_offset = span_number(part, RECORD_MAX, &field->offset);
		else if (span_strip(&part, "size:"))
			has_size = span_number(part, RECORD_MAX, &field->size);
		else if (span_strip(&part, "signed:") && !span_number(part, 1, &is_signed))
			return -EINVAL;
	}
	if (!has_offset || !has_size)
		return -EINVAL;

	r = declaration_split(field, declaration);
	if (r < 0)
		return r;
	field->is_signed = is_signed;
	field->relative = !strncmp(field->type, "__rel_loc ", 10);
	field->kind = kind_of(field);
	return 0;
}

static struct field *field_add(struct format *format)
{
	struct field *fields;

	if (format->n_fields == FIELDS_MAX)
		return NULL;
	fields = reallocarray(format->fields, format->n_fields + 1, sizeof(*fields));
	if (!fields)
		return NULL;
	format->fields = fields;
	fields[format->n_fields] = (struct field) { 0 };
	return &fields[format->n_fields++];
}

static int line_parse(struct format *format, struct span line, struct err *e)
{
	struct span whole = line;
	uint32_t id;

	if (span_strip(&line, "name:")) {
		line = span_trim(line);
		if (format->name || !line.size || line.size > NAME_SIZE_MAX)
			return err_set(e, "has no single name");
		format->name = span_dup(line);
		return format->name ? 0 : err_set(e, "out of memory");
	}
	if (span_strip(&line, "ID:")) {
		if (!span_number(line, UINT16_MAX, &id) || !id)
			return err_set(e, "has no number between 1 and 65535 in '%.*s'",
				       (int)whole.size, whole.at);
		format->id = (uint16_t)id;
		return 0;
	}
	if (span_strip(&line, "field:")) {
		struct field *field = field_add(format);

		if (!field)
			return err_set(e, "has more than %u fields", FIELDS_MAX);
		if (field_parse(field, line) < 0)
			return err_set(e, "has a line that cannot be read: '%.*s'",
				       (int)(whole.size < 200 ? whole.size : 200), whole.at);
	}
	return 0;
}

static int lines_parse(struct format *format, struct err *e)
{
	struct span rest = { format->text, strlen(format->text) };
	struct span line;
	int r;

	while (span_cut(&rest, '\n', &line)) {
		line = span_trim(line);
		if (span_strip(&line, "print fmt:"))
			break;
		r = line_parse(format, line, e);
		if (r < 0)
			return r;
	}
	if (!format->name)
		return err_set(e, "has no name");
	if (!format->id)
		return err_set(e, "has no ID");
	if (!format->n_fields)
		return err_set(e, "has no fields");
	return 0;
}

static void auto_format(struct format **format)
{
	format_free(*format);
}

int format_parse(struct format **ret, const char *system, const char *text, struct err *e)
{
	__attribute__((cleanup(auto_format))) struct format *format = calloc(1, sizeof(*format));

	if (!format || !(format->system = strdup(system)) || !(format->text = strdup(text)))
		return err_set(e, "out of memory");
	if (lines_parse(format, e) < 0)
		return err_wrap(e, "format of event '%s:%s'", system,
				format->name ? format->name : "?");
	*ret = take_ptr(format);
	return 0;
}

void format_free(struct format *format)
{
	size_t i;

	if (!format)
		return;
	for (i = 0; i < format->n_fields; i++) {
		free(format->fields[i].name);
		free(format->fields[i].type);
	}
	free(format->fields);
	free(format->system);
	free(format->name);
	free(format->text);
	free(format);
}

const struct field *format_field(const struct format *format, const char *name)
{
	size_t i;

	for (i = 0; i < format->n_fields; i++) {
		if (!strcmp(format->fields[i].name, name))
			return &format->fields[i];
	}
	return NULL;
}

int64_t field_int(const struct field *field, const void *record, size_t size)
{
	const uint8_t *at = (const uint8_t *)record + field->offset;
	uint64_t value = 0;
	unsigned int unused;

	if (field->kind != FIELD_INT || field->offset > size || field->size > size - field->offset)
		return 0;
	memcpy(&value, at, field->size);
	unused = 64 - 8 * field->size;
	if (field->is_signed)
		return (int64_t)(value << unused) >> unused;
	return (int64_t)value;
}

/* Where a __data_loc or __rel_loc says that its bytes are: the length in the upper half, the offset
 * in the lower. */
static struct span dynamic_span(const struct field *field, const void *record, size_t size)
{
	uint32_t offset;
	uint32_t location;
	uint32_t length;

	if (field->offset > size || size - field->offset < sizeof(location))
		return (struct span) { "", 0 };
	memcpy(&location, (const uint8_t *)record + field->offset, sizeof(location));
	offset = location & 0xffff;
	length = location >> 16;
	if (field->relative)
		offset += field->offset + sizeof(location);
	if (offset > size || length > size - offset)
		return (struct span) { "", 0 };
	return (struct span) { (const char *)record + offset, length };
}

static struct span static_span(const struct field *field, const void *record, size_t size)
{
	size_t length;

	if (field->offset > size || field->size > size - field->offset)
		return (struct span) { "", 0 };
	/* "char buf[]" of the print event has the rest of the record */
	length = field->size ? field->size : size - field->offset;
	return (struct span) { (const char *)record + field->offset, length };
}

const char *field_string(const struct field *field, const void *record, size_t size, size_t *length)
{
	struct span s = { "", 0 };

	if (field->kind == FIELD_DYNAMIC_STRING)
		s = dynamic_span(field, record, size);
	else if (field->kind == FIELD_STRING)
		s = static_span(field, record, size);
	*length = strnlen(s.at, s.size);
	return s.at;
}
