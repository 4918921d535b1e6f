#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/auto.h"
#include "base/io.h"
#include "base/text.h"
#include "capture/capture.h"
#include "packet/pcapng.h"
#include "packet/tap.h"
#include "plan/plan.h"
#include "process/sandbox.h"
#include "selector/packet.h"
#include "selector/reading.h"
#include "source/watched.h"
#include "trace/instance.h"
#include "trace/pagemaker.h"
#include "trace/tracehost.h"

/* One stream on its way from its ring to its file. */
struct saver {
	const struct watched *watched;
	struct source *source;
	const struct save *save;
	struct ring *ring;
	int out;
	/* of events: */
	struct tracehost host;
	unsigned n_cpus;
	int *pages; /* of each CPU, in memory */
	/* of packets: */
	struct pcapng *file;
	/* of readings: */
	FILE *text;
};

static const struct selector *saver_selector(const struct saver *v, uint32_t number)
{
	const struct plan *plan = v->watched->plan;

	return number < plan->n_selectors ? plan->selectors[number] : NULL;
}

/* The next record up to the cut; holes are shown too. */
static bool saver_next(const struct saver *v, uint64_t *cursor, struct ring_record *record)
{
	return ring_next(v->ring, cursor, record) > 0 && record->time <= v->save->stop->cut;
}

static void saver_count(struct saver *v, const struct ring_record *record)
{
	v->save->report->records++;
	v->save->report->bytes += record->size;
}

/* Events: */

static size_t saver_events(const struct plan *plan, struct tracehost_event *events)
{
	size_t n = 0;

	for (size_t i = 0; i < plan->n_selectors; i++)
		if (plan->selectors[i]->format)
			events[n++] = (struct tracehost_event) { plan->selectors[i]->format->system,
								 plan->selectors[i]->format->name };
	return n;
}

/* The formats are the kernel's, which recover has to ask for first. */
static int saver_probe(const struct saver *v, struct err *e)
{
	const struct plan *plan = v->watched->plan;

	for (size_t i = 0; i < plan->n_selectors; i++)
		if (plan->selectors[i]->ops->stream == STREAM_EVENTS &&
		    !plan->selectors[i]->format &&
		    selector_probe(plan->selectors[i], v->source->tracing, e) < 0)
			return e->code;
	return 0;
}

static int saver_open_events(struct saver *v, struct err *e)
{
	const struct plan *plan = v->watched->plan;
	struct capture_name instance = capture_instance(v->save->state, ".watch");
	autofree struct tracehost_event *events = calloc(plan->n_selectors + 1, sizeof(*events));

	if (!events)
		return err_set(e, "no memory");
	if (saver_probe(v, e) < 0 ||
	    instance_cpus(v->source->tracing, instance.text, &v->n_cpus, e) < 0)
		return e->code;
	v->pages = calloc(v->n_cpus + 1, sizeof(*v->pages));
	if (!v->pages)
		return err_set(e, "no memory");
	for (unsigned cpu = 0; cpu < v->n_cpus; cpu++)
		v->pages[cpu] = memfd_create("watched", MFD_CLOEXEC);
	return tracehost_read(&v->host, v->source->tracing, instance.text, events,
			      saver_events(plan, events), e);
}

static int saver_page_records(struct saver *v, struct pagemaker *makers, struct err *e)
{
	struct ring_record record;
	uint64_t cursor = 0;

	while (saver_next(v, &cursor, &record)) {
		const struct ringpage_record one = { record.time, record.size, record.data };

		for (unsigned cpu = 0; record.kind == WATCHED_HOLE && cpu < v->n_cpus; cpu++)
			if (pagemaker_note_loss(&makers[cpu], e) < 0)
				return e->code;
		if (record.kind >= v->n_cpus)
			continue;
		if (pagemaker_add(&makers[record.kind], &one, e) < 0)
			return e->code;
		saver_count(v, &record);
	}
	return 0;
}

static int saver_make_pages(struct saver *v, struct err *e)
{
	autofree struct pagemaker *makers = calloc(v->n_cpus + 1, sizeof(*makers));
	int r = makers ? 0 : err_set(e, "no memory");

	for (unsigned cpu = 0; !r && cpu < v->n_cpus; cpu++)
		r = pagemaker_open(&makers[cpu], &v->host.about.layout, v->pages[cpu], e);
	if (!r)
		r = saver_page_records(v, makers, e);
	for (unsigned cpu = 0; makers && cpu < v->n_cpus; cpu++) {
		struct err last = ERR_INIT;

		if (pagemaker_close(&makers[cpu], &last) < 0 && !r)
			*e = last;
		lseek(v->pages[cpu], 0, SEEK_SET);
	}
	return e->code;
}

static int saver_write_events(struct saver *v, struct err *e)
{
	autofree struct tracedat_cpu *cpus = calloc(v->n_cpus + 1, sizeof(*cpus));

	if (!cpus)
		return err_set(e, "no memory");
	if (saver_make_pages(v, e) < 0)
		return e->code;
	for (unsigned cpu = 0; cpu < v->n_cpus; cpu++)
		cpus[cpu] = (struct tracedat_cpu) { .fds = &v->pages[cpu], .n_fds = 1 };
	return tracedat_write(v->out, &v->host.about, cpus, v->n_cpus, v->host.symbols, e);
}

/* Packets: one interface for each selector, so that who reads them knows what they passed. */

static int saver_begin_packets(struct saver *v, const int *links, struct err *e)
{
	const struct plan *plan = v->watched->plan;

	if (pcapng_new(&v->file, v->out, "what the stop conditions looked at", e) < 0)
		return e->code;
	for (size_t i = 0; i < plan->n_selectors; i++) {
		const struct packet_selector *packet = plan->selectors[i]->data;
		struct pcapng_interface interface = { .name = "-", .link = tap_linktype(links[i]) };

		if (plan->selectors[i]->ops->stream == STREAM_PACKETS) {
			interface.name = packet->interface;
			interface.filter = packet->filter;
			interface.snaplen = packet->snaplen;
		}
		if (pcapng_add_interface(v->file, &interface, e) < 0)
			return e->code;
	}
	return 0;
}

static int saver_put_packets(struct saver *v, struct err *e)
{
	struct ring_record record;
	uint64_t cursor = 0;

	while (saver_next(v, &cursor, &record)) {
		const struct pcapng_packet packet = {
			.interface = record.kind,
			.wall_ns = save_wall(v->save, record.time),
			.caplen = record.size,
			.len = (uint32_t)record.aux,
			.data = record.data,
		};

		if (!saver_selector(v, record.kind))
			continue;
		if (pcapng_add_packet(v->file, &packet, e) < 0)
			return e->code;
		saver_count(v, &record);
	}
	return pcapng_flush(v->file, e);
}

static int saver_write_packets(struct saver *v, struct err *e)
{
	autofree int *links = calloc(v->watched->plan->n_selectors + 1, sizeof(*links));
	struct ring_record record;
	uint64_t cursor = 0;

	if (!links)
		return err_set(e, "no memory");
	while (saver_next(v, &cursor, &record))
		if (saver_selector(v, record.kind))
			links[record.kind] = record.aux >> 32;
	return saver_begin_packets(v, links, e) < 0 ? e->code : saver_put_packets(v, e);
}

/* Readings: a JSON object a line. */

static int saver_put_reading(struct saver *v, const struct ring_record *record, struct err *e)
{
	const struct selector *s = saver_selector(v, record->kind);
	const struct reading_selector *reading = s ? s->data : NULL;
	autofree char *text = strndup(record->data, record->size);
	autofree char *escaped = text ? text_json(text) : NULL;
	autofree char *line = NULL;
	autojson json_t *json = NULL;

	if (!reading)
		return 0;
	json = json_pack("{s:I, s:i, s:s, s:s, s:s, s:s}", "boot", (json_int_t)record->time,
			 "selector", (int)record->kind, "of", s->ops->type, "path",
			 reading->path ? reading->path : "", "trigger", reading->trigger, "text",
			 escaped ? escaped : "");
	line = json ? json_dumps(json, JSON_COMPACT) : NULL;
	if (!line)
		return err_set(e, "no memory");
	fprintf(v->text, "%s\n", line);
	saver_count(v, record);
	return 0;
}

static int saver_write_readings(struct saver *v, struct err *e)
{
	struct ring_record record;
	uint64_t cursor = 0;

	v->text = fdopen(v->out, "w");
	if (!v->text)
		return err_sys(e, "cannot write readings");
	v->out = -1;
	while (saver_next(v, &cursor, &record))
		if (record.kind != WATCHED_HOLE && saver_put_reading(v, &record, e) < 0)
			return e->code;
	return fflush(v->text) == 0 ? 0 : err_sys(e, "cannot write readings");
}

static void saver_report(const struct saver *v)
{
	const struct ring_counters *c = ring_counters(v->ring);
	struct report *report = v->save->report;
	uint64_t cut = v->save->stop->cut;

	report->overwritten = c->overwritten;
	report->from = c->overwritten ? c->overwritten_until + 1 : c->seen_since;
	report->to = c->seen_until < cut ? c->seen_until : cut;
	report->outcome = OUTCOME_OK;
	if (c->lost)
		report_hole(report, "conditions", c->lost_since, c->lost_until, 0);
}

static void auto_saver(struct saver *v)
{
	ring_free(v->ring);
	tracehost_clear(&v->host);
	for (unsigned cpu = 0; v->pages && cpu < v->n_cpus; cpu++)
		auto_close(&v->pages[cpu]);
	free(v->pages);
	pcapng_free(v->file);
	auto_fclose(&v->text);
	auto_close(&v->out);
}

/* The one file of each stream, and what writes it. */
static const struct {
	const char *path;
	int (*write)(struct saver *v, struct err *e);
} saver_files[STREAMS] = {
	[STREAM_EVENTS] = { "watched/events.dat", saver_write_events },
	[STREAM_PACKETS] = { "watched/packets.pcapng", saver_write_packets },
	[STREAM_READINGS] = { "watched/readings.jsonl", saver_write_readings },
};

int watched_save(struct source *s, struct save *save, struct err *e)
{
	const struct watched *w = s->data;
	__attribute__((cleanup(auto_saver))) struct saver v = {
		.watched = w, .source = s, .save = save, .out = -1
	};

	if (ring_open(&v.ring, save->statedir, w->ring_file, e) < 0 ||
	    io_make_dirs(save->outdir, "watched", e) < 0 ||
	    (w->stream == STREAM_EVENTS && saver_open_events(&v, e) < 0))
		return e->code;
	v.out = io_create(save->outdir, saver_files[w->stream].path, e);
	if (v.out < 0 || sandbox_enter(SANDBOX_HELD, e) < 0 ||
	    saver_files[w->stream].write(&v, e) < 0)
		return e->code;
	saver_report(&v);
	return 0;
}
