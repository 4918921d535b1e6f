#include "trace/filter.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/units.h"
#include "trace/filter_tree.h"

#define FILTER_DEPTH 32      /* brackets and exclamation marks within each other */
#define FILTER_LENGTH 4095   /* the kernel takes less than a page in one write */
#define FILTER_TEXT_SIZE 256 /* the kernel's MAX_FILTER_STR_VAL, with the NUL */
#define FILTER_DIGITS 24     /* likewise for numbers */

/* In the order in which they are tried: "<=" before "<". */
static const char *const op_texts[] = {
	[OP_GLOB] = "~", [OP_NE] = "!=", [OP_EQ] = "==", [OP_LE] = "<=",
	[OP_LT] = "<",   [OP_GE] = ">=", [OP_GT] = ">",  [OP_BAND] = "&",
};

struct parser {
	const char *text;
	const char *at;
	const struct format *format;
	unsigned int depth;
	struct err *e;
};

static void auto_filter(struct filter **filter)
{
	filter_free(*filter);
}

#define autofilter __attribute__((cleanup(auto_filter)))

void filter_free(struct filter *filter)
{
	if (!filter)
		return;
	filter_free(filter->a);
	filter_free(filter->b);
	free(filter->name);
	free(filter->value);
	free(filter->needle);
	free(filter);
}

/* A node above A and B, which it takes over even if it cannot be made. */
static struct filter *filter_join(enum filter_kind kind, struct filter *a, struct filter *b)
{
	struct filter *filter = calloc(1, sizeof(*filter));

	if (!filter) {
		filter_free(a);
		filter_free(b);
		return NULL;
	}
	filter->kind = kind;
	filter->a = a;
	filter->b = b;
	return filter;
}

static int parser_memory(struct parser *p)
{
	errno = ENOMEM;
	return err_sys(p->e, "filter '%s'", p->text);
}

static char parser_peek(struct parser *p)
{
	p->at += strspn(p->at, " \t\n\v\f\r");
	return *p->at;
}

static bool parser_take(struct parser *p, const char *token)
{
	size_t n = strlen(token);

	parser_peek(p);
	if (strncmp(p->at, token, n) != 0)
		return false;
	p->at += n;
	return true;
}

/* What is to be read next, short enough for a sentence. */
static int parser_unexpected(struct parser *p, const char *wanted)
{
	if (!parser_peek(p))
		return err_set(p->e, "filter '%s' ends where %s is missing", p->text, wanted);
	return err_set(p->e, "filter '%s': %s is missing at '%.20s'", p->text, wanted, p->at);
}

static size_t name_length(const char *text)
{
	size_t n = 0;

	while (isalnum((unsigned char)text[n]) || text[n] == '_')
		n++;
	return n;
}

static int parser_unknown_field(struct parser *p, const char *name)
{
	size_t n = p->format->n_fields;
	autofree const char **names = calloc(n + 2, sizeof(*names));
	const char *nearest;

	if (!names)
		return parser_memory(p);
	for (size_t i = 0; i < n; i++)
		names[i] = p->format->fields[i].name;
	names[n] = "COMM";
	names[n + 1] = "CPU";
	nearest = nearest_name(name, names, n + 2);
	return err_set(p->e, "'%s:%s' has no field '%s'%s%s%s", p->format->system, p->format->name,
		       name, nearest ? ", did you mean '" : "", nearest ? nearest : "",
		       nearest ? "'?" : "");
}

struct generic_field {
	const char *name;
	enum filter_subject subject;
};

/* What every event can be filtered by; a field of the event's own goes first, as in the kernel. */
static const struct generic_field generic_fields[] = {
	{ "CPU", SUBJECT_CPU },
	{ "cpu", SUBJECT_CPU },
	{ "COMM", SUBJECT_COMM },
	{ "comm", SUBJECT_COMM },
};

static int parser_generic(struct parser *p, struct filter *leaf)
{
	for (size_t i = 0; i < countof(generic_fields); i++) {
		if (strcmp(generic_fields[i].name, leaf->name) != 0)
			continue;
		leaf->subject = generic_fields[i].subject;
		leaf->field.kind = leaf->subject == SUBJECT_COMM ? FIELD_STRING : FIELD_INT;
		leaf->field.is_signed = true;
		leaf->field.size = sizeof(int);
		return 0;
	}
	return parser_unknown_field(p, leaf->name);
}

static bool field_is_pointer_to_text(const struct field *field)
{
	return strcmp(field->type, "char *") == 0 || strcmp(field->type, "const char *") == 0;
}

static int parser_field(struct parser *p, struct filter *leaf)
{
	const struct field *field;
	size_t n;

	parser_peek(p);
	n = name_length(p->at);
	if (!n)
		return parser_unexpected(p, "a field");
	leaf->name = strndup(p->at, n);
	if (!leaf->name)
		return parser_memory(p);
	p->at += n;
	field = format_field(p->format, leaf->name);
	if (!field)
		return parser_generic(p, leaf);
	if (field_is_pointer_to_text(field))
		return err_set(
			p->e,
			"filter '%s': '%s' is a pointer to text elsewhere, which no record holds",
			p->text, leaf->name);
	if (field->kind == FIELD_OTHER)
		return err_set(p->e, "filter '%s': '%s' is '%s', which cannot be compared", p->text,
			       leaf->name, field->type);
	leaf->field = *field;
	leaf->field.name = leaf->field.type = NULL;
	return 0;
}

static int parser_op(struct parser *p, struct filter *leaf)
{
	for (leaf->op = 0; leaf->op < OP_NONE; leaf->op++)
		if (parser_take(p, op_texts[leaf->op]))
			return 0;
	return parser_unexpected(p, "one of == != < <= > >= & ~");
}

/* 10, 0x1f, 017 and, for a signed field, -1: what the kernel's kstrtoll and kstrtoull take. */
static bool number_parse(const char *text, bool is_signed, uint64_t *number)
{
	bool negative = text[0] == '-';
	const char *digits = text + negative;
	uint64_t limit = is_signed ? (uint64_t)INT64_MAX + negative : UINT64_MAX;
	char *end;

	/* strtoull is more lenient: it takes a sign and white space */
	if (!isdigit((unsigned char)*digits) || (negative && !is_signed))
		return false;
	errno = 0;
	*number = strtoull(digits, &end, 0);
	if (errno || *end || *number > limit)
		return false;
	if (negative)
		*number = -*number;
	return true;
}

static int parser_number(struct parser *p, struct filter *leaf)
{
	size_t n = *p->at == '-';

	while (isalnum((unsigned char)p->at[n]))
		n++;
	if (leaf->field.kind != FIELD_INT)
		return err_set(p->e, "filter '%s': '%s' is a string, its value has to be in quotes",
			       p->text, leaf->name);
	if (leaf->op == OP_GLOB)
		return err_set(p->e, "filter '%s': '%s' is a number, '~' is for strings", p->text,
			       leaf->name);
	leaf->kind = FILTER_NUMBER;
	leaf->value = strndup(p->at, n);
	if (!leaf->value)
		return parser_memory(p);
	p->at += n;
	if (n >= FILTER_DIGITS || !number_parse(leaf->value, leaf->field.is_signed, &leaf->number))
		return err_set(p->e,
			       "filter '%s': '%.40s' is not a value of '%s', %s 64-bit number",
			       p->text, leaf->value, leaf->name,
			       leaf->field.is_signed ? "a signed" : "an unsigned");
	return 0;
}

/* The kernel's way to tell patterns apart: only a '*' at either end is cheaper than a glob; one
 * that begins with a digit is compared as it stands. */
static enum filter_pattern pattern_find(const char *text)
{
	size_t n = strlen(text),
	       inner = strcspn(text + (text[0] == '*'), "*[?\\") + (text[0] == '*');

	if (isdigit((unsigned char)text[0]) || !n)
		return PATTERN_FULL;
	if (inner < n && (text[inner] != '*' || inner + 1 < n))
		return PATTERN_GLOB;
	if (inner == n)
		return text[0] == '*' ? PATTERN_END : PATTERN_FULL;
	return text[0] == '*' ? PATTERN_MIDDLE : PATTERN_FRONT;
}

static int leaf_pattern(struct parser *p, struct filter *leaf)
{
	const char *text = leaf->value;
	size_t n;

	leaf->inverted = leaf->op == OP_NE;
	if (leaf->op == OP_GLOB && *text == '!') {
		leaf->inverted = true;
		text++;
	}
	leaf->pattern = leaf->op == OP_GLOB ? pattern_find(text) : PATTERN_FULL;
	if (leaf->pattern == PATTERN_END || leaf->pattern == PATTERN_MIDDLE)
		text++;
	n = strlen(text);
	if (leaf->pattern == PATTERN_FRONT || leaf->pattern == PATTERN_MIDDLE)
		n--;
	leaf->needle = strndup(text, n);
	return leaf->needle ? 0 : parser_memory(p);
}

static int parser_text(struct parser *p, struct filter *leaf)
{
	const char *end;

	leaf->kind = FILTER_TEXT;
	leaf->quote = *p->at++;
	if (leaf->field.kind == FIELD_INT)
		return err_set(p->e, "filter '%s': '%s' is a number, its value has no quotes",
			       p->text, leaf->name);
	if (leaf->op != OP_EQ && leaf->op != OP_NE && leaf->op != OP_GLOB)
		return err_set(p->e,
			       "filter '%s': '%s' is a string, which knows == != and ~ but not %s",
			       p->text, leaf->name, op_texts[leaf->op]);
	end = strchr(p->at, leaf->quote);
	if (!end)
		return err_set(p->e, "filter '%s': the quote before '%.20s' has no end", p->text,
			       p->at);
	if (end - p->at >= FILTER_TEXT_SIZE)
		return err_set(p->e, "filter: the string '%.20s...' is longer than %d bytes", p->at,
			       FILTER_TEXT_SIZE - 1);
	leaf->value = strndup(p->at, end - p->at);
	if (!leaf->value)
		return parser_memory(p);
	p->at = end + 1;
	return leaf_pattern(p, leaf);
}

static int parser_leaf(struct parser *p, struct filter **ret)
{
	autofilter struct filter *leaf = calloc(1, sizeof(*leaf));
	char c;
	int r;

	if (!leaf)
		return parser_memory(p);
	if (parser_field(p, leaf) < 0 || parser_op(p, leaf) < 0)
		return p->e->code;
	c = parser_peek(p);
	if (c == '"' || c == '\'')
		r = parser_text(p, leaf);
	else if (c == '-' || isdigit((unsigned char)c))
		r = parser_number(p, leaf);
	else
		r = parser_unexpected(p, "a number or a string in quotes");
	if (r < 0)
		return r;
	*ret = take_ptr(leaf);
	return 0;
}

static int parser_or(struct parser *p, struct filter **ret);

static int parser_brackets(struct parser *p, struct filter **ret)
{
	autofilter struct filter *inner = NULL;

	if (parser_or(p, &inner) < 0)
		return p->e->code;
	if (!parser_take(p, ")"))
		return parser_unexpected(p, "')'");
	*ret = take_ptr(inner);
	return 0;
}

static int parser_term(struct parser *p, struct filter **ret);

static int parser_not(struct parser *p, struct filter **ret)
{
	struct filter *inner = NULL;

	if (parser_term(p, &inner) < 0)
		return p->e->code;
	*ret = filter_join(FILTER_NOT, inner, NULL);
	return *ret ? 0 : parser_memory(p);
}

static int parser_term(struct parser *p, struct filter **ret)
{
	int r;

	if (++p->depth > FILTER_DEPTH)
		return err_set(p->e,
			       "filter '%.40s...' has more than %d brackets within each other",
			       p->text, FILTER_DEPTH);
	if (parser_take(p, "("))
		r = parser_brackets(p, ret);
	else if (parser_take(p, "!"))
		r = parser_not(p, ret);
	else
		r = parser_leaf(p, ret);
	p->depth--;
	return r;
}

struct level {
	enum filter_kind kind;
	const char *token;
	int (*inner)(struct parser *p, struct filter **ret);
};

/* One or more of what is one level down, with the level's token between them. */
static int parser_level(struct parser *p, const struct level *level, struct filter **ret)
{
	autofilter struct filter *all = NULL;

	if (level->inner(p, &all) < 0)
		return p->e->code;
	while (parser_take(p, level->token)) {
		struct filter *next = NULL;

		if (level->inner(p, &next) < 0)
			return p->e->code;
		all = filter_join(level->kind, take_ptr(all), next);
		if (!all)
			return parser_memory(p);
	}
	*ret = take_ptr(all);
	return 0;
}

static int parser_and(struct parser *p, struct filter **ret)
{
	static const struct level level = { FILTER_AND, "&&", parser_term };

	return parser_level(p, &level, ret);
}

static int parser_or(struct parser *p, struct filter **ret)
{
	static const struct level level = { FILTER_OR, "||", parser_and };

	return parser_level(p, &level, ret);
}

int filter_parse(struct filter **ret, const char *text, const struct format *format, struct err *e)
{
	struct parser p = { .text = text, .at = text, .format = format, .e = e };
	autofilter struct filter *filter = NULL;

	if (strlen(text) > FILTER_LENGTH)
		return err_set(e, "filter '%.40s...' is longer than %d bytes", text, FILTER_LENGTH);
	if (parser_or(&p, &filter) < 0)
		return e->code;
	if (parser_peek(&p))
		return parser_unexpected(&p, "'&&' or '||'");
	*ret = take_ptr(filter);
	return 0;
}

static void leaf_print(const struct filter *leaf, FILE *out)
{
	fprintf(out, "%s %s ", leaf->name, op_texts[leaf->op]);
	if (leaf->kind == FILTER_TEXT)
		fprintf(out, "%c%s%c", leaf->quote, leaf->value, leaf->quote);
	else
		fputs(leaf->value, out);
}

/* All that has more than one part stands in brackets, whatever is around it. */
static void filter_print(const struct filter *filter, FILE *out)
{
	if (filter->kind == FILTER_NUMBER || filter->kind == FILTER_TEXT) {
		leaf_print(filter, out);
		return;
	}
	fputs(filter->kind == FILTER_NOT ? "!(" : "(", out);
	filter_print(filter->a, out);
	if (filter->b) {
		fputs(filter->kind == FILTER_OR ? " || " : " && ", out);
		filter_print(filter->b, out);
	}
	fputc(')', out);
}

char *filter_text(const struct filter *filter)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	if (filter)
		filter_print(filter, out);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}
