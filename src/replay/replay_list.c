#include "replay/replay_list.h"

#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/io.h"
#include "base/units.h"
#include "bundle/manifest.h"
#include "packet/packetfilter.h"
#include "packet/pcapng.h"
#include "packet/tap.h"
#include "selector/packet.h"
#include "selector/reading.h"

#define FILE_MAX (1ull << 30) /* of samples, readings, a log; bytes */

static const int list_links[REPLAY_LINKS] = { DLT_EN10MB, DLT_LINUX_SLL2, DLT_RAW, DLT_LINUX_SLL };

static int list_compile(struct replay_list *list, struct err *e)
{
	const struct packet_selector *packet = list->selector->data;

	for (int i = 0; i < REPLAY_LINKS; i++) {
		autofree char *filter = tap_filter_for(packet->filter, list_links[i]);
		pcap_t *pcap = pcap_open_dead(list_links[i], PCAPNG_SNAPLEN);
		struct err unfit = ERR_INIT; /* for packets of that kind */

		if (!filter || !pcap)
			return err_set(e, "no memory");
		packetprogram_compile(&list->programs[i], pcap, filter, &unfit);
		pcap_close(pcap);
	}
	return 0;
}

int replay_list_prepare(struct replay_list *list, const struct replay_choice *choice, struct err *e)
{
	*list = (struct replay_list) { .selector = choice->selector };
	return choice->kind == REPLAY_PACKETS ? list_compile(list, e) : 0;
}

void replay_list_clear(struct replay_list *list)
{
	for (int i = 0; i < REPLAY_LINKS; i++)
		packetprogram_free(&list->programs[i]);
	for (size_t i = 0; i < list->n; i++)
		free((uint8_t *)list->all[i].data);
	free(list->all);
	*list = (struct replay_list) { 0 };
}

/* With a NUL behind the data, so that it can be read as text. */
static int list_add(struct replay_list *list, const struct observation *o, struct err *e)
{
	struct observation *copy;

	if (list->n == list->room) {
		size_t room = list->room ? list->room * 2 : 1024;
		struct observation *grown = realloc(list->all, room * sizeof(*grown));

		if (!grown)
			return err_set(e, "no memory");
		list->all = grown;
		list->room = room;
	}
	copy = &list->all[list->n];
	*copy = *o;
	copy->data = calloc(1, o->size + 1);
	if (!copy->data)
		return err_set(e, "no memory");
	memcpy((uint8_t *)copy->data, o->data, o->size);
	list->n++;
	return 0;
}

/* Packets: */

static bool list_takes(const struct replay_list *list, const struct pcapng_interface *interface,
		       const struct pcapng_packet *packet)
{
	const struct packet_selector *wanted = list->selector->data;
	const struct pcap_pkthdr head = { .caplen = packet->caplen, .len = packet->len };

	if (strcmp(wanted->interface, TAP_ANY) && strcmp(wanted->interface, interface->name))
		return false;
	for (int i = 0; i < REPLAY_LINKS; i++)
		if (tap_linktype(list_links[i]) == interface->link)
			return list->programs[i].bf_len &&
			       pcap_offline_filter(&list->programs[i], &head, packet->data);
	return false;
}

/* Two sockets that saw the same packet give it the same stamp. Where their links differ, so do the
 * heads. */
static bool list_has_just(const struct replay_list *list, const struct observation *o)
{
	const struct observation *last = list->n ? &list->all[list->n - 1] : NULL;

	if (!last || last->time != o->time || last->length != o->length)
		return false;
	return last->link != o->link ||
	       !memcmp(last->data, o->data, last->size < o->size ? last->size : o->size);
}

static int list_packet(struct replay_list *list, const struct recording *r,
		       const struct replay_choice *choice, const struct pcapng_interface *interface,
		       const struct pcapng_packet *packet, struct err *e)
{
	const struct observation o = {
		.time = anchors_boot(r->anchors, r->n_anchors, packet->wall_ns),
		.cpu = UINT32_MAX,
		.pid = -1,
		.data = packet->data,
		.size = packet->caplen,
		.length = packet->len,
		.link = tap_datalink(interface->link),
	};

	if (choice->watched ? packet->interface != choice->number
			    : !list_takes(list, interface, packet))
		return 0;
	return list_add(list, &o, e);
}

static int list_packets(struct replay_list *list, const struct recording *r,
			const struct replay_choice *choice, int fd, struct err *e)
{
	struct err broken = ERR_INIT;
	struct pcapng_reader *reader;
	struct pcapng_packet packet;

	if (pcapng_reader_new(&reader, fd, e) < 0)
		return e->code;
	while (e->code == 0 && pcapng_reader_next(reader, &packet, NULL, &broken) > 0) {
		const struct pcapng_interface *interface =
			pcapng_reader_interface(reader, packet.interface);

		if (interface)
			list_packet(list, r, choice, interface, &packet, e);
	}
	pcapng_reader_free(reader);
	return e->code;
}

static bool list_is_sorted(const struct replay_list *list)
{
	for (size_t i = 1; i < list->n; i++)
		if (list->all[i].time < list->all[i - 1].time)
			return false;
	return true;
}

/* Halves that are in order are put together; what has the same time stays as it is. */
static void list_merge(struct observation *all, struct observation *spare, size_t n)
{
	size_t half = n / 2, a = 0, b = half, at = 0;

	if (n < 2)
		return;
	list_merge(all, spare, half);
	list_merge(all + half, spare, n - half);
	memcpy(spare, all, n * sizeof(*all));
	while (at < n)
		all[at++] = b == n || (a < half && spare[a].time <= spare[b].time) ? spare[a++]
										   : spare[b++];
}

static int list_sort(struct replay_list *list, bool once, struct err *e)
{
	size_t n = list->n;
	autofree struct observation *spare =
		list_is_sorted(list) ? NULL : calloc(n, sizeof(*spare));

	if (spare)
		list_merge(list->all, spare, n);
	else if (!list_is_sorted(list))
		return err_set(e, "no memory");
	list->n = 0;
	for (size_t i = 0; i < n; i++) {
		if (once && list_has_just(list, &list->all[i]))
			free((uint8_t *)list->all[i].data);
		else
			list->all[list->n++] = list->all[i];
	}
	return 0;
}

/* Readings: */

static int list_reading(struct replay_list *list, const struct replay_choice *choice,
			const char *line, struct err *e)
{
	autojson json_t *json = json_loads(line, 0, NULL);
	const char *text = manifest_text(json, "text");
	const struct observation o = { .time = manifest_int(json, "boot"),
				       .cpu = UINT32_MAX,
				       .pid = -1,
				       .data = (const uint8_t *)text,
				       .size = strlen(text) };

	return json && manifest_int(json, "selector") == choice->number ? list_add(list, &o, e) : 0;
}

/* "# BOOT UTC SIZE [WHAT]", the content, a newline if it has none at its end. */
static int list_samples(struct replay_list *list, char *text, size_t size, struct err *e)
{
	const char *at = text, *end = text + size;

	while (at < end && e->code == 0) {
		unsigned long long time;
		unsigned content;
		const char *newline = memchr(at, '\n', end - at);
		struct observation o = { .cpu = UINT32_MAX, .pid = -1 };

		if (!newline || sscanf(at, "# %llu %*s %u", &time, &content) != 2 ||
		    content > (size_t)(end - newline - 1))
			break;
		o.time = time;
		o.data = (const uint8_t *)newline + 1;
		o.size = content;
		list_add(list, &o, e);
		at = newline + 1 + content;
		if (content && at < end && at[-1] != '\n')
			at++;
	}
	return e->code;
}

/* Lines: "UTC BOOT LEVEL TEXT"; of the kernel's log made into the record that printk:console would
 * have been. */

#define LINE_MAX 4096u

static bool list_selects(const struct selector *s, const struct observation *o)
{
	const struct filter_context context = { .cpu = 0 };

	return filter_match(s->filter, &context, o->data, o->size) && s->ops->match(s, o);
}

static int list_kernel_line(struct replay_list *list, struct observation *o, const char *text,
			    struct err *e)
{
	const struct field *msg = format_field(list->selector->format, "msg");
	const uint32_t head = msg->offset + sizeof(uint32_t);
	autofree uint8_t *record = calloc(1, head + LINE_MAX);
	uint32_t place, length = strnlen(text, LINE_MAX - 1) + 1;

	if (!record)
		return err_set(e, "no memory");
	place = length << 16 | (msg->relative ? 0 : head);
	memcpy(record + msg->offset, &place, sizeof(place));
	memcpy(record + head, text, length - 1);
	o->data = record;
	o->size = head + length;
	return list_selects(list->selector, o) ? list_add(list, o, e) : 0;
}

static int list_text_line(struct replay_list *list, struct observation *o, const char *text,
			  struct err *e)
{
	o->data = (const uint8_t *)text;
	o->size = strlen(text);
	return list->selector->ops->match(list->selector, o) ? list_add(list, o, e) : 0;
}

static int list_line(struct replay_list *list, const char *line, struct err *e)
{
	struct observation o = { .cpu = UINT32_MAX, .pid = -1 };
	unsigned long long s, ns;
	int from = 0;

	if (sscanf(line, "%*s %llu.%9llu %*s %n", &s, &ns, &from) != 2 || !from)
		return 0;
	o.time = s * NS_PER_S + ns;
	return list->selector->ops == &line_selector ? list_kernel_line(list, &o, line + from, e)
						     : list_text_line(list, &o, line + from, e);
}

/* Of readings or of a log. */
static int list_lines(struct replay_list *list, const struct replay_choice *choice, char *text,
		      struct err *e)
{
	char *rest, *line;

	for (line = strtok_r(text, "\n", &rest); line && e->code == 0;
	     line = strtok_r(NULL, "\n", &rest)) {
		if (choice->kind == REPLAY_READINGS)
			list_reading(list, choice, line, e);
		else if (*line != '#')
			list_line(list, line, e);
	}
	return e->code;
}

static int list_text(struct replay_list *list, const struct replay_choice *choice, int fd,
		     struct err *e)
{
	autofree char *text = NULL;
	size_t size;

	if (io_read(fd, FILE_MAX, &text, &size, e) < 0)
		return e->code;
	return choice->kind == REPLAY_SAMPLES ? list_samples(list, text, size, e)
					      : list_lines(list, choice, text, e);
}

int replay_list_read(struct replay_list *list, const struct recording *r,
		     const struct replay_choice *choice, struct err *e)
{
	for (size_t i = 0; i < choice->n_paths && e->code == 0; i++) {
		int fd = recording_file(r, choice->paths[i]);

		if (fd < 0)
			return err_set(e, "the bundle has no %s", choice->paths[i]);
		if (lseek(fd, 0, SEEK_SET) < 0)
			return err_sys(e, "'%s'", choice->paths[i]);
		if (choice->kind == REPLAY_PACKETS)
			list_packets(list, r, choice, fd, e);
		else
			list_text(list, choice, fd, e);
	}
	return e->code == 0 ? list_sort(list, choice->n_paths > 1, e) : e->code;
}
