#include <errno.h>
#include <string.h>

#include "base/auto.h"
#include "packet/pcapng.h"
#include "packet/pcapng_block.h"

#define WINDOW_SIZE (1u << 20)
#define HEAD_SIZE 8u   /* type and length */
#define FRAME_SIZE 12u /* and the length again */
#define NAME_LENGTH_MAX 256u

_Static_assert(WINDOW_SIZE >= PCAPNG_BLOCK_MAX, "any block fits into the window");

struct pcapng_reader {
	int fd;
	uint64_t next; /* where the walk goes on */
	uint32_t n_interfaces;
	struct pcapng_interface *interfaces;
	uint64_t window_at;
	size_t window_used;
	uint8_t window[WINDOW_SIZE];
};

struct block {
	uint32_t type;
	uint32_t length; /* with its head and its end */
	const uint8_t *body;
	uint32_t size; /* of the body */
};

static uint16_t get_16(const uint8_t *at)
{
	uint16_t n;

	memcpy(&n, at, sizeof(n));
	return n;
}

static uint32_t get_32(const uint8_t *at)
{
	uint32_t n;

	memcpy(&n, at, sizeof(n));
	return n;
}

static int window_fill(struct pcapng_reader *reader, uint64_t offset, struct err *e)
{
	reader->window_at = offset;
	reader->window_used = 0;
	while (reader->window_used < WINDOW_SIZE) {
		ssize_t n = pread(reader->fd, reader->window + reader->window_used,
				  WINDOW_SIZE - reader->window_used, offset + reader->window_used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "cannot read packets");
		if (n == 0)
			break;
		reader->window_used += n;
	}
	return 0;
}

/* How much of the file there is at OFFSET, SIZE at most; *data points to it. */
static ssize_t window_at(struct pcapng_reader *reader, uint64_t offset, size_t size,
			 const uint8_t **data, struct err *e)
{
	uint64_t into = offset - reader->window_at;

	if (offset < reader->window_at || into > reader->window_used ||
	    reader->window_used - into < size) {
		if (offset > INT64_MAX - WINDOW_SIZE)
			return err_set(e, "there is no packet at %llu", (unsigned long long)offset);
		if (window_fill(reader, offset, e) < 0)
			return e->code;
		into = 0;
	}
	*data = reader->window + into;
	return reader->window_used - into < size ? reader->window_used - into : size;
}

static int block_bad(uint64_t offset, struct err *e)
{
	return err_set(e, "the packets break off at byte %llu", (unsigned long long)offset);
}

/* Returns 1, 0 at the end of the file, or -errno. */
static int block_read(struct pcapng_reader *reader, uint64_t offset, struct block *block,
		      struct err *e)
{
	const uint8_t *data;
	ssize_t n = window_at(reader, offset, HEAD_SIZE, &data, e);

	if (n <= 0)
		return n;
	if (n < (ssize_t)HEAD_SIZE)
		return block_bad(offset, e);
	block->type = get_32(data);
	block->length = get_32(data + 4);
	if (block->length < FRAME_SIZE || block->length > PCAPNG_BLOCK_MAX || block->length % 4)
		return block_bad(offset, e);
	n = window_at(reader, offset, block->length, &data, e);
	if (n < 0)
		return n;
	if (n < (ssize_t)block->length || get_32(data + block->length - 4) != block->length)
		return block_bad(offset, e);
	block->body = data + HEAD_SIZE;
	block->size = block->length - FRAME_SIZE;
	return 1;
}

static uint32_t padded(uint32_t size)
{
	return (size + 3) / 4 * 4;
}

/* The text of an option, NULL if it is not there. The caller frees it. */
static char *option_text(const struct block *block, uint32_t from, uint16_t wanted)
{
	while (block->size - from >= 4) {
		uint16_t code = get_16(block->body + from), size = get_16(block->body + from + 2);

		from += 4;
		if (code == OPTION_END || size > block->size - from)
			return NULL;
		if (code == wanted)
			return strndup((const char *)block->body + from,
				       size < NAME_LENGTH_MAX ? size : NAME_LENGTH_MAX);
		/* the padding may be missing only at the very end, where the loop ends as well */
		from = block->size - from < padded(size) ? block->size : from + padded(size);
	}
	return NULL;
}

static int interface_read(struct pcapng_reader *reader, const struct block *block, struct err *e)
{
	struct pcapng_interface *grown, *interface;
	char *name;

	if (block->size < 8)
		return err_set(e, "an interface is cut short");
	if (reader->n_interfaces >= PCAPNG_INTERFACES)
		return err_set(e, "more than %u interfaces", PCAPNG_INTERFACES);
	grown = reallocarray(reader->interfaces, reader->n_interfaces + 1, sizeof(*grown));
	if (!grown)
		return err_sys(e, "cannot read packets");
	reader->interfaces = grown;
	name = option_text(block, 8, INTERFACE_NAME);
	if (!name)
		name = strdup("?");
	if (!name)
		return err_sys(e, "cannot read packets");
	interface = &grown[reader->n_interfaces++];
	*interface = (struct pcapng_interface) {
		.name = name,
		.link = get_16(block->body),
		.snaplen = get_32(block->body + 4),
	};
	return 0;
}

static int packet_read(struct pcapng_reader *reader, const struct block *block,
		       struct pcapng_packet *packet, struct err *e)
{
	if (block->size < 20)
		return err_set(e, "a packet is cut short");
	*packet = (struct pcapng_packet) {
		.interface = get_32(block->body),
		.wall_ns = (uint64_t)get_32(block->body + 4) << 32 | get_32(block->body + 8),
		.caplen = get_32(block->body + 12),
		.len = get_32(block->body + 16),
		.data = block->body + 20,
	};
	if (packet->caplen > block->size - 20 || packet->caplen > PCAPNG_SNAPLEN)
		return err_set(e, "a packet is longer than its block");
	if (packet->interface >= reader->n_interfaces)
		return err_set(e, "a packet has no interface");
	return 0;
}

static int section_read(struct pcapng_reader *reader, struct err *e)
{
	struct block block;
	int r = block_read(reader, 0, &block, e);

	if (r < 0)
		return r;
	if (r == 0 || block.type != BLOCK_SECTION || block.size < 16)
		return err_set(e, "it is not a pcapng file");
	if (get_32(block.body) != SECTION_ORDER || get_16(block.body + 4) != 1)
		return err_set(e, "it is not a pcapng file of this machine");
	reader->next = block.length;
	return 0;
}

static void auto_reader(struct pcapng_reader **reader)
{
	pcapng_reader_free(*reader);
}

int pcapng_reader_new(struct pcapng_reader **ret, int fd, struct err *e)
{
	__attribute__((cleanup(auto_reader))) struct pcapng_reader *reader =
		malloc(sizeof(*reader));

	if (!reader)
		return err_sys(e, "cannot read packets");
	memset(reader, 0, offsetof(struct pcapng_reader, window));
	reader->fd = fd;
	if (section_read(reader, e) < 0)
		return e->code;
	*ret = take_ptr(reader);
	return 0;
}

void pcapng_reader_free(struct pcapng_reader *reader)
{
	if (!reader)
		return;
	for (uint32_t i = 0; i < reader->n_interfaces; i++)
		free((char *)reader->interfaces[i].name);
	free(reader->interfaces);
	free(reader);
}

int pcapng_reader_next(struct pcapng_reader *reader, struct pcapng_packet *packet, uint64_t *offset,
		       struct err *e)
{
	for (;;) {
		uint64_t at = reader->next;
		struct block block;
		int r = block_read(reader, at, &block, e);

		if (r <= 0)
			return r;
		/* what follows a second section is not ours */
		if (block.type == BLOCK_SECTION)
			return block_bad(at, e);
		reader->next = at + block.length;
		if (block.type == BLOCK_INTERFACE && interface_read(reader, &block, e) < 0)
			return e->code;
		if (block.type != BLOCK_PACKET)
			continue;
		if (offset)
			*offset = at;
		return packet_read(reader, &block, packet, e) < 0 ? e->code : 1;
	}
}

int pcapng_reader_at(struct pcapng_reader *reader, uint64_t offset, struct pcapng_packet *packet,
		     struct err *e)
{
	struct block block;
	int r = block_read(reader, offset, &block, e);

	if (r < 0)
		return r;
	if (r == 0 || block.type != BLOCK_PACKET)
		return err_set(e, "there is no packet at %llu", (unsigned long long)offset);
	return packet_read(reader, &block, packet, e);
}

static void offsets_reverse(uint64_t *offsets, size_t from, size_t to)
{
	while (from + 1 < to) {
		uint64_t swapped = offsets[--to];

		offsets[to] = offsets[from];
		offsets[from++] = swapped;
	}
}

size_t pcapng_reader_last(struct pcapng_reader *reader, uint64_t until_ns, uint64_t *offsets,
			  size_t max, struct err *e)
{
	struct pcapng_packet packet;
	uint64_t offset;
	size_t n = 0, first;

	while (pcapng_reader_next(reader, &packet, &offset, e) > 0)
		if (max && packet.wall_ns <= until_ns)
			offsets[n++ % max] = offset;
	if (n <= max)
		return n;
	/* the ring becomes a list: three reversals turn it by FIRST */
	first = n % max;
	offsets_reverse(offsets, 0, first);
	offsets_reverse(offsets, first, max);
	offsets_reverse(offsets, 0, max);
	return max;
}

const struct pcapng_interface *pcapng_reader_interface(const struct pcapng_reader *reader,
						       uint32_t number)
{
	return number < reader->n_interfaces ? &reader->interfaces[number] : NULL;
}
