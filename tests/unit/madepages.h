/* Hand-made ring pages in a file, and a trace.dat around them. */
#pragma once

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "trace/tracedat.h"

#define MADE_PAGE 4096u

static const char made_header_page[] = "\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n"
				       "\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;\n"
				       "\tfield: char data;\toffset:16;\tsize:4080;\tsigned:0;\n";

/* Event 500 of system "made": its records are a number behind the common fields. */
static const char made_format[] =
	"name: tick\n"
	"ID: 500\n"
	"format:\n"
	"\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"
	"\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n"
	"\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;\n"
	"\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n"
	"\n"
	"\tfield:unsigned int number;\toffset:8;\tsize:4;\tsigned:0;\n"
	"\n"
	"print fmt: \"number=%u\", REC->number\n";

struct made_record {
	uint16_t type;
	uint8_t flags;
	uint8_t preempt_count;
	int32_t pid;
	uint32_t number;
};

/* Appends a page of N ticks from TIME on, STEP apart, numbered from NUMBER on; COMMIT_FLAGS go to
 * its upper bits. */
static inline void made_page(int fd, uint64_t time, uint32_t step, uint32_t number, uint32_t n,
			     uint32_t commit_flags)
{
	uint8_t page[MADE_PAGE] = { 0 };
	uint32_t at = 16;
	uint32_t commit;
	uint32_t i;

	memcpy(page, &time, sizeof(time));
	for (i = 0; i < n; i++) {
		uint32_t head = (i ? step : 0) << 5 | 3;
		struct made_record record = { .type = 500, .pid = 42, .number = number + i };

		memcpy(page + at, &head, sizeof(head));
		memcpy(page + at + 4, &record, sizeof(record));
		at += 4 + sizeof(record);
	}
	commit = (at - 16) | commit_flags;
	memcpy(page + 8, &commit, sizeof(commit));
	if (write(fd, page, sizeof(page)) != sizeof(page))
		abort();
}

static inline int made_file(void)
{
	return memfd_create("made", MFD_CLOEXEC);
}

/* Writes a trace.dat of N_CPUS CPUs, each with one stream, read from its start. Returns its
 * descriptor. */
static inline int made_dat(const int *streams, unsigned n_cpus, struct tracedat_found *found)
{
	static const char *const formats[] = { made_format };
	static const struct tracedat_system systems[] = { { "made", formats, 1 } };
	struct tracedat_about about = {
		.header_page = made_header_page,
		.header_event = "# compressed entry header\n",
		.systems = systems,
		.n_systems = 1,
		.saved_cmdlines = "42 tick tock\n",
		.trace_clock = "local [boot] mono\n",
		.uname = "Linux made",
	};
	struct tracedat_cpu cpus[8] = { 0 };
	struct err e = ERR_INIT;
	int fd = made_file();
	unsigned i;

	if (ringpage_layout_parse(&about.layout, made_header_page, &e) < 0)
		abort();
	for (i = 0; i < n_cpus; i++) {
		lseek(streams[i], 0, SEEK_SET);
		cpus[i].fds = &streams[i];
		cpus[i].n_fds = 1;
	}
	if (tracedat_write(fd, &about, cpus, n_cpus, NULL, &e) < 0)
		abort();
	for (i = 0; i < n_cpus && found; i++)
		found[i] = cpus[i].found;
	return fd;
}
