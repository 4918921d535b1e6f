/* Packet files in the pcapng format: as we write them, and as we read our own back. Stamps are
 * wall-clock nanoseconds. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Packets and interfaces of a file have bounds, which hold for reading and for writing. */
#define PCAPNG_SNAPLEN 262144u
#define PCAPNG_INTERFACES 4096u
#define PCAPNG_TEXT 16384u /* of a comment, a filter; what is longer is cut */

struct pcapng_interface {
	const char *name;
	uint16_t link;      /* LINKTYPE_*: what a packet begins with */
	uint32_t snaplen;   /* 0: no limit */
	const char *filter; /* NULL: none */
};

struct pcapng_packet {
	uint32_t interface; /* number in the file, from 0 */
	uint64_t wall_ns;
	uint32_t caplen; /* bytes of data */
	uint32_t len;    /* bytes on the wire */
	const void *data;
	const char *comment; /* NULL: none; a reader does not return it */
};

struct pcapng_counts {
	uint32_t interface;
	uint64_t from_ns; /* wall clock: what the counts stand for */
	uint64_t to_ns;
	uint64_t received;
	uint64_t dropped; /* by the kernel, for want of room */
};

/* Writes to FD through a buffer of its own; FD stays the caller's. Returns 0 or what write(2) said,
 * as does each function below: after an error nothing more is to be written. COMMENT may be NULL.
 */
struct pcapng;
int pcapng_new(struct pcapng **ret, int fd, const char *comment, struct err *e);

/* Interfaces come before the packets that name them; the first one has number 0. */
int pcapng_add_interface(struct pcapng *file, const struct pcapng_interface *interface,
			 struct err *e);
int pcapng_add_packet(struct pcapng *file, const struct pcapng_packet *packet, struct err *e);
int pcapng_add_counts(struct pcapng *file, const struct pcapng_counts *counts, struct err *e);

/* Writes what is still in the buffer. */
int pcapng_flush(struct pcapng *file, struct err *e);

/* Frees without writing. NULL is fine. */
void pcapng_free(struct pcapng *file);

/* Reads a file that we wrote: one section in this machine's byte order, nanosecond stamps. FD stays
 * the caller's and has to support pread. Whatever is in the file, reading stays in its bounds and
 * comes to an end. */
struct pcapng_reader;
int pcapng_reader_new(struct pcapng_reader **ret, int fd, struct err *e);
void pcapng_reader_free(struct pcapng_reader *reader);

/* The next packet; its data is valid until the next call. Returns 1, 0 at the end, -errno where the
 * file cannot be read or is not well-formed: what came before is good. OFFSET, which may be NULL,
 * becomes the packet's place. */
int pcapng_reader_next(struct pcapng_reader *reader, struct pcapng_packet *packet, uint64_t *offset,
		       struct err *e);

/* The packet at a place that pcapng_reader_next gave. Returns 0 or -errno. */
int pcapng_reader_at(struct pcapng_reader *reader, uint64_t offset, struct pcapng_packet *packet,
		     struct err *e);

/* Walks to the end once; OFFSETS, which has room for MAX, becomes the places of the last packets
 * whose stamp is not after UNTIL_NS, in the file's order. Returns how many. A file that breaks off
 * ends there: the sentence is then in E, with a code that is not 0. */
size_t pcapng_reader_last(struct pcapng_reader *reader, uint64_t until_ns, uint64_t *offsets,
			  size_t max, struct err *e);

/* An interface that a packet has named; its texts stay the reader's. */
const struct pcapng_interface *pcapng_reader_interface(const struct pcapng_reader *reader,
						       uint32_t number);

/* The longest block that we write: a packet with a comment. */
#define PCAPNG_BLOCK_MAX (PCAPNG_SNAPLEN + PCAPNG_TEXT + 256u)
