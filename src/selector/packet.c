/* t.packet: a packet, with a filter of addresses, ports and pcap's own words. */
#include "selector/packet.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/units.h"
#include "packet/packetfilter.h"
#include "packet/packethead.h"
#include "packet/packettext.h"
#include "packet/tap.h"

#define PACKET_HEADS 256 /* bytes that a packet's heads can take, for what is in its payload */

enum { PACKET_SRC, PACKET_DST, PACKET_SPORT, PACKET_DPORT, PACKET_NAMES };

static const char *const packet_names[PACKET_NAMES] = {
	[PACKET_SRC] = "src",
	[PACKET_DST] = "dst",
	[PACKET_SPORT] = "sport",
	[PACKET_DPORT] = "dport",
};

static int packet_decode(struct selector *s, struct err *e)
{
	struct packet_selector *packet = s->data = calloc(1, sizeof(*packet));

	if (!packet)
		return err_set(e, "no memory");
	packet->snaplen = PACKET_HEADS;
	packet->interface = json_string_value(json_object_get(s->spec, "interface"));
	if (!packet->interface)
		packet->interface = TAP_ANY;
	return packetfilter_text(&packet->filter, s->spec, e);
}

static int packet_probe(struct selector *s, struct tracing *tracing, struct err *e)
{
	const struct packet_selector *packet = s->data;

	if (tracing_is_recorded(tracing))
		return tap_check_filter(packet->filter, e);
	return tap_check(packet->interface, packet->filter, e);
}

static int packet_find(const struct selector *s, struct key_part *part, struct err *e)
{
	struct packet_selector *packet = s->data;
	const char *near;

	if (!part->name) {
		if (packet->snaplen < PACKET_HEADS + part->offset + part->size)
			packet->snaplen = PACKET_HEADS + part->offset + part->size;
		return 0;
	}
	for (part->what = 0; part->what < PACKET_NAMES; part->what++)
		if (!strcmp(packet_names[part->what], part->name)) {
			part->kind = part->what < PACKET_SPORT ? VALUE_ADDRESS : VALUE_NUMBER;
			part->width = sizeof(uint16_t);
			return 0;
		}
	near = nearest_name(part->name, (const char **)packet_names, PACKET_NAMES);
	return err_set(e, "a packet has no '%s', it has src, dst, sport, dport and t.bytes%s%s%s",
		       part->name, near ? ": did you mean '" : "", near ? near : "",
		       near ? "'?" : "");
}

static bool packet_read_bytes(const struct packethead *head, const struct key_part *part,
			      struct key *key)
{
	uint64_t number = 0;

	if (!head->payload || part->offset + part->size > head->payload_size)
		return false;
	for (uint32_t i = 0; i < part->size; i++) {
		uint32_t at = part->offset + (part->little ? part->size - 1 - i : i);

		number = number << 8 | head->payload[at];
	}
	key_add_number(key, part, number);
	return true;
}

static bool packet_read(const struct selector *s, const struct observation *o,
			const struct key_part *part, struct key *key)
{
	struct packethead head;

	(void)s;
	if (!packethead_read(&head, o->link, o->data, o->size))
		return false;
	if (!part->name)
		return packet_read_bytes(&head, part, key);
	if (part->what == PACKET_SRC || part->what == PACKET_DST) {
		key_add_address(key, part->what == PACKET_SRC ? head.src : head.dst,
				head.address_size);
		return true;
	}
	key_add_number(key, part, part->what == PACKET_SPORT ? head.sport : head.dport);
	return head.has_ports;
}

static void packet_describe(const struct selector *s, const struct observation *o, FILE *out)
{
	(void)s;
	packettext_line(tap_linktype(o->link), o->data, o->size, o->length, out);
}

static void packet_free(struct selector *s)
{
	struct packet_selector *packet = s->data;

	if (packet)
		free(packet->filter);
	free(packet);
	s->data = NULL;
}

const struct selector_ops packet_selector = {
	.type = "packet",
	.stream = STREAM_PACKETS,
	.decode = packet_decode,
	.probe = packet_probe,
	.find = packet_find,
	.read = packet_read,
	.describe = packet_describe,
	.free = packet_free,
};
