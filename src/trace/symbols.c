#include "trace/symbols.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/io.h"

#define KALLSYMS_MAX (256u << 20)
#define LAST_SIZE 65536u /* how far the last symbol may reach: its end is not known */
#define SEEN_SIZE 4096u
#define END_SIZE 64u

struct symbol {
	uint64_t address;
	uint32_t line; /* its offset in the text */
	uint32_t size; /* of the line, with its newline */
	bool marked;
};

struct symbols {
	char *text;
	struct symbol *all; /* by address, without aliases */
	size_t n;
	uint64_t first;
	uint64_t span;            /* from the first address to the end of the last symbol */
	size_t text_max;          /* bytes of all lines */
	uint64_t seen[SEEN_SIZE]; /* addresses that are marked already: most come again and again */
};

/* "ffffffff81000000 T _text\t[module]". Absolute symbols are numbers, not places. */
static bool line_parse(const char *line, uint64_t *address)
{
	char *end;

	*address = strtoull(line, &end, 16);
	return *address && end != line && end[0] == ' ' && end[1] && !strchr("aA\n", end[1]) &&
	       end[2] == ' ';
}

static size_t count_lines(const char *text)
{
	size_t n = 0;

	while ((text = strchr(text, '\n'))) {
		text++;
		n++;
	}
	return n + 1;
}

static void lines_parse(struct symbols *symbols)
{
	const char *line = symbols->text;

	while (*line) {
		size_t size = strcspn(line, "\n");
		struct symbol *symbol = &symbols->all[symbols->n];

		if (line[size])
			size++;
		symbol->line = (uint32_t)(line - symbols->text);
		symbol->size = (uint32_t)size;
		symbols->n += line_parse(line, &symbol->address);
		line += size;
	}
}

static int symbol_compare(const void *a, const void *b)
{
	const struct symbol *x = a;
	const struct symbol *y = b;

	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	return x->line < y->line ? -1 : x->line > y->line;
}

/* Of symbols at one address the kernel prints the first, so that is the one to keep. */
static void aliases_drop(struct symbols *symbols)
{
	size_t kept = 0;
	size_t i;

	for (i = 0; i < symbols->n; i++) {
		if (kept && symbols->all[kept - 1].address == symbols->all[i].address)
			continue;
		symbols->all[kept++] = symbols->all[i];
		symbols->text_max += symbols->all[i].size;
	}
	symbols->n = kept;
}

static void auto_symbols(struct symbols **symbols)
{
	symbols_free(*symbols);
}

int symbols_read(struct symbols **ret, int fd, struct err *e)
{
	__attribute__((cleanup(auto_symbols))) struct symbols *symbols =
		calloc(1, sizeof(*symbols));

	if (!symbols)
		return err_set(e, "out of memory for the kernel's symbols");
	if (io_read(fd, KALLSYMS_MAX, &symbols->text, NULL, e) < 0)
		return err_wrap(e, "kernel symbols");
	symbols->all = calloc(count_lines(symbols->text) + 1, sizeof(*symbols->all));
	if (!symbols->all)
		return err_set(e, "out of memory for the kernel's symbols");

	lines_parse(symbols);
	qsort(symbols->all, symbols->n, sizeof(*symbols->all), symbol_compare);
	aliases_drop(symbols);
	if (symbols->n) {
		symbols->first = symbols->all[0].address;
		symbols->span = symbols->all[symbols->n - 1].address - symbols->first + LAST_SIZE;
	}
	*ret = take_ptr(symbols);
	return 0;
}

void symbols_free(struct symbols *symbols)
{
	if (!symbols)
		return;
	free(symbols->all);
	free(symbols->text);
	free(symbols);
}

static void address_mark(struct symbols *symbols, uint64_t address)
{
	uint64_t *seen = &symbols->seen[(address ^ address >> 12) % SEEN_SIZE];
	size_t low = 0;
	size_t high = symbols->n;

	if (*seen == address)
		return;
	*seen = address;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (symbols->all[middle].address <= address)
			low = middle;
		else
			high = middle;
	}
	symbols->all[low].marked = true;
}

void symbols_mark(struct symbols *symbols, const void *data, size_t size)
{
	const uint8_t *at = data;
	size_t i;

	if (!symbols->n)
		return;
	for (i = 0; i + sizeof(uint64_t) <= size; i += 4) {
		uint64_t value;

		memcpy(&value, at + i, sizeof(value));
		if (value - symbols->first <= symbols->span)
			address_mark(symbols, value);
	}
}

size_t symbols_text_max(const struct symbols *symbols)
{
	return symbols->text_max + END_SIZE;
}

static void line_put(char *text, size_t *used, const struct symbols *symbols, size_t i)
{
	const struct symbol *symbol = &symbols->all[i];

	memcpy(text + *used, symbols->text + symbol->line, symbol->size);
	*used += symbol->size;
	if (text[*used - 1] != '\n')
		text[(*used)++] = '\n';
}

/* A symbol reaches to the next one in the list, so the last one needs a next one. */
static void end_put(char *text, size_t *used, const struct symbols *symbols, size_t next)
{
	if (next < symbols->n)
		line_put(text, used, symbols, next);
	else
		*used += (size_t)snprintf(text + *used, END_SIZE, "%016llx t end_of_symbols\n",
					  (unsigned long long)(symbols->first + symbols->span));
}

char *symbols_text(const struct symbols *symbols, size_t *size)
{
	char *text = malloc(symbols_text_max(symbols) + 1);
	size_t used = 0;
	size_t last = 0;
	size_t i;

	if (!text)
		return NULL;
	for (i = 0; i < symbols->n; i++) {
		if (!symbols->all[i].marked)
			continue;
		line_put(text, &used, symbols, i);
		last = i;
	}
	if (used)
		end_put(text, &used, symbols, last + 1);
	text[used] = '\0';
	*size = used;
	return text;
}
