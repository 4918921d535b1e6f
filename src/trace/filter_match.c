#include <string.h>

#include "base/auto.h"
#include "trace/filter.h"
#include "trace/filter_tree.h"

/* A string as the kernel sees it in a record: bytes that may or may not have a NUL among them. */
struct bytes {
	const char *at;
	size_t size;
	size_t room; /* the same, or to the record's end for an array without a size, whose string
			ends at a NUL */
};

static struct bytes bytes_within(const char *record, size_t size, uint64_t offset, size_t length)
{
	if (offset > size || length > size - offset)
		return (struct bytes) { .at = "" };
	return (struct bytes) { record + offset, length, length ? length : size - offset };
}

static struct bytes field_bytes(const struct field *field, const char *record, size_t size)
{
	uint32_t where;

	if (field->kind == FIELD_STRING)
		return bytes_within(record, size, field->offset, field->size);
	if (field->offset > size || size - field->offset < sizeof(where))
		return (struct bytes) { .at = "" };
	memcpy(&where, record + field->offset, sizeof(where));
	return bytes_within(record, size,
			    (where & 0xffff) +
				    (field->relative ? (uint64_t)field->offset + sizeof(where) : 0),
			    where >> 16);
}

/* strncmp(bytes, TEXT, LIMIT) == 0, where what is behind the bytes is a NUL. */
static bool bytes_begin(const struct bytes *b, const char *text, size_t limit)
{
	for (size_t i = 0; i < limit; i++) {
		char c = i < b->room ? b->at[i] : '\0';

		if (c != text[i])
			return false;
		if (!c)
			return true;
	}
	return true;
}

static bool bytes_equal(const struct bytes *b, const char *text)
{
	return bytes_begin(b, text, b->size ? b->size : SIZE_MAX);
}

static bool bytes_start_with(const struct bytes *b, const char *text)
{
	return bytes_begin(b, text, strlen(text));
}

/* The kernel does not look for the NUL here: it compares at the end of the array. */
static bool bytes_end_with(const struct bytes *b, const char *text)
{
	size_t n = strlen(text);

	return b->size > n && memcmp(b->at + b->size - 1 - n, text, n) == 0;
}

/* Nor here, if it knows the size. */
static bool bytes_contain(const struct bytes *b, const char *text)
{
	size_t size = b->size ? b->size : strnlen(b->at, b->room);

	return memmem(b->at, size, text, strlen(text)) != NULL;
}

/* Whether C is in the class that begins at *AT, behind its '['; *AT moves behind the class. A class
 * without an end is none: -1. */
static int class_match(const char **at, unsigned char c)
{
	const char *class = *at;
	bool inverted = *class == '!';
	bool found = false;

	class += inverted;
	do {
		unsigned char first = *class ++, last = first;

		if (!first)
			return -1;
		if (class[0] == '-' && class[1] != ']') {
			last = class[1];
			if (!last)
				return -1;
			class += 2;
		}
		found |= first <= c && c <= last;
	} while (*class != ']');
	*at = class + 1;
	return found != inverted;
}

/* Whether C passes the one-character pattern at *AT, which moves behind it. */
static bool glob_one(const char **at, unsigned char c)
{
	unsigned char d = *(*at)++;
	int in_class;

	if (d == '?')
		return c != '\0';
	if (d == '[') {
		in_class = c ? class_match(at, c) : 0;
		if (in_class >= 0)
			return in_class;
	}
	if (d == '\\') {
		d = **at;
		*at += d != '\0';
	}
	return c == d;
}

/* As the kernel's glob_match: * ? [a-z] [!a-z] and a backslash before what stands for itself. */
static bool bytes_glob(const struct bytes *b, const char *pattern)
{
	size_t size = strnlen(b->at, b->room), at = 0, retry_at = 0;
	const char *retry = NULL;

	while (at < size || *pattern) {
		if (*pattern == '*') {
			retry = ++pattern;
			retry_at = at;
			continue;
		}
		if (*pattern && glob_one(&pattern, at < size ? b->at[at] : '\0')) {
			at++;
			continue;
		}
		/* again from the last star, one character later */
		if (!retry || at >= size)
			return false;
		pattern = retry;
		at = ++retry_at;
	}
	return true;
}

static bool (*const pattern_matches[])(const struct bytes *b, const char *needle) = {
	[PATTERN_FULL] = bytes_equal,     [PATTERN_FRONT] = bytes_start_with,
	[PATTERN_MIDDLE] = bytes_contain, [PATTERN_END] = bytes_end_with,
	[PATTERN_GLOB] = bytes_glob,
};

static bool text_match(const struct filter *leaf, const struct filter_context *context,
		       const void *record, size_t size)
{
	char comm[FILTER_COMM_SIZE] = "";
	struct bytes b = { comm, sizeof(comm), sizeof(comm) };

	if (leaf->subject == SUBJECT_FIELD)
		b = field_bytes(&leaf->field, record, size);
	else if (context->comm)
		memcpy(comm, context->comm, strnlen(context->comm, sizeof(comm) - 1));
	return pattern_matches[leaf->pattern](&b, leaf->needle) != leaf->inverted;
}

/* N as the field would hold it. */
static uint64_t number_as(const struct field *field, uint64_t n)
{
	unsigned int unused = field->size < 8 ? 64 - 8 * field->size : 0;

	return field->is_signed ? (uint64_t)((int64_t)(n << unused) >> unused)
				: n << unused >> unused;
}

static bool number_less(const struct field *field, uint64_t a, uint64_t b)
{
	return field->is_signed ? (int64_t)a < (int64_t)b : a < b;
}

static bool number_match(const struct filter *leaf, const struct filter_context *context,
			 const void *record, size_t size)
{
	const struct field *field = &leaf->field;
	bool cpu = leaf->subject == SUBJECT_CPU;
	uint64_t a = number_as(field, cpu ? (uint64_t)context->cpu
					  : (uint64_t)field_int(field, record, size));
	uint64_t b = number_as(field, leaf->number);

	switch (leaf->op) {
	case OP_EQ:
		return a == b;
	case OP_NE:
		return a != b;
	case OP_LT:
		return number_less(field, a, b);
	case OP_LE:
		return !number_less(field, b, a);
	case OP_GT:
		return number_less(field, b, a);
	case OP_GE:
		return !number_less(field, a, b);
	case OP_BAND:
		/* the kernel knows no bits of a CPU's number */
		return !cpu && (a & b);
	default:
		return false;
	}
}

bool filter_match(const struct filter *filter, const struct filter_context *context,
		  const void *record, size_t size)
{
	if (!filter)
		return true;
	switch (filter->kind) {
	case FILTER_OR:
		return filter_match(filter->a, context, record, size) ||
		       filter_match(filter->b, context, record, size);
	case FILTER_AND:
		return filter_match(filter->a, context, record, size) &&
		       filter_match(filter->b, context, record, size);
	case FILTER_NOT:
		return !filter_match(filter->a, context, record, size);
	case FILTER_TEXT:
		return text_match(filter, context, record, size);
	case FILTER_NUMBER:
		break;
	}
	return number_match(filter, context, record, size);
}

bool filter_uses_comm(const struct filter *filter)
{
	if (!filter)
		return false;
	return filter->subject == SUBJECT_COMM || filter_uses_comm(filter->a) ||
	       filter_uses_comm(filter->b);
}
