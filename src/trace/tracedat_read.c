#include "trace/tracedat.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/auto.h"

#define MAGIC "\x17\x08\x44tracing"
#define CPUS_MAX 65536u
#define FORMAT_SIZE_MAX (1u << 20)
#define IDS 65536u

enum option {
	OPTION_END = 0,
	OPTION_CPUSTAT = 2,
	OPTION_TRACECLOCK = 4,
	OPTION_UNAME = 5,
};

struct cpu {
	const uint8_t *pages;
	size_t n_pages;
	struct tracedat_text stats;
};

struct tracedat {
	const uint8_t *map;
	size_t size;
	struct tracedat_texts texts;
	struct ringpage_layout layout;
	struct cpu *cpus;
	unsigned n_cpus;
	bool has_clock;
	struct format **formats; /* by id */
	size_t n_formats;
	uint16_t *places; /* of each id in formats, plus one */
};

/* What is left to read of the head. Once something does not fit, all further reads give nothing. */
struct cursor {
	const uint8_t *at;
	size_t left;
	bool failed;
};

static const void *take(struct cursor *c, uint64_t size)
{
	const void *at = c->at;

	if (c->failed || size > c->left) {
		c->failed = true;
		return NULL;
	}
	c->at += size;
	c->left -= size;
	return at;
}

static uint64_t take_number(struct cursor *c, size_t size)
{
	const void *at = take(c, size);
	uint64_t number = 0;

	if (at)
		memcpy(&number, at, size);
	return number;
}

static uint16_t take_u16(struct cursor *c)
{
	return (uint16_t)take_number(c, 2);
}

static uint32_t take_u32(struct cursor *c)
{
	return (uint32_t)take_number(c, 4);
}

static uint64_t take_u64(struct cursor *c)
{
	return take_number(c, 8);
}

static struct tracedat_text take_text(struct cursor *c, uint64_t size)
{
	const char *at = take(c, size);

	return at ? (struct tracedat_text) { at, size } : (struct tracedat_text) { "", 0 };
}

/* A name with its NUL. */
static const char *take_name(struct cursor *c)
{
	const uint8_t *end = c->failed ? NULL : memchr(c->at, '\0', c->left);

	if (end)
		return take(c, (uint64_t)(end - c->at) + 1);
	c->failed = true;
	return "";
}

static bool take_word(struct cursor *c, const char *word)
{
	return !strcmp(take_name(c), word) && !c->failed;
}

static int magic_read(struct cursor *c, struct err *e)
{
	const char *magic = take(c, strlen(MAGIC));
	const char *version;
	uint64_t big_endian;

	if (!magic || memcmp(magic, MAGIC, strlen(MAGIC)))
		return err_set(e, "not a trace.dat");
	version = take_name(c);
	if (strcmp(version, "6"))
		return err_set(e,
			       "a trace.dat of version '%.10s'; version 6 can be read "
			       "('trace-cmd convert --file-version 6' makes it one)",
			       version);
	big_endian = take_number(c, 1);
	take_number(c, 1); /* sizeof(long): header_page says what we need of it */
	take_u32(c);       /* the page size: likewise */
	if (big_endian)
		return err_set(e,
			       "a trace.dat from a big-endian machine, which cannot be read here");
	return 0;
}

static int layout_read(struct tracedat *dat, struct cursor *c, struct err *e)
{
	autofree char *text = NULL;

	if (!take_word(c, "header_page"))
		return err_set(e, "the trace.dat has no header_page");
	dat->texts.header_page = take_text(c, take_u64(c));
	if (!take_word(c, "header_event"))
		return err_set(e, "the trace.dat has no header_event");
	dat->texts.header_event = take_text(c, take_u64(c));

	text = strndup(dat->texts.header_page.at, dat->texts.header_page.size);
	if (!text)
		return err_set(e, "out of memory for a trace.dat");
	return ringpage_layout_parse(&dat->layout, text, e);
}

/* A format that cannot be read costs the records of that event, not the file. Of two with one id
 * the first counts. */
static int format_read(struct tracedat *dat, const char *system, struct tracedat_text text)
{
	autofree char *copy = NULL;
	struct err unused = ERR_INIT;
	struct format *format;
	struct format **formats;

	if (text.size > FORMAT_SIZE_MAX)
		return 0;
	copy = strndup(text.at, text.size);
	if (!copy)
		return -ENOMEM;
	if (format_parse(&format, system, copy, &unused) < 0)
		return 0;
	if (dat->places[format->id]) {
		format_free(format);
		return 0;
	}
	formats = reallocarray(dat->formats, dat->n_formats + 1, sizeof(struct format *));
	if (!formats) {
		format_free(format);
		return -ENOMEM;
	}
	dat->formats = formats;
	dat->formats[dat->n_formats++] = format;
	dat->places[format->id] = (uint16_t)dat->n_formats;
	return 0;
}

static int system_read(struct tracedat *dat, const char *system, struct cursor *c)
{
	uint32_t n = take_u32(c);
	int r = 0;

	while (n-- && !c->failed && r == 0)
		r = format_read(dat, system, take_text(c, take_u64(c)));
	return r;
}

static int format_compare(const void *a, const void *b)
{
	const struct format *const *x = a;
	const struct format *const *y = b;

	return (*x)->id - (*y)->id;
}

static int formats_read(struct tracedat *dat, struct cursor *c, struct err *e)
{
	int r = system_read(dat, "ftrace", c);
	uint32_t n = take_u32(c);
	size_t i;

	while (n-- && !c->failed && r == 0)
		r = system_read(dat, take_name(c), c);
	if (r < 0)
		return err_set(e, "out of memory for the formats of a trace.dat");
	if (dat->n_formats)
		qsort(dat->formats, dat->n_formats, sizeof(struct format *), format_compare);
	for (i = 0; i < dat->n_formats; i++)
		dat->places[dat->formats[i]->id] = (uint16_t)(i + 1);
	return 0;
}

/* "CPU: 3\nentries: ..." with its NUL. */
static void stats_read(struct tracedat *dat, struct tracedat_text text)
{
	unsigned cpu;
	int used;

	if (!text.size || text.at[text.size - 1] || sscanf(text.at, "CPU: %u %n", &cpu, &used) != 1)
		return;
	if (cpu < dat->n_cpus)
		dat->cpus[cpu].stats =
			(struct tracedat_text) { text.at + used, strlen(text.at + used) };
}

static void option_read(struct tracedat *dat, uint16_t id, struct tracedat_text text)
{
	switch (id) {
	case OPTION_CPUSTAT:
		stats_read(dat, text);
		break;
	case OPTION_TRACECLOCK:
		dat->has_clock = true;
		break;
	case OPTION_UNAME:
		dat->texts.uname = (struct tracedat_text) { text.at, strnlen(text.at, text.size) };
		break;
	}
}

static const char *options_read(struct tracedat *dat, struct cursor *c)
{
	uint16_t id;

	while ((id = take_u16(c)) != OPTION_END && !c->failed)
		option_read(dat, id, take_text(c, take_u32(c)));
	return take_name(c);
}

/* A file that was cut off has lost its last pages; the ones before are good. */
static void extent_read(struct tracedat *dat, struct cpu *cpu, struct cursor *c)
{
	uint64_t offset = take_u64(c);
	uint64_t size = take_u64(c);
	uint64_t room = offset < dat->size ? dat->size - offset : 0;

	if (size > room)
		size = room;
	cpu->n_pages = size / dat->layout.page_size;
	if (cpu->n_pages)
		cpu->pages = dat->map + offset;
}

static int cpus_read(struct tracedat *dat, struct cursor *c, struct err *e)
{
	uint32_t n = take_u32(c);
	const char *word;
	unsigned i;

	if (n > CPUS_MAX)
		return err_set(e, "the trace.dat says that it is from %u CPUs", n);
	dat->cpus = calloc(n + 1, sizeof(*dat->cpus));
	if (!dat->cpus)
		return err_set(e, "out of memory for a trace.dat");
	dat->n_cpus = n;

	word = take_name(c);
	if (!strcmp(word, "options  "))
		word = options_read(dat, c);
	if (strcmp(word, "flyrecord"))
		return err_set(e, "the trace.dat has no table of pages");
	for (i = 0; i < n && !c->failed; i++)
		extent_read(dat, &dat->cpus[i], c);
	if (dat->has_clock)
		dat->texts.trace_clock = take_text(c, take_u64(c));
	return 0;
}

static int head_read(struct tracedat *dat, struct err *e)
{
	struct cursor c = { .at = dat->map, .left = dat->size };

	if (magic_read(&c, e) < 0 || layout_read(dat, &c, e) < 0 || formats_read(dat, &c, e) < 0)
		return e->code;
	dat->texts.kallsyms = take_text(&c, take_u32(&c));
	dat->texts.printk_formats = take_text(&c, take_u32(&c));
	dat->texts.saved_cmdlines = take_text(&c, take_u64(&c));
	if (cpus_read(dat, &c, e) < 0)
		return e->code;
	return c.failed ? err_set(e, "the trace.dat ends within its head") : 0;
}

static int map_file(struct tracedat *dat, int fd, struct err *e)
{
	struct stat st;
	void *map;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "cannot look at the trace.dat");
	if (!S_ISREG(st.st_mode) || !st.st_size)
		return err_set(e, "not a trace.dat");
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return err_sys(e, "cannot map the trace.dat");
	dat->map = map;
	dat->size = (size_t)st.st_size;
	return 0;
}

static void auto_tracedat(struct tracedat **dat)
{
	tracedat_close(*dat);
}

int tracedat_open(struct tracedat **ret, int fd, struct err *e)
{
	__attribute__((cleanup(auto_tracedat))) struct tracedat *dat = calloc(1, sizeof(*dat));
	struct tracedat_text none = { "", 0 };

	if (!dat || !(dat->places = calloc(IDS, sizeof(*dat->places))))
		return err_set(e, "out of memory for a trace.dat");
	dat->texts = (struct tracedat_texts) { none, none, none, none, none, none, none };
	if (map_file(dat, fd, e) < 0 || head_read(dat, e) < 0)
		return e->code;
	*ret = take_ptr(dat);
	return 0;
}

void tracedat_close(struct tracedat *dat)
{
	size_t i;

	if (!dat)
		return;
	for (i = 0; i < dat->n_formats; i++)
		format_free(dat->formats[i]);
	if (dat->map)
		munmap((void *)dat->map, dat->size);
	free(dat->formats);
	free(dat->places);
	free(dat->cpus);
	free(dat);
}

const struct format *tracedat_format(const struct tracedat *dat, uint16_t id)
{
	return dat->places[id] ? dat->formats[dat->places[id] - 1] : NULL;
}

const struct format *const *tracedat_formats(const struct tracedat *dat, size_t *n)
{
	*n = dat->n_formats;
	return (const struct format *const *)dat->formats;
}

const struct tracedat_texts *tracedat_texts(const struct tracedat *dat)
{
	return &dat->texts;
}

const struct ringpage_layout *tracedat_layout(const struct tracedat *dat)
{
	return &dat->layout;
}

unsigned tracedat_cpus(const struct tracedat *dat)
{
	return dat->n_cpus;
}

struct tracedat_text tracedat_stats(const struct tracedat *dat, unsigned cpu)
{
	struct tracedat_text stats = dat->cpus[cpu].stats;

	return stats.at ? stats : (struct tracedat_text) { "", 0 };
}

size_t tracedat_pages(const struct tracedat *dat, unsigned cpu)
{
	return dat->cpus[cpu].n_pages;
}

const void *tracedat_page(const struct tracedat *dat, unsigned cpu, size_t page)
{
	return dat->cpus[cpu].pages + page * dat->layout.page_size;
}
