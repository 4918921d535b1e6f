#include "convert/tracetext.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/io.h"
#include "trace/instance.h"

#define CHUNK_BYTES (1u << 20) /* of pages that become text at once */

/* Text is made from the end backwards, a chunk of pages at a time, until there is enough; it is
 * then written forwards. */
struct chunk {
	struct chunk *later;
	char *text;
	size_t size;
};

struct conversion {
	struct tracetext *text;
	struct tracedat_walk *walk;
	struct chunk *first;
	uint64_t size; /* of all chunks */
};

static const char header_legend[] =
	"#\n"
	"#                                _-----=> irqs-off/BH-disabled\n"
	"#                               / _----=> need-resched\n"
	"#                              | / _---=> hardirq/softirq\n"
	"#                              || / _--=> preempt-depth\n"
	"#                              ||| / _-=> migrate-disable\n"
	"#                              |||| /     delay\n"
	"#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION\n"
	"#              | |         |   |||||     |         |\n";

static uint64_t stats_overrun(const struct tracedat *dat, unsigned cpu)
{
	struct tracedat_text stats = tracedat_stats(dat, cpu);

	/* the reader has seen to a NUL at the end */
	return instance_stat(stats.at, "\noverrun: ");
}

static uint64_t page_records(const struct tracedat *dat, unsigned cpu, size_t page)
{
	struct ringpage_record record;
	struct ringpage walk;
	uint64_t n = 0;

	ringpage_open(&walk, tracedat_layout(dat), tracedat_page(dat, cpu, page));
	while (ringpage_next(&walk, &record) > 0)
		n++;
	return n;
}

static void put_header(const struct tracedat *dat, bool whole, FILE *out)
{
	uint64_t entries = 0;
	uint64_t overrun = 0;
	unsigned cpu;
	size_t page;

	for (cpu = 0; cpu < tracedat_cpus(dat); cpu++) {
		for (page = 0; page < tracedat_pages(dat, cpu); page++)
			entries += page_records(dat, cpu, page);
		overrun += stats_overrun(dat, cpu);
	}
	fprintf(out, "# tracer: nop\n#\n# entries-in-buffer/entries-written: %llu/%llu   #P:%u\n",
		(unsigned long long)entries, (unsigned long long)(entries + overrun),
		tracedat_cpus(dat));
	if (!whole)
		fputs("#\n# older records are in the .dat file only\n", out);
	fputs(header_legend, out);
}

/* The text of the records from *END back for about CHUNK_BYTES; *END goes to where it begins. */
static int chunk_make(struct conversion *c, uint64_t *end, struct err *e)
{
	uint64_t start = tracedat_walk_seek_bytes(c->walk, CHUNK_BYTES, *end);
	struct chunk *chunk = calloc(1, sizeof(*chunk));
	struct tracedat_record record;
	FILE *out;

	if (!chunk)
		return err_set(e, "out of memory for the text of a trace.dat");
	chunk->later = c->first;
	c->first = chunk;
	out = open_memstream(&chunk->text, &chunk->size);
	if (!out)
		return err_sys(e, "cannot make the text of a trace.dat");
	while (tracedat_walk_next(c->walk, &record) && record.time < *end)
		tracetext_line(c->text, &record, out);
	if (fclose(out))
		return err_set(e, "out of memory for the text of a trace.dat");
	c->size += chunk->size;
	*end = start;
	return 0;
}

/* Cuts whole lines off the front until at most MAX bytes are left. */
static void chunks_trim(struct conversion *c, uint64_t max, size_t *skip)
{
	uint64_t excess = c->size > max ? c->size - max : 0;
	const char *newline;

	*skip = 0;
	if (!excess || !c->first->size)
		return;
	/* only the last chunk made can be too much: what excess asks for lies within it */
	newline = memchr(c->first->text + excess - 1, '\n', c->first->size - excess + 1);
	*skip = newline ? (size_t)(newline - c->first->text) + 1 : c->first->size;
}

static int conversion_write(struct conversion *c, const struct tracedat *dat, uint64_t max, int fd,
			    struct err *e)
{
	autofree char *header = NULL;
	const struct chunk *chunk;
	size_t size;
	size_t skip;
	FILE *out = open_memstream(&header, &size);

	if (!out)
		return err_sys(e, "cannot make the text of a trace.dat");
	put_header(dat, c->size <= max, out);
	if (fclose(out))
		return err_set(e, "out of memory for the text of a trace.dat");
	if (io_write(fd, header, size, e) < 0)
		return e->code;

	chunks_trim(c, max, &skip);
	for (chunk = c->first; chunk; chunk = chunk->later) {
		if (io_write(fd, chunk->text + skip, chunk->size - skip, e) < 0)
			return e->code;
		skip = 0;
	}
	return 0;
}

static void conversion_close(struct conversion *c)
{
	while (c->first) {
		struct chunk *chunk = c->first;

		c->first = chunk->later;
		free(chunk->text);
		free(chunk);
	}
	tracedat_walk_close(c->walk);
	tracetext_close(c->text);
}

static int dat_convert(const struct tracedat *dat, int out_fd, uint64_t max, struct err *e)
{
	__attribute__((cleanup(conversion_close))) struct conversion c = { 0 };
	uint64_t end = UINT64_MAX;

	if (tracetext_open(&c.text, dat, e) < 0 || tracedat_walk_open(&c.walk, dat, e) < 0)
		return e->code;
	while (end > 0 && c.size <= max) {
		if (chunk_make(&c, &end, e) < 0)
			return e->code;
	}
	return conversion_write(&c, dat, max, out_fd, e);
}

int tracetext_convert(int dat_fd, int out_fd, uint64_t max_bytes, struct err *e)
{
	struct tracedat *dat;
	int r;

	if (tracedat_open(&dat, dat_fd, e) < 0)
		return e->code;
	r = dat_convert(dat, out_fd, max_bytes, e);
	tracedat_close(dat);
	return r;
}
