/* A packets source, between its processes. */
#pragma once

#include <pcap/pcap.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/ring.h"
#include "plan/source.h"

#define PACKETS_KERNEL_RING (16u << 20)

/* A record of the ring: time, kind = interface index, aux = length on the wire, data = what was
 * captured. This much is added to its data, here as in the file: `keep` counts it. */
#define PACKETS_HEAD 32u

struct packets {
	char *filter;          /* pcap's text, without the variant for tags; "": everything */
	uint64_t keep;         /* bytes, 0 if it is a time */
	uint64_t keep_ns;      /* 0 if it is a size */
	uint32_t snaplen;      /* of each packet */
	const char *interface; /* owned by the spec */
	char ring_file[32];    /* in the state directory */
	char names_file[32];
	struct ring *ring; /* from arm on; the process that records inherits it */
};

/* A file in the state directory says which link type the packets have and which index stands for
 * which interface, so that they can be saved after the process that recorded them is gone. */
int packets_names_create(int statedir, const char *file, const char *interface, struct err *e);
int packets_names_open(int statedir, const char *file, struct err *e);
void packets_names_add(int fd, uint32_t index, const char *name);
int packets_names_link(int fd, int link, struct err *e);

struct packets_names {
	int link; /* DLT_*, -1: recording never began */
	size_t n;
	struct packets_name {
		uint32_t index;
		char name[16];
	} list[1024];
};

int packets_names_read(struct packets_names *names, int statedir, const char *file, struct err *e);

/* NULL if the index has no name. */
const char *packets_names_find(const struct packets_names *names, uint32_t index);

int packets_live(struct source *s, struct live *live, struct err *e);
int packets_save(struct source *s, struct save *save, struct err *e);
