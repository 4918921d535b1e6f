#include "packet/pcapng.h"

#include <string.h>

#include "base/auto.h"
#include "base/io.h"
#include "packet/pcapng_block.h"

#define BUFFER_SIZE (1u << 20) /* a packet of any size fits */

struct pcapng {
	int fd;
	uint32_t n_interfaces;
	size_t used;
	size_t block; /* where the block that is being written begins */
	uint8_t buffer[BUFFER_SIZE];
};

_Static_assert(BUFFER_SIZE > PCAPNG_SNAPLEN + 4 * PCAPNG_TEXT, "any block fits into the buffer");

int pcapng_flush(struct pcapng *file, struct err *e)
{
	size_t used = file->used;

	file->used = 0;
	return io_write(file->fd, file->buffer, used, e);
}

static void put(struct pcapng *file, const void *data, size_t size)
{
	if (size)
		memcpy(file->buffer + file->used, data, size);
	file->used += size;
}

static void put_16(struct pcapng *file, uint16_t n)
{
	put(file, &n, sizeof(n));
}

static void put_32(struct pcapng *file, uint32_t n)
{
	put(file, &n, sizeof(n));
}

static void put_padded(struct pcapng *file, const void *data, size_t size)
{
	put(file, data, size);
	put(file, "\0\0\0", -size & 3);
}

/* The format's order: the upper half first, each in the machine's byte order. */
static void put_stamp(struct pcapng *file, uint64_t ns)
{
	put_32(file, ns >> 32);
	put_32(file, ns);
}

static void put_option(struct pcapng *file, uint16_t code, const void *data, size_t size)
{
	put_16(file, code);
	put_16(file, size);
	put_padded(file, data, size);
}

static void put_text(struct pcapng *file, uint16_t code, const char *text)
{
	if (text)
		put_option(file, code, text, strnlen(text, PCAPNG_TEXT));
}

/* Each block has its length at both ends. */
static int block_begin(struct pcapng *file, uint32_t type, struct err *e)
{
	if (BUFFER_SIZE - file->used < PCAPNG_BLOCK_MAX && pcapng_flush(file, e) < 0)
		return e->code;
	file->block = file->used;
	put_32(file, type);
	put_32(file, 0);
	return 0;
}

static void block_end(struct pcapng *file)
{
	uint32_t length = file->used - file->block + sizeof(length);

	memcpy(file->buffer + file->block + sizeof(uint32_t), &length, sizeof(length));
	put_32(file, length);
}

static int put_section(struct pcapng *file, const char *comment, struct err *e)
{
	const int64_t unknown_length = -1;

	if (block_begin(file, BLOCK_SECTION, e) < 0)
		return e->code;
	put_32(file, SECTION_ORDER);
	put_16(file, 1);
	put_16(file, 0);
	put(file, &unknown_length, sizeof(unknown_length));
	put_text(file, OPTION_COMMENT, comment);
	put_text(file, SECTION_HARDWARE, "tracer");
	put_text(file, SECTION_OS, "tracer");
	put_text(file, SECTION_APPLICATION, "tracer");
	put_option(file, OPTION_END, NULL, 0);
	block_end(file);
	return 0;
}

static void auto_pcapng(struct pcapng **file)
{
	pcapng_free(*file);
}

int pcapng_new(struct pcapng **ret, int fd, const char *comment, struct err *e)
{
	__attribute__((cleanup(auto_pcapng))) struct pcapng *file = malloc(sizeof(*file));

	if (!file)
		return err_sys(e, "cannot write packets");
	file->fd = fd;
	file->used = 0;
	file->n_interfaces = 0;
	if (put_section(file, comment, e) < 0)
		return e->code;
	*ret = take_ptr(file);
	return 0;
}

void pcapng_free(struct pcapng *file)
{
	free(file);
}

/* The filter is preceded by a byte that says that it is pcap's text. */
static void put_filter(struct pcapng *file, const char *filter)
{
	size_t size = filter ? strnlen(filter, PCAPNG_TEXT) : 0;

	if (!size)
		return;
	put_16(file, INTERFACE_FILTER);
	put_16(file, size + 1);
	put(file, "\0", 1);
	put(file, filter, size);
	put(file, "\0\0\0", -(size + 1) & 3);
}

int pcapng_add_interface(struct pcapng *file, const struct pcapng_interface *interface,
			 struct err *e)
{
	static const uint8_t nanoseconds = 9;

	if (file->n_interfaces >= PCAPNG_INTERFACES)
		return err_set(e, "more than %u interfaces", PCAPNG_INTERFACES);
	if (block_begin(file, BLOCK_INTERFACE, e) < 0)
		return e->code;
	put_16(file, interface->link);
	put_16(file, 0);
	put_32(file, interface->snaplen);
	put_text(file, INTERFACE_NAME, interface->name);
	put_option(file, INTERFACE_RESOLUTION, &nanoseconds, sizeof(nanoseconds));
	put_filter(file, interface->filter);
	put_option(file, OPTION_END, NULL, 0);
	block_end(file);
	file->n_interfaces++;
	return 0;
}

int pcapng_add_packet(struct pcapng *file, const struct pcapng_packet *packet, struct err *e)
{
	if (packet->interface >= file->n_interfaces)
		return err_set(e, "a packet of interface %u, of which there is none",
			       packet->interface);
	if (packet->caplen > PCAPNG_SNAPLEN)
		return err_set(e, "a packet of %u bytes", packet->caplen);
	if (block_begin(file, BLOCK_PACKET, e) < 0)
		return e->code;
	put_32(file, packet->interface);
	put_stamp(file, packet->wall_ns);
	put_32(file, packet->caplen);
	put_32(file, packet->len);
	put_padded(file, packet->data, packet->caplen);
	if (packet->comment) {
		put_text(file, OPTION_COMMENT, packet->comment);
		put_option(file, OPTION_END, NULL, 0);
	}
	block_end(file);
	return 0;
}

static void put_time(struct pcapng *file, uint16_t code, uint64_t ns)
{
	uint32_t halves[2] = { ns >> 32, ns };

	put_option(file, code, halves, sizeof(halves));
}

int pcapng_add_counts(struct pcapng *file, const struct pcapng_counts *counts, struct err *e)
{
	if (counts->interface >= file->n_interfaces)
		return err_set(e, "counts of interface %u, of which there is none",
			       counts->interface);
	if (block_begin(file, BLOCK_COUNTS, e) < 0)
		return e->code;
	put_32(file, counts->interface);
	put_stamp(file, counts->to_ns);
	put_time(file, COUNTS_FROM, counts->from_ns);
	put_time(file, COUNTS_TO, counts->to_ns);
	put_option(file, COUNTS_RECEIVED, &counts->received, sizeof(counts->received));
	put_option(file, COUNTS_DROPPED_BY_SYSTEM, &counts->dropped, sizeof(counts->dropped));
	put_option(file, OPTION_END, NULL, 0);
	block_end(file);
	return 0;
}
