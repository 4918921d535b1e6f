#include "source/packets.h"

#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/units.h"
#include "capture/capture.h"
#include "packet/packetfilter.h"
#include "packet/pcapng.h"
#include "packet/tap.h"

#define KEEP_MAX (64ull << 30)
#define SLACK_MIN (1ull << 20)
#define SLACK_MAX (16ull << 20)

/* A window of time has no size of its own: 4 MiB a second are 21,000 packets of 160 bytes. */
#define BYTES_A_SECOND (4ull << 20)
#define TIMED_MIN (16ull << 20)
#define TIMED_MAX (512ull << 20)

static uint64_t clamp(uint64_t n, uint64_t low, uint64_t high)
{
	return n < low ? low : n > high ? high : n;
}

/* The ring is larger than what is kept: between an event and the moment at which this process
 * learns of it, packets that came after the event go on pushing out the oldest before it. A quarter
 * on top, at most what the kernel's own ring holds, pays for that delay: 16 MiB are a tenth of a
 * second at 1 million packets of 128 bytes each second. */
static uint64_t packets_ring_size(const struct packets *packets)
{
	uint64_t keep = packets->keep;

	if (packets->keep_ns)
		keep = clamp(packets->keep_ns / NS_PER_S * BYTES_A_SECOND, TIMED_MIN, TIMED_MAX);
	return keep + clamp(keep / 4, SLACK_MIN, SLACK_MAX);
}

/* A positive integer of the spec; 0 where there is none. */
static int spec_number(const json_t *spec, const char *field, uint64_t max, uint64_t *ret,
		       struct err *e)
{
	const json_t *value = json_object_get(spec, field);
	json_int_t n = json_integer_value(value);

	*ret = 0;
	if (!value)
		return 0;
	if (!json_is_integer(value) || n < 0 || (uint64_t)n > max)
		return err_set(e, "'%s' is not a number from 0 to %llu", field,
			       (unsigned long long)max);
	*ret = n;
	return 0;
}

static int decode_sizes(struct packets *packets, const json_t *spec, struct err *e)
{
	uint64_t payload;

	if (spec_number(spec, "keep", KEEP_MAX, &packets->keep, e) < 0 ||
	    spec_number(spec, "keep_ns", INT64_MAX, &packets->keep_ns, e) < 0 ||
	    spec_number(spec, "payload", PCAPNG_SNAPLEN, &payload, e) < 0)
		return e->code;
	if (!packets->keep == !packets->keep_ns)
		return err_set(e, "there has to be one of 'keep' and 'keep_ns'");
	packets->snaplen = payload ? payload : PCAPNG_SNAPLEN;
	return 0;
}

static int decode_interface(struct packets *packets, const json_t *spec, struct err *e)
{
	const json_t *value = json_object_get(spec, "interface");

	packets->interface = value ? json_string_value(value) : TAP_ANY;
	if (!packets->interface || !*packets->interface || strlen(packets->interface) >= IFNAMSIZ ||
	    strpbrk(packets->interface, " /\t\n"))
		return err_set(e, "'interface' is not the name of an interface");
	return 0;
}

static int packets_decode(struct source *s, struct err *e)
{
	struct packets *packets = s->data = calloc(1, sizeof(*packets));

	if (!packets)
		return err_sys(e, "cannot read the plan");
	snprintf(packets->ring_file, sizeof(packets->ring_file), "packets-%u.ring", s->index);
	snprintf(packets->names_file, sizeof(packets->names_file), "packets-%u.names", s->index);
	if (decode_sizes(packets, s->spec, e) < 0 || decode_interface(packets, s->spec, e) < 0)
		return e->code;
	return packetfilter_text(&packets->filter, s->spec, e);
}

static int packets_probe(struct source *s, struct cost *cost, struct err *e)
{
	const struct packets *packets = s->data;

	if (tap_check(packets->interface, packets->filter, e) < 0)
		return e->code;
	cost->ring_bytes = packets_ring_size(packets);
	cost->kernel_bytes += PACKETS_KERNEL_RING;
	cost->tmpfs_bytes += packets_ring_size(packets);
	/* the heads are no larger in the file, but interfaces and comments come on top */
	cost->output_bytes += (packets->keep ? packets->keep : packets_ring_size(packets)) + 65536;
	return 0;
}

static int packets_arm(struct source *s, struct capture *c, struct err *e)
{
	struct packets *packets = s->data;

	if (packets_names_create(c->state->fd, packets->names_file, packets->interface, e) < 0)
		return e->code;
	return ring_create(&packets->ring, c->state->fd, packets->ring_file,
			   packets_ring_size(packets), e);
}

static void packets_free(struct source *s)
{
	struct packets *packets = s->data;

	if (!packets)
		return;
	free(packets->filter);
	ring_free(packets->ring);
	free(packets);
	s->data = NULL;
}

const struct source_ops packets_source = {
	.type = "packets",
	.decode = packets_decode,
	.probe = packets_probe,
	.arm = packets_arm,
	.live = packets_live,
	.save = packets_save,
	.free = packets_free,
};
