#include "convert/tracetext.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <traceevent/event-parse.h>

#include "auto.h"

#define IDS 65536u
#define PIDS_MAX (1u << 22) /* the kernel's own limit */
#define COMM_SIZE 16
#define COMM_BLOCK 256u
#define LEARN_BYTES (64ull << 20)

/* libtraceevent believes offsets in records: they reach at most 64K behind a field that is at most
 * at 64K. */
#define SCRATCH_SIZE (4u << 16)

/* The comms of a stretch of pids. */
struct comm_block {
	char comms[COMM_BLOCK][COMM_SIZE];
};

struct event;
/* Writes what comes behind the time. */
typedef void body_fn(struct tracetext *text, const struct event *event,
		     const struct tracedat_record *record, FILE *out);

/* An event, as far as the lines of its records need it. */
struct event {
	const struct format *format;
	const struct field *flags;
	const struct field *preempt_count;
	const struct field *pid;
	const struct field *payload; /* the field that a body of our own starts from */
	uint32_t least;              /* bytes of a whole record */
	body_fn *body;
};

struct tracetext {
	const struct tracedat *dat;
	struct tep_handle *tep;
	struct trace_seq seq;
	uint8_t *scratch;  /* zeros behind the record */
	bool annotate;     /* a ring has wrapped: show where each CPU begins, */
	unsigned earliest; /* except the one that begins the text */
	struct event *events[IDS];
	struct comm_block *comms[PIDS_MAX / COMM_BLOCK];
};

static char *comm_slot(struct tracetext *text, int64_t pid)
{
	struct comm_block **block;

	if (pid <= 0 || pid >= PIDS_MAX)
		return NULL;
	block = &text->comms[pid / COMM_BLOCK];
	if (!*block)
		*block = calloc(1, sizeof(**block));
	return *block ? (*block)->comms[pid % COMM_BLOCK] : NULL;
}

/* The first that is said of a pid counts. */
static void comm_learn(struct tracetext *text, int64_t pid, const char *comm, size_t length)
{
	char *slot = comm_slot(text, pid);

	if (!slot || *slot)
		return;
	if (length >= COMM_SIZE)
		length = COMM_SIZE - 1;
	memcpy(slot, comm, length);
}

const char *tracetext_comm(const struct tracetext *text, int pid)
{
	const struct comm_block *block;

	if (pid == 0)
		return "<idle>";
	if (pid < 0)
		return "<XXX>";
	block = (uint32_t)pid < PIDS_MAX ? text->comms[(uint32_t)pid / COMM_BLOCK] : NULL;
	if (!block || !block->comms[(uint32_t)pid % COMM_BLOCK][0])
		return "<...>";
	return block->comms[(uint32_t)pid % COMM_BLOCK];
}

/* "123 comm" on each line. */
static void comms_read(struct tracetext *text, char *cmdlines)
{
	char *line;

	while ((line = strsep(&cmdlines, "\n"))) {
		char *comm;
		long pid = strtol(line, &comm, 10);

		if (comm != line && *comm == ' ')
			comm_learn(text, pid, comm + 1, strlen(comm + 1));
	}
}

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
	comm_learn(text, field_int(pid, record->data, record->size), name, length);
}

static uint16_t record_id(const struct tracedat_record *record)
{
	uint16_t id = 0;

	if (record->size >= sizeof(id))
		memcpy(&id, record->data, sizeof(id));
	return id;
}

/* The kernel remembers few comms (128 up to 6.8 or so): sched_switch knows the others. */
static void comms_learn(struct tracetext *text, struct tracedat_walk *walk)
{
	const struct format *format = format_named(text->dat, "sched", "sched_switch");
	struct tracedat_record record;

	if (!format)
		return;
	tracedat_walk_seek_bytes(walk, LEARN_BYTES, UINT64_MAX);
	while (tracedat_walk_next(walk, &record)) {
		if (record_id(&record) != format->id)
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
	if (tracedat_walk_next(walk, &record))
		text->earliest = record.cpu;
}

static int records_learn(struct tracetext *text, struct err *e)
{
	struct tracedat_walk *walk;

	if (tracedat_walk_open(&walk, text->dat, e) < 0)
		return e->code;
	starts_learn(text, walk);
	comms_learn(text, walk);
	tracedat_walk_close(walk);
	return 0;
}

static uint64_t long_at(const struct tracedat_record *record, uint32_t offset)
{
	uint64_t value = 0;

	if (offset <= record->size && record->size - offset >= sizeof(value))
		memcpy(&value, (const uint8_t *)record->data + offset, sizeof(value));
	return value;
}

static void put_symbol(struct tracetext *text, uint64_t address, FILE *out)
{
	const char *name = tep_find_function(text->tep, address);

	if (name)
		fputs(name, out);
	else
		fprintf(out, "0x%08llx", (unsigned long long)address);
}

static void body_kernel_stack(struct tracetext *text, const struct event *event,
			      const struct tracedat_record *record, FILE *out)
{
	uint32_t at;

	fputs("<stack trace>\n", out);
	for (at = event->payload->offset; at + sizeof(uint64_t) <= record->size; at += 8) {
		uint64_t address = long_at(record, at);

		if (address == UINT64_MAX)
			break;
		fputs(" => ", out);
		put_symbol(text, address, out);
		fputc('\n', out);
	}
}

static void body_user_stack(struct tracetext *text, const struct event *event,
			    const struct tracedat_record *record, FILE *out)
{
	uint32_t at;

	(void)text;
	fputs("<user stack trace>\n", out);
	for (at = event->payload->offset; at + sizeof(uint64_t) <= record->size; at += 8) {
		uint64_t address = long_at(record, at);

		if (!address)
			break;
		fprintf(out, " =>  <%016llx>\n", (unsigned long long)address);
	}
}

/* What was written to trace_marker: its text has its own newline. */
static void body_print(struct tracetext *text, const struct event *event,
		       const struct tracedat_record *record, FILE *out)
{
	const struct field *ip = format_field(event->format, "ip");
	size_t length;
	const char *written = field_string(event->payload, record->data, record->size, &length);

	put_symbol(text, ip ? long_at(record, ip->offset) : 0, out);
	fprintf(out, ": %.*s", (int)length, written);
	if (!length || written[length - 1] != '\n')
		fputc('\n', out);
}

static void body_function(struct tracetext *text, const struct event *event,
			  const struct tracedat_record *record, FILE *out)
{
	put_symbol(text, long_at(record, event->payload->offset), out);
	fputs(" <-", out);
	put_symbol(text, long_at(record, event->payload->offset + 8), out);
	fputc('\n', out);
}

/* "sys_enter_openat" is printed as "sys_openat(dfd: 3, ...)"; the first field behind the common
 * ones is the number. */
static void body_sys_enter(struct tracetext *text, const struct event *event,
			   const struct tracedat_record *record, FILE *out)
{
	const struct format *format = event->format;
	const struct field *field = event->payload + 1;
	const struct field *end = format->fields + format->n_fields;
	const char *separator = "";

	(void)text;
	fprintf(out, "sys_%s(", format->name + strlen("sys_enter_"));
	for (; field < end; field++) {
		uint64_t value = long_at(record, field->offset);

		fprintf(out, value < 10 ? "%s%s: %llu" : "%s%s: 0x%llx", separator, field->name,
			(unsigned long long)value);
		separator = ", ";
	}
	fputs(")\n", out);
}

static void body_sys_exit(struct tracetext *text, const struct event *event,
			  const struct tracedat_record *record, FILE *out)
{
	(void)text;
	fprintf(out, "sys_%s -> 0x%llx\n", event->format->name + strlen("sys_exit_"),
		(unsigned long long)long_at(record, event->payload->offset));
}

/* libtraceevent gets a copy with zeros behind it: what a broken record points at is then empty. */
static void body_tep(struct tracetext *text, const struct event *event,
		     const struct tracedat_record *record, FILE *out)
{
	struct tep_record copy = {
		.ts = record->time,
		.size = (int)record->size,
		.record_size = (int)record->size,
		.data = text->scratch,
		.cpu = (int)record->cpu,
	};

	fprintf(out, "%s: ", event->format->name);
	if (record->size < event->least || record->size > SCRATCH_SIZE / 2) {
		fprintf(out, "[record of %u bytes, not %u]\n", record->size, event->least);
		return;
	}
	memcpy(text->scratch, record->data, record->size);
	trace_seq_reset(&text->seq);
	tep_print_event(text->tep, &text->seq, &copy, "%s", TEP_PRINT_INFO);
	fwrite(text->seq.buffer, 1, text->seq.len, out);
	fputc('\n', out);
	memset(text->scratch, 0, record->size);
}

static void body_unknown(const struct tracedat_record *record, FILE *out)
{
	fprintf(out, "[unknown event %u, %u bytes]\n", record_id(record), record->size);
}

/* The events that the kernel prints by code and not by their format. A name that ends in '_' stands
 * for all that begin so. */
static const struct body {
	const char *system;
	const char *name;
	const char *payload;
	body_fn *print;
} bodies[] = {
	{ "ftrace", "kernel_stack", "caller", body_kernel_stack },
	{ "ftrace", "user_stack", "caller", body_user_stack },
	{ "ftrace", "print", "buf", body_print },
	{ "ftrace", "function", "ip", body_function },
	{ "syscalls", "sys_enter_", "__syscall_nr", body_sys_enter },
	{ "syscalls", "sys_exit_", "ret", body_sys_exit },
};

static bool body_fits(const struct body *body, const struct format *format)
{
	size_t length = strlen(body->name);

	if (strcmp(body->system, format->system))
		return false;
	if (body->name[length - 1] == '_')
		return !strncmp(body->name, format->name, length);
	return !strcmp(body->name, format->name);
}

static void event_body(struct event *event)
{
	size_t i;

	event->body = body_tep;
	for (i = 0; i < countof(bodies); i++) {
		if (!body_fits(&bodies[i], event->format))
			continue;
		event->payload = format_field(event->format, bodies[i].payload);
		if (event->payload)
			event->body = bodies[i].print;
	}
}

/* Bytes up to the end of the last field; what has no size yet is optional. */
static uint32_t record_least(const struct format *format)
{
	uint32_t least = 0;
	size_t i;

	for (i = 0; i < format->n_fields; i++) {
		uint32_t end = format->fields[i].offset + format->fields[i].size;

		if (end > least)
			least = end;
	}
	return least;
}

/* "(0x4 | 0x8)" as its value: libtraceevent takes "flags & (0x4 | 0x8)" for "(flags & 0x4) | 0x8".
 * Returns what is behind it, or NULL if TEXT is something else. */
static const char *mask_read(const char *text, uint64_t *mask)
{
	char *end;

	*mask = 0;
	do {
		text++;
		text += strspn(text, " ");
		if (!isdigit((unsigned char)*text))
			return NULL;
		*mask |= strtoull(text, &end, 0);
		text = end + strspn(end, " ");
	} while (*text == '|' && text[1] != '|');
	return *text == ')' ? text + 1 : NULL;
}

/* "%p" and "%px"; not "%ps", "%pI4" and the like. Returns what is behind it, or NULL. */
static const char *pointer_read(const char *text)
{
	size_t size = !strncmp(text, "%px", 3) ? 3 : 2;

	return strncmp(text, "%p", 2) || isalnum((unsigned char)text[size]) ? NULL : text + size;
}

/* The format in words that libtraceevent takes as the kernel does: masks as one number, pointers
 * with all their digits. The caller frees it. */
static char *format_translate(const char *format)
{
	autofree char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	while (*format) {
		const char *next = NULL;
		uint64_t mask;

		if (*format == '(' && (next = mask_read(format, &mask)))
			fprintf(out, "0x%llx", (unsigned long long)mask);
		else if (*format == '%' && (next = pointer_read(format)))
			fputs("%016lx", out);
		else
			fputc(*format, out);
		format = next ? next : format + 1;
	}
	return fclose(out) ? NULL : take_ptr(text);
}

static void event_teach(struct tracetext *text, const struct format *format)
{
	autofree char *translated = format_translate(format->text);

	/* one that it does not understand is printed by its fields */
	if (translated)
		tep_parse_event(text->tep, translated, strlen(translated), format->system);
}

/* The event of a record, made when its first one comes. NULL if the file has no format for it. */
static const struct event *event_get(struct tracetext *text, uint16_t id)
{
	const struct format *format;
	struct event *event = text->events[id];

	if (event)
		return event;
	format = tracedat_format(text->dat, id);
	event = format ? calloc(1, sizeof(*event)) : NULL;
	if (!event)
		return NULL;
	event->format = format;
	event->flags = format_field(format, "common_flags");
	event->preempt_count = format_field(format, "common_preempt_count");
	event->pid = format_field(format, "common_pid");
	event->least = record_least(format);
	event_body(event);
	if (event->body == body_tep)
		event_teach(text, format);
	text->events[id] = event;
	return event;
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

	fprintf(out, "%16s-%-7d [%03u] %c%c%c%c%c %5llu.%06llu: ", tracetext_comm(text, pid), pid,
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
	const struct event *event = event_get(text, record_id(record));

	if (record->first && text->annotate && record->cpu != text->earliest)
		fprintf(out, "##### CPU %u buffer started ####\n", record->cpu);
	if (record->missed)
		put_missed(record, out);
	put_context(text, event, record, out);
	if (event)
		event->body(text, event, record, out);
	else
		body_unknown(record, out);
}

static char *text_dup(struct tracedat_text text)
{
	return strndup(text.at, text.size);
}

static int texts_teach(struct tracetext *text, struct err *e)
{
	const struct tracedat_texts *texts = tracedat_texts(text->dat);
	autofree char *header = text_dup(texts->header_page);
	autofree char *kallsyms = text_dup(texts->kallsyms);
	autofree char *printk = text_dup(texts->printk_formats);
	autofree char *cmdlines = text_dup(texts->saved_cmdlines);
	int long_size = (int)tracedat_layout(text->dat)->commit_size;

	if (!header || !kallsyms || !printk || !cmdlines)
		return err_set(e, "out of memory for the text of a trace.dat");
	tep_set_long_size(text->tep, long_size);
	tep_set_cpus(text->tep, (int)tracedat_cpus(text->dat));
	tep_parse_header_page(text->tep, header, strlen(header), long_size);
	tep_parse_kallsyms(text->tep, kallsyms);
	tep_parse_printk_formats(text->tep, printk);
	comms_read(text, cmdlines);
	return 0;
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
	trace_seq_init(&text->seq);
	text->scratch = calloc(1, SCRATCH_SIZE);
	text->tep = tep_alloc();
	if (!text->scratch || !text->tep)
		return err_set(e, "out of memory for the text of a trace.dat");
	tep_set_loglevel(TEP_LOG_NONE);
	if (texts_teach(text, e) < 0 || records_learn(text, e) < 0)
		return e->code;
	*ret = take_ptr(text);
	return 0;
}

void tracetext_close(struct tracetext *text)
{
	size_t i;

	if (!text)
		return;
	for (i = 0; i < countof(text->events); i++)
		free(text->events[i]);
	for (i = 0; i < countof(text->comms); i++)
		free(text->comms[i]);
	trace_seq_destroy(&text->seq);
	tep_free(text->tep);
	free(text->scratch);
	free(text);
}
