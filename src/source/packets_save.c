#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/units.h"
#include "packet/pcapng.h"
#include "packet/tap.h"
#include "process/sandbox.h"
#include "source/packets.h"

/* Where a record is in the ring. */
struct place {
	uint64_t time;
	uint64_t cursor; /* before it */
	uint64_t bytes;
};

struct saver {
	const struct packets *packets;
	const struct save *save;
	struct ring *ring;
	struct packets_names names;
	uint64_t cut;
	struct place *places; /* all at or before the cut, by stamp */
	size_t n_places;
	size_t first;                           /* of those that are kept */
	uint64_t left_until;                    /* stamp of the newest that is not */
	uint32_t interfaces[PCAPNG_INTERFACES]; /* index of each in the file */
	uint32_t n_interfaces;
	int fd;
	struct pcapng *file;
};

static void auto_saver(struct saver *saver)
{
	ring_free(saver->ring);
	free(saver->places);
	pcapng_free(saver->file);
	auto_close(&saver->fd);
}

static int saver_open(struct saver *saver, const struct source *s, struct err *e)
{
	const struct packets *packets = saver->packets;
	char path[300];

	if (packets_names_read(&saver->names, saver->save->statedir, packets->names_file, e) < 0 ||
	    ring_open(&saver->ring, saver->save->statedir, packets->ring_file, e) < 0)
		return e->code;
	snprintf(path, sizeof(path), "packets/%s.pcapng", s->name);
	if (io_make_dirs(saver->save->outdir, "packets", e) < 0)
		return e->code;
	saver->fd = io_create(saver->save->outdir, path, e);
	return saver->fd < 0 ? saver->fd : 0;
}

static int places_add(struct saver *saver, size_t *room, const struct place *place, struct err *e)
{
	if (saver->n_places == *room) {
		size_t more = *room ? *room * 2 : 4096;
		struct place *grown = reallocarray(saver->places, more, sizeof(*grown));

		if (!grown)
			return err_sys(e, "cannot sort the packets");
		saver->places = grown;
		*room = more;
	}
	saver->places[saver->n_places++] = *place;
	return 0;
}

/* The same stamp: the one that came first goes first. */
static int place_compare(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	return (x->cursor > y->cursor) - (x->cursor < y->cursor);
}

static int saver_collect(struct saver *saver, struct err *e)
{
	struct ring_record record;
	uint64_t cursor = 0, before = 0;
	size_t room = 0;

	for (; ring_next(saver->ring, &cursor, &record); before = cursor) {
		struct place place = {
			.time = record.time,
			.cursor = before,
			.bytes = PACKETS_HEAD + (record.size + 7ull) / 8 * 8,
		};

		if (record.time <= saver->cut && places_add(saver, &room, &place, e) < 0)
			return e->code;
	}
	if (saver->n_places)
		qsort(saver->places, saver->n_places, sizeof(*saver->places), place_compare);
	return 0;
}

/* Back from the cut until the window is full. */
static void saver_select(struct saver *saver)
{
	const struct packets *packets = saver->packets;
	uint64_t end = saver->cut == UINT64_MAX ? clock_boot() : saver->cut;
	uint64_t oldest = packets->keep_ns && end > packets->keep_ns ? end - packets->keep_ns : 0;
	uint64_t room = packets->keep ? packets->keep : UINT64_MAX;

	saver->left_until = ring_counters(saver->ring)->overwritten_until;
	saver->first = saver->n_places;
	while (saver->first > 0) {
		const struct place *place = &saver->places[saver->first - 1];

		if (place->bytes > room || place->time < oldest)
			break;
		room -= place->bytes;
		saver->first--;
	}
	if (saver->first && saver->places[saver->first - 1].time > saver->left_until)
		saver->left_until = saver->places[saver->first - 1].time;
}

static int saver_add_interface(struct saver *saver, uint32_t index, const char *name,
			       const char *filter, struct err *e)
{
	struct pcapng_interface interface = {
		.name = name,
		.link = tap_linktype(saver->names.link),
		.snaplen = saver->packets->snaplen,
		.filter = filter,
	};

	saver->interfaces[saver->n_interfaces++] = index;
	return pcapng_add_interface(saver->file, &interface, e);
}

/* The first one stands for the socket, with its filter and its losses; `any` is followed by those
 * that packets are of. */
static int saver_begin(struct saver *saver, const struct source *s, struct err *e)
{
	autofree char *filter = tap_filter_for(saver->packets->filter, saver->names.link);
	const struct stop_record *stop = saver->save->stop;
	char comment[1200];

	if (!filter)
		return err_sys(e, "cannot write packets");
	snprintf(comment, sizeof(comment), "source '%s', stop at %s: %.1023s", s->name,
		 clock_utc(save_wall(saver->save, stop->event)).text, stop->text);
	if (pcapng_new(&saver->file, saver->fd, comment, e) < 0)
		return e->code;
	return saver_add_interface(saver, 0, saver->packets->interface, *filter ? filter : NULL, e);
}

/* The number of an interface in the file. Those that there is no room for are counted to the first.
 */
static int saver_interface(struct saver *saver, uint32_t index, uint32_t *number, struct err *e)
{
	const char *name;
	char text[16];

	*number = 0;
	if (strcmp(saver->packets->interface, TAP_ANY) != 0)
		return 0;
	for (uint32_t i = 1; i < saver->n_interfaces; i++) {
		if (saver->interfaces[i] == index) {
			*number = i;
			return 0;
		}
	}
	if (saver->n_interfaces == PCAPNG_INTERFACES)
		return 0;
	name = packets_names_find(&saver->names, index);
	snprintf(text, sizeof(text), "if%u", index);
	*number = saver->n_interfaces;
	return saver_add_interface(saver, index, name ? name : text, NULL, e);
}

/* The last one at or before the event, n_places if there is none. */
static size_t saver_last_before_stop(const struct saver *saver)
{
	for (size_t i = saver->n_places; i-- > saver->first;)
		if (saver->places[i].time <= saver->save->stop->event)
			return i;
	return saver->n_places;
}

static int saver_put(struct saver *saver, const struct place *place, const char *comment,
		     struct err *e)
{
	struct report *report = saver->save->report;
	uint64_t cursor = place->cursor;
	struct ring_record record;
	struct pcapng_packet packet = { .comment = comment };

	/* the ring cannot change any more, unless its writer is still alive after all */
	if (!ring_next(saver->ring, &cursor, &record) || record.time != place->time ||
	    record.size > PCAPNG_SNAPLEN)
		return 0;
	if (saver_interface(saver, record.kind, &packet.interface, e) < 0)
		return e->code;
	packet.wall_ns = save_wall(saver->save, record.time);
	packet.caplen = record.size;
	packet.len = record.aux > UINT32_MAX ? UINT32_MAX : record.aux;
	packet.data = record.data;
	report->records++;
	report->bytes += record.size;
	return pcapng_add_packet(saver->file, &packet, e);
}

static int saver_write_packets(struct saver *saver, struct err *e)
{
	size_t last = saver_last_before_stop(saver);
	char comment[1100];

	snprintf(comment, sizeof(comment), "last packet before the stop: %.1023s",
		 saver->save->stop->text);
	for (size_t i = saver->first; i < saver->n_places; i++)
		if (saver_put(saver, &saver->places[i], i == last ? comment : NULL, e) < 0)
			return e->code;
	return 0;
}

static int saver_write_counts(struct saver *saver, struct err *e)
{
	const struct ring_counters *c = ring_counters(saver->ring);
	struct pcapng_counts counts = {
		.from_ns = save_wall(saver->save, c->seen_since),
		.to_ns = save_wall(saver->save, c->seen_until),
		.received = c->pushed + c->lost,
		.dropped = c->lost,
	};

	return pcapng_add_counts(saver->file, &counts, e);
}

static int saver_write(struct saver *saver, const struct source *s, struct err *e)
{
	if (saver_begin(saver, s, e) < 0 || saver_write_packets(saver, e) < 0 ||
	    saver_write_counts(saver, e) < 0)
		return e->code;
	return pcapng_flush(saver->file, e);
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void report_window(struct saver *saver)
{
	const struct ring_counters *c = ring_counters(saver->ring);
	struct report *report = saver->save->report;

	report->overwritten = c->overwritten + saver->first;
	report->from = later(c->seen_since, saver->left_until ? saver->left_until + 1 : 0);
	report->to = c->seen_until < saver->cut ? c->seen_until : saver->cut;
	if (!c->seen_since || report->from > report->to)
		report->from = report->to = 0;
	if (c->lost && c->lost_since <= saver->cut)
		report_hole(report, "kernel drops", c->lost_since,
			    c->lost_until < saver->cut ? c->lost_until : saver->cut, c->lost);
}

static void report_outcome(struct saver *saver)
{
	const struct ring_counters *c = ring_counters(saver->ring);
	const struct packets *packets = saver->packets;
	struct report *report = saver->save->report;

	report->outcome = OUTCOME_PARTIAL;
	if (!c->seen_since) {
		snprintf(report->note, sizeof(report->note), "recording had not begun");
	} else if (c->seen_until < saver->cut) {
		report_hole(report, "its process had ended", c->seen_until, saver->cut, 0);
		snprintf(report->note, sizeof(report->note), "recording ended %s before the stop",
			 duration_text((saver->cut - c->seen_until) / NS_PER_MS * NS_PER_MS).text);
	} else if (packets->keep_ns && c->overwritten &&
		   c->overwritten_until + packets->keep_ns > saver->cut) {
		report->outcome = OUTCOME_TRUNCATED;
		snprintf(report->note, sizeof(report->note), "the ring of %s held less than %s",
			 size_text(ring_size(saver->ring)).text,
			 duration_text(packets->keep_ns).text);
	} else {
		report->outcome = OUTCOME_OK;
	}
}

int packets_save(struct source *s, struct save *save, struct err *e)
{
	__attribute__((cleanup(auto_saver))) struct saver saver = {
		.packets = s->data,
		.save = save,
		.cut = save->stop->cut,
		.fd = -1,
	};

	if (saver_open(&saver, s, e) < 0 || sandbox_enter(SANDBOX_HELD, e) < 0 ||
	    saver_collect(&saver, e) < 0)
		return e->code;
	saver_select(&saver);
	if (saver_write(&saver, s, e) < 0)
		return e->code;
	report_window(&saver);
	report_outcome(&saver);
	return 0;
}
