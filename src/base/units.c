#include "base/units.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"

struct unit {
	const char *suffix;
	uint64_t factor;
};

/* largest first: the first that divides gives the shortest exact text */
static const struct unit duration_units[] = {
	{ "d", 86400 * NS_PER_S },
	{ "h", 3600 * NS_PER_S },
	{ "m", 60 * NS_PER_S },
	{ "s", NS_PER_S },
	{ "ms", NS_PER_MS },
	{ "us", NS_PER_US },
	{ "ns", 1 },
};

static const struct unit size_units[] = {
	{ "G", 1ull << 30 },
	{ "M", 1ull << 20 },
	{ "K", 1ull << 10 },
	{ "B", 1 },
};

struct quantity {
	const char *noun;
	const char *forms; /* what a sentence offers instead */
	const struct unit *units;
	size_t n_units;
	const char *zero;
};

static const struct quantity duration_quantity = {
	.noun = "duration",
	.forms = "200us, 200ms, 3s, 5m, 2h or 7d",
	.units = duration_units,
	.n_units = countof(duration_units),
	.zero = "0s",
};

static const struct quantity size_quantity = {
	.noun = "size",
	.forms = "512B, 64K, 8M or 2G",
	.units = size_units,
	.n_units = countof(size_units),
	.zero = "0B",
};

static const struct unit *unit_find(const struct quantity *q, const char *suffix)
{
	for (size_t i = 0; i < q->n_units; i++)
		if (strcmp(q->units[i].suffix, suffix) == 0)
			return &q->units[i];
	return NULL;
}

/* Reads digits; returns what follows them, or NULL if there are too many. */
static const char *digits_parse(const char *text, uint64_t *value)
{
	*value = 0;
	for (; isdigit((unsigned char)*text); text++) {
		if (__builtin_mul_overflow(*value, 10, value) ||
		    __builtin_add_overflow(*value, (uint64_t)(*text - '0'), value))
			return NULL;
	}
	return text;
}

static int quantity_parse(const struct quantity *q, const char *text, uint64_t *ret, struct err *e)
{
	const struct unit *unit;
	const char *suffix;
	uint64_t number;

	suffix = digits_parse(text, &number);
	if (suffix && suffix > text && *suffix == '\0')
		return err_set(e, "'%.40s' has no unit, write a %s like %s", text, q->noun,
			       q->forms);
	unit = suffix && suffix > text ? unit_find(q, suffix) : NULL;
	if (suffix && !unit)
		return err_set(e, "'%.40s' is not a %s like %s", text, q->noun, q->forms);
	/* the integers of a plan are signed */
	if (!suffix || __builtin_mul_overflow(number, unit->factor, &number) || number > INT64_MAX)
		return err_set(e, "'%.40s' is too large for a %s", text, q->noun);
	*ret = number;
	return 0;
}

static struct unit_text quantity_text(const struct quantity *q, uint64_t value)
{
	struct unit_text ret = { 0 };
	size_t i = 0;

	if (value == 0) {
		snprintf(ret.text, sizeof(ret.text), "%s", q->zero);
		return ret;
	}
	while (value % q->units[i].factor)
		i++;
	snprintf(ret.text, sizeof(ret.text), "%" PRIu64 "%s", value / q->units[i].factor,
		 q->units[i].suffix);
	return ret;
}

int duration_parse(const char *text, uint64_t *ns, struct err *e)
{
	return quantity_parse(&duration_quantity, text, ns, e);
}

int size_parse(const char *text, uint64_t *bytes, struct err *e)
{
	return quantity_parse(&size_quantity, text, bytes, e);
}

struct unit_text duration_text(uint64_t ns)
{
	return quantity_text(&duration_quantity, ns);
}

struct unit_text size_text(uint64_t bytes)
{
	return quantity_text(&size_quantity, bytes);
}

static struct unit_text quantity_about(const struct quantity *q, uint64_t value)
{
	struct unit_text ret;
	size_t i = 0;

	while (i + 1 < q->n_units && value < q->units[i].factor)
		i++;
	if (value % q->units[i].factor * 10 < q->units[i].factor ||
	    value / q->units[i].factor >= 100)
		snprintf(ret.text, sizeof(ret.text), "%" PRIu64 "%s", value / q->units[i].factor,
			 q->units[i].suffix);
	else
		snprintf(ret.text, sizeof(ret.text), "%.1f%s", (double)value / q->units[i].factor,
			 q->units[i].suffix);
	return ret;
}

struct unit_text duration_about(uint64_t ns)
{
	return ns ? quantity_about(&duration_quantity, ns) : duration_text(0);
}

struct unit_text size_about(uint64_t bytes)
{
	return bytes ? quantity_about(&size_quantity, bytes) : size_text(0);
}

#define NAME_MAX_LENGTH 128 /* longer names have no near ones */

static bool letters_equal(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* How many letters are to be put in, left out, changed or swapped with the next to get from A to B.
 */
static size_t name_distance(const char *a, const char *b)
{
	size_t rows[3][NAME_MAX_LENGTH + 1];
	size_t *before = rows[0], *above = rows[1], *row = rows[2];
	size_t n = strlen(b);

	for (size_t j = 0; j <= n; j++)
		above[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t *oldest = before;

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			row[j] = least(above[j], row[j - 1]) + 1;
			row[j] = least(row[j], above[j - 1] + !letters_equal(a[i - 1], b[j - 1]));
			if (i > 1 && j > 1 && letters_equal(a[i - 1], b[j - 2]) &&
			    letters_equal(a[i - 2], b[j - 1]))
				row[j] = least(row[j], before[j - 2] + 1);
		}
		before = above;
		above = row;
		row = oldest;
	}
	return above[n];
}

const char *nearest_name(const char *word, const char *const *names, size_t n)
{
	size_t length = strlen(word);
	size_t best = length / 3 + (length < 3 ? 1 : 0);
	const char *ret = NULL;

	if (length > NAME_MAX_LENGTH)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		size_t distance;

		if (strlen(names[i]) > NAME_MAX_LENGTH)
			continue;
		distance = name_distance(word, names[i]);
		if (distance < best + !ret && distance < length) {
			best = distance;
			ret = names[i];
		}
	}
	return ret;
}
