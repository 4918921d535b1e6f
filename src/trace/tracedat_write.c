#include "trace/tracedat.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/io.h"

#define MAGIC "\x17\x08\x44tracing"
#define CHUNK_SIZE (1u << 20) /* what is written at once */

enum option {
	OPTION_END = 0,
	OPTION_CPUSTAT = 2,
	OPTION_TRACECLOCK = 4,
	OPTION_UNAME = 5,
};

/* Where a CPU's pages are in the file. */
struct extent {
	uint64_t offset;
	uint64_t size;
};

static void put_u8(FILE *f, uint8_t value)
{
	fwrite(&value, sizeof(value), 1, f);
}

static void put_u16(FILE *f, uint16_t value)
{
	fwrite(&value, sizeof(value), 1, f);
}

static void put_u32(FILE *f, uint32_t value)
{
	fwrite(&value, sizeof(value), 1, f);
}

static void put_u64(FILE *f, uint64_t value)
{
	fwrite(&value, sizeof(value), 1, f);
}

/* With its NUL. */
static void put_name(FILE *f, const char *name)
{
	fwrite(name, strlen(name) + 1, 1, f);
}

static void put_text32(FILE *f, const char *text)
{
	uint32_t size = text ? (uint32_t)strlen(text) : 0;

	put_u32(f, size);
	if (size)
		fwrite(text, size, 1, f);
}

static void put_text64(FILE *f, const char *text)
{
	uint64_t size = text ? strlen(text) : 0;

	put_u64(f, size);
	if (size)
		fwrite(text, size, 1, f);
}

static void put_formats(FILE *f, const char *const *formats, size_t n)
{
	size_t i;

	put_u32(f, (uint32_t)n);
	for (i = 0; i < n; i++)
		put_text64(f, formats[i]);
}

static void put_option(FILE *f, enum option option, const char *text)
{
	put_u16(f, option);
	put_u32(f, text ? (uint32_t)strlen(text) + 1 : 0);
	if (text)
		put_name(f, text);
}

static void put_stats(FILE *f, unsigned cpu, const char *stats)
{
	autofree char *text = NULL;

	if (stats && asprintf(&text, "CPU: %u\n%s", cpu, stats) >= 0)
		put_option(f, OPTION_CPUSTAT, text);
}

/* trace-cmd (3.1 at least) does not know that the boot clock counts nanoseconds and would print
 * bare numbers; without a word about the clock it prints seconds. */
static bool clock_told(const struct tracedat_about *about)
{
	return about->trace_clock && !strstr(about->trace_clock, "[boot]");
}

static void put_options(FILE *f, const struct tracedat_about *about,
			const struct tracedat_cpu *cpus, unsigned n_cpus)
{
	unsigned i;

	put_name(f, "options  ");
	for (i = 0; i < n_cpus; i++)
		put_stats(f, i, cpus[i].stats);
	if (clock_told(about))
		put_option(f, OPTION_TRACECLOCK, NULL);
	if (about->uname)
		put_option(f, OPTION_UNAME, about->uname);
	put_u16(f, OPTION_END);
}

static void put_about(FILE *f, const struct tracedat_about *about, const char *kallsyms)
{
	size_t i;

	put_name(f, MAGIC "6");
	put_u8(f, 0); /* little endian, as all machines that we run on */
	put_u8(f, sizeof(long));
	put_u32(f, about->layout.page_size);
	put_name(f, "header_page");
	put_text64(f, about->header_page);
	put_name(f, "header_event");
	put_text64(f, about->header_event);

	put_formats(f, about->ftrace_formats, about->n_ftrace_formats);
	put_u32(f, (uint32_t)about->n_systems);
	for (i = 0; i < about->n_systems; i++) {
		const struct tracedat_system *system = &about->systems[i];

		put_name(f, system->name);
		put_formats(f, system->formats, system->n_formats);
	}
	put_text32(f, kallsyms);
	put_text32(f, about->printk_formats);
	put_text64(f, about->saved_cmdlines);
}

struct writer {
	int fd;
	const struct tracedat_about *about;
	struct tracedat_cpu *cpus;
	struct extent *extents;
	unsigned n_cpus;
	struct symbols *symbols;
	uint64_t at; /* offset behind what is written */
	uint8_t *chunk;
	size_t chunk_size; /* whole pages */
	size_t chunk_used;
	bool full; /* writing has failed: leave the rest in the rings */
};

/* All that comes before the pages. */
static int head_make(const struct writer *w, const char *kallsyms, char **head, size_t *size,
		     struct err *e)
{
	FILE *f = open_memstream(head, size);
	unsigned i;
	bool failed;

	if (!f)
		return err_sys(e, "cannot make the head of a trace.dat");
	put_about(f, w->about, kallsyms);
	put_u32(f, w->n_cpus);
	put_options(f, w->about, w->cpus, w->n_cpus);
	put_name(f, "flyrecord");
	for (i = 0; i < w->n_cpus; i++) {
		put_u64(f, w->extents[i].offset);
		put_u64(f, w->extents[i].size);
	}
	if (clock_told(w->about))
		put_text64(f, w->about->trace_clock);

	failed = ferror(f);
	if (fclose(f) || failed)
		return err_set(e, "out of memory for the head of a trace.dat");
	return 0;
}

static int chunk_flush(struct writer *w, struct err *e)
{
	if (io_pwrite(w->fd, w->chunk, w->chunk_used, w->at, e) < 0) {
		w->full = true;
		return e->code;
	}
	w->at += w->chunk_used;
	w->chunk_used = 0;
	return 0;
}

static void hole_add(struct tracedat_found *found, const struct tracedat_hole *hole)
{
	struct tracedat_hole *last = &found->holes[countof(found->holes) - 1];

	if (found->n_holes < countof(found->holes)) {
		found->holes[found->n_holes++] = *hole;
		return;
	}
	last->to = hole->to;
	last->count = last->count && hole->count ? last->count + hole->count : 0;
	last->seam |= hole->seam;
}

/* What was lost before the first page of all is the past that the ring has overwritten; later it is
 * a hole. */
static void missed_note(struct tracedat_found *found, const struct ringpage *page, uint64_t to,
			bool seam)
{
	if (!found->records && !seam) {
		found->wrapped = true;
		found->overwritten += page->missed_count;
		return;
	}
	hole_add(found, &(struct tracedat_hole) { .from = found->last,
						  .to = to,
						  .count = page->missed_count,
						  .seam = seam });
}

/* Returns whether the page had a record. */
static bool page_note(struct tracedat_found *found, const struct ringpage_layout *layout,
		      const uint8_t *page, bool seam)
{
	struct ringpage_record record;
	struct ringpage walk;
	bool any = false;
	int r;

	ringpage_open(&walk, layout, page);
	while ((r = ringpage_next(&walk, &record)) > 0) {
		if (!any && walk.missed)
			missed_note(found, &walk, record.time, seam);
		if (!found->records++)
			found->first = record.time;
		found->last = record.time;
		any = true;
	}
	found->damaged += r < 0;
	found->bytes += layout->page_size;
	return any;
}

static bool page_empty(const struct ringpage_layout *layout, const uint8_t *page)
{
	struct ringpage walk;

	ringpage_open(&walk, layout, page);
	return walk.at == walk.end;
}

/* Reads one page. Returns 1, 0 at the end of the stream, or -errno. A stream that ends within a
 * page has been cut there: what is left of the page is zeros, and its walk ends where they begin.
 */
static int page_read(int fd, uint8_t *page, size_t size, struct err *e)
{
	size_t used = 0;

	while (used < size) {
		ssize_t n = read(fd, page + used, size - used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			return err_sys(e, "cannot read a page of the ring");
		if (n <= 0)
			break;
		used += (size_t)n;
	}
	if (!used)
		return 0;
	memset(page + used, 0, size - used);
	return 1;
}

/* *seam stays until a record has shown where it ends. */
static int page_keep(struct writer *w, struct tracedat_found *found, bool *seam, struct err *e)
{
	const struct ringpage_layout *layout = &w->about->layout;
	uint8_t *page = w->chunk + w->chunk_used;

	if (*seam)
		ringpage_flag_missed(page);
	if (page_note(found, layout, page, *seam))
		*seam = false;
	if (w->symbols)
		symbols_mark(w->symbols, page + layout->data_offset, ringpage_used(layout, page));
	w->chunk_used += layout->page_size;
	return w->chunk_used == w->chunk_size ? chunk_flush(w, e) : 0;
}

static int stream_copy(struct writer *w, struct tracedat_cpu *cpu, int fd, struct err *e)
{
	const struct ringpage_layout *layout = &w->about->layout;
	bool seam = cpu->found.records > 0;
	uint64_t taken = 0;
	int r;

	while ((r = page_read(fd, w->chunk + w->chunk_used, layout->page_size, e)) > 0) {
		taken += layout->page_size;
		if (cpu->limit && taken > cpu->limit) {
			cpu->found.cut = true;
			return 0;
		}
		if (page_empty(layout, w->chunk + w->chunk_used))
			continue;
		if (page_keep(w, &cpu->found, &seam, e) < 0)
			return e->code;
	}
	return r;
}

/* A stream that fails costs what is left of itself. */
static int streams_copy(struct writer *w, struct tracedat_cpu *cpu, struct err *e)
{
	struct err unused = ERR_INIT;
	int failed = 0;
	size_t i;

	for (i = 0; i < cpu->n_fds && !w->full; i++) {
		int r = stream_copy(w, cpu, cpu->fds[i], failed ? &unused : e);

		failed = failed ? failed : r;
	}
	if (w->full)
		return failed;
	return chunk_flush(w, failed ? &unused : e) < 0 && !failed ? e->code : failed;
}

static int cpu_copy(struct writer *w, unsigned number, struct err *e)
{
	struct extent *extent = &w->extents[number];
	int r;

	w->cpus[number].found = (struct tracedat_found) { 0 };
	extent->offset = w->at;
	r = streams_copy(w, &w->cpus[number], e);
	extent->size = w->at - extent->offset;
	return r < 0 ? err_wrap(e, "cpu %u", number) : 0;
}

/* Writes the head; called before the pages for the case that we are killed meanwhile, and again
 * with what is known only after them: the table and the symbols. */
static int head_write(const struct writer *w, const char *kallsyms, size_t *size, struct err *e)
{
	autofree char *head = NULL;

	if (head_make(w, kallsyms, &head, size, e) < 0)
		return e->code;
	return io_pwrite(w->fd, head, *size, 0, e);
}

static int tail_write(const struct writer *w, struct err *e)
{
	autofree char *kallsyms = NULL;
	size_t size;

	if (w->symbols && !(kallsyms = symbols_text(w->symbols, &size)))
		return err_set(e, "out of memory for the kernel's symbols");
	return head_write(w, kallsyms, &size, e);
}

/* The pages begin where the largest possible head ends, so that one pass is enough; the rest of
 * that gap is a hole in the file. */
static int pages_start(struct writer *w, struct err *e)
{
	uint32_t page_size = w->about->layout.page_size;
	size_t head;

	if (head_write(w, NULL, &head, e) < 0)
		return e->code;
	if (w->symbols)
		head += symbols_text_max(w->symbols);
	w->at = (head + page_size - 1) / page_size * page_size;
	return 0;
}

/* What was read is gone from the kernel: whatever fails, the file gets its table. */
static int file_write(struct writer *w, struct err *e)
{
	struct err unused = ERR_INIT;
	int failed = 0;
	unsigned i;
	int r;

	if (pages_start(w, e) < 0)
		return e->code;
	for (i = 0; i < w->n_cpus && !w->full; i++) {
		r = cpu_copy(w, i, failed ? &unused : e);
		failed = failed ? failed : r;
	}
	r = tail_write(w, failed ? &unused : e);
	return failed ? failed : r;
}

int tracedat_write(int fd, const struct tracedat_about *about, struct tracedat_cpu *cpus,
		   unsigned n_cpus, struct symbols *symbols, struct err *e)
{
	uint32_t page_size = about->layout.page_size;
	size_t chunk_size = page_size < CHUNK_SIZE ? CHUNK_SIZE / page_size * page_size : page_size;
	autofree struct extent *extents = calloc(n_cpus + 1, sizeof(*extents));
	autofree uint8_t *chunk = malloc(chunk_size);
	struct writer w = {
		.fd = fd,
		.about = about,
		.cpus = cpus,
		.extents = extents,
		.n_cpus = n_cpus,
		.symbols = symbols,
		.chunk = chunk,
		.chunk_size = chunk_size,
	};

	if (!extents || !chunk)
		return err_set(e, "out of memory for a trace.dat");
	return file_write(&w, e);
}
