/* trace.dat files, version 6: what trace-cmd and KernelShark open. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "trace/format.h"
#include "trace/ringpage.h"
#include "trace/symbols.h"

/* The formats of one system's events, as texts. */
struct tracedat_system {
	const char *name;
	const char *const *formats;
	size_t n_formats;
};

/* What a file says besides its pages. Texts as the kernel gives them; NULL stands for an empty one.
 */
struct tracedat_about {
	struct ringpage_layout layout;
	const char *header_page;
	const char *header_event;
	const char *const *ftrace_formats; /* of events/ftrace */
	size_t n_ftrace_formats;
	const struct tracedat_system *systems;
	size_t n_systems;
	const char *printk_formats;
	const char *saved_cmdlines;
	const char *trace_clock; /* "local [boot] mono"; the boot clock is what a file without one
				    has */
	const char *uname;
};

/* A stretch of time in which records were lost, between two that were kept. */
struct tracedat_hole {
	uint64_t from;  /* the record before it */
	uint64_t to;    /* the record behind it */
	uint64_t count; /* 0: not known */
	bool seam;      /* between one stream and the next */
};

/* What was found in one CPU's pages. */
struct tracedat_found {
	uint64_t first; /* times of the first record and the last, 0 if there is none */
	uint64_t last;
	uint64_t records;
	uint64_t bytes;       /* of pages in the file */
	uint64_t overwritten; /* before the first record: normal in a ring; 0 if not known */
	uint64_t damaged;     /* pages that are not well-formed */
	bool wrapped;         /* something was overwritten */
	bool cut;             /* a stream had more than its limit */
	size_t n_holes; /* at most countof(holes); the last one then stands for all further ones */
	struct tracedat_hole holes[16];
};

/* One CPU: its streams of raw pages, oldest first, each read to its end or EAGAIN. */
struct tracedat_cpu {
	const int *fds;
	size_t n_fds;
	uint64_t limit;    /* bytes to take from each stream at most: a ring that still runs never
			      ends; 0 for none */
	const char *stats; /* text of per_cpu/cpuN/stats, or NULL */
	struct tracedat_found found; /* filled by tracedat_write */
};

/* Writes a whole file to FD, which is empty and can be written at any offset. The streams become
 * one buffer for each CPU, where the seam between two is marked as lost records. SYMBOLS, or NULL,
 * are marked on the way; the file gets those that occur. Once this has begun, what a ring of the
 * kernel had is in the file alone: on failure the pages that were read are still there. */
int tracedat_write(int fd, const struct tracedat_about *about, struct tracedat_cpu *cpus,
		   unsigned n_cpus, struct symbols *symbols, struct err *e);

/* Text in the file, not NUL-terminated. */
struct tracedat_text {
	const char *at;
	size_t size;
};

struct tracedat_texts {
	struct tracedat_text header_page;
	struct tracedat_text header_event;
	struct tracedat_text kallsyms;
	struct tracedat_text printk_formats;
	struct tracedat_text saved_cmdlines;
	struct tracedat_text trace_clock; /* empty for the boot clock */
	struct tracedat_text uname;
};

struct tracedat;

/* Maps a file that nobody changes meanwhile, and checks each offset in it; formats that cannot be
 * read are left out. FD can be closed afterwards. *ret is the caller's. */
int tracedat_open(struct tracedat **ret, int fd, struct err *e);

/* NULL is fine. */
void tracedat_close(struct tracedat *dat);

/* The format of records with that id, NULL if the file has none. */
const struct format *tracedat_format(const struct tracedat *dat, uint16_t id);

/* All formats, by id. */
const struct format *const *tracedat_formats(const struct tracedat *dat, size_t *n);

const struct tracedat_texts *tracedat_texts(const struct tracedat *dat);
const struct ringpage_layout *tracedat_layout(const struct tracedat *dat);
unsigned tracedat_cpus(const struct tracedat *dat);

/* The text of that CPU's stats, empty if the file has none. */
struct tracedat_text tracedat_stats(const struct tracedat *dat, unsigned cpu);

/* How many pages a CPU has, and one of them. */
size_t tracedat_pages(const struct tracedat *dat, unsigned cpu);
const void *tracedat_page(const struct tracedat *dat, unsigned cpu, size_t page);

struct tracedat_record {
	unsigned cpu;
	uint64_t time;
	const void *data; /* points into the file */
	uint32_t size;
	bool missed; /* records were lost before it; not set for what the ring had overwritten */
	uint64_t missed_count; /* 0 if not known */
	bool first;            /* of its CPU in the file */
};

/* A walk over all CPUs in the order of time. */
struct tracedat_walk;

/* Starts before the first record. *ret is the caller's; the file has to outlive it. */
int tracedat_walk_open(struct tracedat_walk **ret, const struct tracedat *dat, struct err *e);

/* NULL is fine. */
void tracedat_walk_close(struct tracedat_walk *walk);

/* The next record. Returns 1, or 0 at the end. */
int tracedat_walk_next(struct tracedat_walk *walk, struct tracedat_record *record);

/* Goes to the first record at or after TIME. */
void tracedat_walk_seek(struct tracedat_walk *walk, uint64_t time);

/* Goes to the first of the last N records before TIME. */
void tracedat_walk_seek_last(struct tracedat_walk *walk, uint64_t n, uint64_t time);

/* Goes so far back from TIME that at least BYTES of pages lie between, or to the start of the file.
 * Returns the time of the place. */
uint64_t tracedat_walk_seek_bytes(struct tracedat_walk *walk, uint64_t bytes, uint64_t time);
