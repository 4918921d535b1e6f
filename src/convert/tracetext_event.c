#include "convert/tracetext_event.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <traceevent/event-parse.h>

#include "base/auto.h"

#define IDS 65536u

/* libtraceevent believes offsets in records: they reach at most 64K behind a field that is at most
 * at 64K. */
#define SCRATCH_SIZE (4u << 16)

struct events {
	const struct tracedat *dat;
	struct tep_handle *tep;
	struct trace_seq seq;
	uint8_t *scratch; /* zeros behind the record */
	struct event *known[IDS];
};

uint16_t event_id(const struct tracedat_record *record)
{
	uint16_t id = 0;

	if (record->size >= sizeof(id))
		memcpy(&id, record->data, sizeof(id));
	return id;
}

static uint64_t long_at(const struct tracedat_record *record, uint32_t offset)
{
	uint64_t value = 0;

	if (offset <= record->size && record->size - offset >= sizeof(value))
		memcpy(&value, (const uint8_t *)record->data + offset, sizeof(value));
	return value;
}

static void put_symbol(struct events *events, uint64_t address, FILE *out)
{
	const char *name = tep_find_function(events->tep, address);

	if (name)
		fputs(name, out);
	else
		fprintf(out, "0x%08llx", (unsigned long long)address);
}

static void body_kernel_stack(struct events *events, const struct event *event,
			      const struct tracedat_record *record, FILE *out)
{
	uint32_t at;

	fputs("<stack trace>\n", out);
	for (at = event->payload->offset; at + sizeof(uint64_t) <= record->size; at += 8) {
		uint64_t address = long_at(record, at);

		if (address == UINT64_MAX)
			break;
		fputs(" => ", out);
		put_symbol(events, address, out);
		fputc('\n', out);
	}
}

static void body_user_stack(struct events *events, const struct event *event,
			    const struct tracedat_record *record, FILE *out)
{
	uint32_t at;

	(void)events;
	fputs("<user stack trace>\n", out);
	for (at = event->payload->offset; at + sizeof(uint64_t) <= record->size; at += 8) {
		uint64_t address = long_at(record, at);

		if (!address)
			break;
		fprintf(out, " =>  <%016llx>\n", (unsigned long long)address);
	}
}

/* What was written to trace_marker: its text has its own newline. */
static void body_print(struct events *events, const struct event *event,
		       const struct tracedat_record *record, FILE *out)
{
	const struct field *ip = format_field(event->format, "ip");
	size_t length;
	const char *written = field_string(event->payload, record->data, record->size, &length);

	put_symbol(events, ip ? long_at(record, ip->offset) : 0, out);
	fprintf(out, ": %.*s", (int)length, written);
	if (!length || written[length - 1] != '\n')
		fputc('\n', out);
}

static void body_function(struct events *events, const struct event *event,
			  const struct tracedat_record *record, FILE *out)
{
	put_symbol(events, long_at(record, event->payload->offset), out);
	fputs(" <-", out);
	put_symbol(events, long_at(record, event->payload->offset + 8), out);
	fputc('\n', out);
}

/* "sys_enter_openat" is printed as "sys_openat(dfd: 3, ...)"; the first field behind the common
 * ones is the number. */
static void body_sys_enter(struct events *events, const struct event *event,
			   const struct tracedat_record *record, FILE *out)
{
	const struct format *format = event->format;
	const struct field *field = event->payload + 1;
	const struct field *end = format->fields + format->n_fields;
	const char *separator = "";

	(void)events;
	fprintf(out, "sys_%s(", format->name + strlen("sys_enter_"));
	for (; field < end; field++) {
		uint64_t value = long_at(record, field->offset);

		fprintf(out, value < 10 ? "%s%s: %llu" : "%s%s: 0x%llx", separator, field->name,
			(unsigned long long)value);
		separator = ", ";
	}
	fputs(")\n", out);
}

static void body_sys_exit(struct events *events, const struct event *event,
			  const struct tracedat_record *record, FILE *out)
{
	(void)events;
	fprintf(out, "sys_%s -> 0x%llx\n", event->format->name + strlen("sys_exit_"),
		(unsigned long long)long_at(record, event->payload->offset));
}

/* libtraceevent gets a copy with zeros behind it: what a broken record points at is then empty. */
static void body_tep(struct events *events, const struct event *event,
		     const struct tracedat_record *record, FILE *out)
{
	struct tep_record copy = {
		.ts = record->time,
		.size = (int)record->size,
		.record_size = (int)record->size,
		.data = events->scratch,
		.cpu = (int)record->cpu,
	};

	fprintf(out, "%s: ", event->format->name);
	if (record->size < event->least || record->size > SCRATCH_SIZE / 2) {
		fprintf(out, "[record of %u bytes, not %u]\n", record->size, event->least);
		return;
	}
	memcpy(events->scratch, record->data, record->size);
	trace_seq_reset(&events->seq);
	tep_print_event(events->tep, &events->seq, &copy, "%s", TEP_PRINT_INFO);
	fwrite(events->seq.buffer, 1, events->seq.len, out);
	fputc('\n', out);
	memset(events->scratch, 0, record->size);
}

static void body_unknown(const struct tracedat_record *record, FILE *out)
{
	fprintf(out, "[unknown event %u, %u bytes]\n", event_id(record), record->size);
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

static void event_teach(struct events *events, const struct format *format)
{
	autofree char *translated = format_translate(format->text);

	/* one that it does not understand is printed by its fields */
	if (translated)
		tep_parse_event(events->tep, translated, strlen(translated), format->system);
}

static const struct event *event_make(struct events *events, const struct format *format)
{
	struct event *event = format ? calloc(1, sizeof(*event)) : NULL;

	if (!event)
		return NULL;
	event->format = format;
	event->flags = format_field(format, "common_flags");
	event->preempt_count = format_field(format, "common_preempt_count");
	event->pid = format_field(format, "common_pid");
	event->least = record_least(format);
	event_body(event);
	if (event->body == body_tep)
		event_teach(events, format);
	return events->known[format->id] = event;
}

const struct event *event_find(struct events *events, const struct tracedat_record *record)
{
	uint16_t id = event_id(record);

	if (events->known[id])
		return events->known[id];
	return event_make(events, tracedat_format(events->dat, id));
}

void event_print(struct events *events, const struct event *event,
		 const struct tracedat_record *record, FILE *out)
{
	if (event)
		event->body(events, event, record, out);
	else
		body_unknown(record, out);
}

static char *text_dup(struct tracedat_text text)
{
	return strndup(text.at, text.size);
}

static int events_teach(struct events *events, struct err *e)
{
	const struct tracedat_texts *texts = tracedat_texts(events->dat);
	autofree char *header = text_dup(texts->header_page);
	autofree char *kallsyms = text_dup(texts->kallsyms);
	autofree char *printk = text_dup(texts->printk_formats);
	int long_size = (int)tracedat_layout(events->dat)->commit_size;

	if (!header || !kallsyms || !printk)
		return err_set(e, "out of memory for the text of a trace.dat");
	tep_set_long_size(events->tep, long_size);
	tep_set_cpus(events->tep, (int)tracedat_cpus(events->dat));
	tep_parse_header_page(events->tep, header, strlen(header), long_size);
	tep_parse_kallsyms(events->tep, kallsyms);
	tep_parse_printk_formats(events->tep, printk);
	return 0;
}

static void auto_events(struct events **events)
{
	events_close(*events);
}

int events_open(struct events **ret, const struct tracedat *dat, struct err *e)
{
	__attribute__((cleanup(auto_events))) struct events *events = calloc(1, sizeof(*events));

	if (!events)
		return err_set(e, "out of memory for the text of a trace.dat");
	events->dat = dat;
	trace_seq_init(&events->seq);
	events->scratch = calloc(1, SCRATCH_SIZE);
	events->tep = tep_alloc();
	if (!events->scratch || !events->tep)
		return err_set(e, "out of memory for the text of a trace.dat");
	tep_set_loglevel(TEP_LOG_NONE);
	if (events_teach(events, e) < 0)
		return e->code;
	*ret = take_ptr(events);
	return 0;
}

void events_close(struct events *events)
{
	size_t i;

	if (!events)
		return;
	for (i = 0; i < countof(events->known); i++)
		free(events->known[i]);
	trace_seq_destroy(&events->seq);
	tep_free(events->tep);
	free(events->scratch);
	free(events);
}
