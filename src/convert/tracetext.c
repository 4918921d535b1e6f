#include "convert/tracetext.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "convert/comms.h"
#include "convert/tracetext_event.h"

#define LEARN_BYTES (64ull << 20)

struct tracetext {
	const struct tracedat *dat;
	struct events *events;
	bool annotate;     /* a ring has wrapped: show where each CPU begins, */
	unsigned early[2]; /* except those of the first two records */
	struct comms *comms;
};

static const struct format *format_named(const struct tracedat *dat, const char *system,
					 const char *name)
{
	size_t n;
	const struct format *const *formats = tracedat_formats(dat, &n);
	size_t i;

	for (i = 0; i < n; i++) {
		if (!strcmp(formats[i]->name, name) && !strcmp(formats[i]->system, system))
			return formats[i];
	}
	return NULL;
}

static void comm_learn_fields(struct tracetext *text, const struct tracedat_record *record,
			      const struct field *pid, const struct field *comm)
{
	const char *name;
	size_t length;

	if (!pid || !comm)
		return;
	name = field_string(comm, record->data, record->size, &length);
	comms_learn(text->comms, (int)field_int(pid, record->data, record->size), name, length);
}

/* The kernel remembers few comms (128 up to 6.8 or so): sched_switch knows the others. */
static void switches_learn(struct tracetext *text, struct tracedat_walk *walk)
{
	const struct format *format = format_named(text->dat, "sched", "sched_switch");
	struct tracedat_record record;

	if (!format)
		return;
	tracedat_walk_seek_bytes(walk, LEARN_BYTES, UINT64_MAX);
	while (tracedat_walk_next(walk, &record)) {
		if (event_id(&record) != format->id)
			continue;
		comm_learn_fields(text, &record, format_field(format, "prev_pid"),
				  format_field(format, "prev_comm"));
		comm_learn_fields(text, &record, format_field(format, "next_pid"),
				  format_field(format, "next_comm"));
	}
}

/* Whether a ring has wrapped, and which CPU begins. */
static void starts_learn(struct tracetext *text, struct tracedat_walk *walk)
{
	struct tracedat_record record;
	struct ringpage page;
	unsigned cpu;

	for (cpu = 0; cpu < tracedat_cpus(text->dat); cpu++) {
		if (!tracedat_pages(text->dat, cpu))
			continue;
		ringpage_open(&page, tracedat_layout(text->dat), tracedat_page(text->dat, cpu, 0));
		text->annotate |= page.missed;
	}
	for (int i = 0; i < 2 && tracedat_walk_next(walk, &record); i++)
		text->early[i] = record.cpu;
}

static int records_learn(struct tracetext *text, struct err *e)
{
	struct tracedat_walk *walk;

	if (tracedat_walk_open(&walk, text->dat, e) < 0)
		return e->code;
	starts_learn(text, walk);
	switches_learn(text, walk);
	tracedat_walk_close(walk);
	return 0;
}

enum trace_flag {
	FLAG_IRQS_OFF = 0x01,
	FLAG_RESCHED_LAZY = 0x02,
	FLAG_RESCHED = 0x04,
	FLAG_HARDIRQ = 0x08,
	FLAG_SOFTIRQ = 0x10,
	FLAG_PREEMPT_RESCHED = 0x20,
	FLAG_NMI = 0x40,
	FLAG_BH_OFF = 0x80,
};

static char irqs_off_char(uint32_t flags)
{
	if (flags & FLAG_IRQS_OFF)
		return flags & FLAG_BH_OFF ? 'D' : 'd';
	return flags & FLAG_BH_OFF ? 'b' : '.';
}

static char resched_char(uint32_t flags)
{
	/* by lazy, now and preempt: bits 0, 1 and 2 */
	static const char chars[] = ".lnbpLNB";

	return chars[(flags & FLAG_RESCHED_LAZY ? 1 : 0) | (flags & FLAG_RESCHED ? 2 : 0) |
		     (flags & FLAG_PREEMPT_RESCHED ? 4 : 0)];
}

static char irq_char(uint32_t flags)
{
	if (flags & FLAG_NMI)
		return flags & FLAG_HARDIRQ ? 'Z' : 'z';
	if (flags & FLAG_HARDIRQ)
		return flags & FLAG_SOFTIRQ ? 'H' : 'h';
	return flags & FLAG_SOFTIRQ ? 's' : '.';
}

static char depth_char(uint32_t depth)
{
	return depth ? "0123456789abcdef"[depth & 0xf] : '.';
}

static uint32_t common_int(const struct field *field, const struct tracedat_record *record)
{
	return field ? (uint32_t)field_int(field, record->data, record->size) : 0;
}

static void put_context(struct tracetext *text, const struct event *event,
			const struct tracedat_record *record, FILE *out)
{
	uint32_t flags = event ? common_int(event->flags, record) : 0;
	uint32_t depth = event ? common_int(event->preempt_count, record) : 0;
	int pid = event ? (int)common_int(event->pid, record) : -1;
	uint64_t us = (record->time + 500) / 1000; /* the kernel rounds, too */

	fprintf(out, "%16s-%-7d [%03u] %c%c%c%c%c %5llu.%06llu: ", comms_of(text->comms, pid), pid,
		record->cpu, irqs_off_char(flags), resched_char(flags), irq_char(flags),
		depth_char(depth & 0xf), depth_char(depth >> 4 & 0xf),
		(unsigned long long)(us / 1000000), (unsigned long long)(us % 1000000));
}

static void put_missed(const struct tracedat_record *record, FILE *out)
{
	if (record->missed_count)
		fprintf(out, "CPU:%u [LOST %llu EVENTS]\n", record->cpu,
			(unsigned long long)record->missed_count);
	else
		fprintf(out, "CPU:%u [LOST EVENTS]\n", record->cpu);
}

void tracetext_line(struct tracetext *text, const struct tracedat_record *record, FILE *out)
{
	const struct event *event = event_find(text->events, record);

	if (record->first && text->annotate && record->cpu != text->early[0] &&
	    record->cpu != text->early[1])
		fprintf(out, "##### CPU %u buffer started ####\n", record->cpu);
	if (record->missed)
		put_missed(record, out);
	put_context(text, event, record, out);
	event_print(text->events, event, record, out);
}

static void auto_tracetext(struct tracetext **text)
{
	tracetext_close(*text);
}

int tracetext_open(struct tracetext **ret, const struct tracedat *dat, struct err *e)
{
	__attribute__((cleanup(auto_tracetext))) struct tracetext *text = calloc(1, sizeof(*text));

	if (!text)
		return err_set(e, "out of memory for the text of a trace.dat");
	text->dat = dat;
	if (events_open(&text->events, dat, e) < 0 || comms_open(&text->comms, dat, e) < 0 ||
	    records_learn(text, e) < 0)
		return e->code;
	*ret = take_ptr(text);
	return 0;
}

void tracetext_close(struct tracetext *text)
{
	if (!text)
		return;
	events_close(text->events);
	comms_free(text->comms);
	free(text);
}
