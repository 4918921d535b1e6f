/* A tap: a packet socket with a filter, through libpcap, with nanosecond stamps and without
 * blocking. */
#pragma once

#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define TAP_ANY "any"

struct tap {
	pcap_t *pcap;
	int fd;         /* to wait for */
	bool cooked;    /* each packet has a head that names its interface */
	uint32_t index; /* of the interface if it is one */
	const char *interface;
};

struct tap_request {
	const char *interface; /* or TAP_ANY; to live as long as the tap */
	const char *filter;    /* pcap's text, "": everything */
	uint32_t snaplen;      /* bytes of each packet */
	int block_ms;          /* the kernel hands over a block of packets when it is this old */
	uint32_t buffer;       /* bytes in the kernel */
};

/* Whether there is such an interface, and the filter compiles for it; changes nothing. */
int tap_check(const char *interface, const char *filter, struct err *e);

/* Whether the filter compiles for any interface, where there is none to ask. */
int tap_check_filter(const char *filter, struct err *e);

/* Opens it, with root's privileges. On failure it is closed. */
int tap_open(struct tap *tap, const struct tap_request *rq, struct err *e);

/* NULL pointers in it are fine. */
void tap_close(struct tap *tap);

/* Puts what libpcap says of its last failure into E. */
int tap_error(const struct tap *tap, struct err *e);

/* The interface that a packet was on. */
uint32_t tap_packet_index(const struct tap *tap, const struct pcap_pkthdr *head,
			  const uint8_t *data);

/* What files call that link type (DLT_*): LINKTYPE_*. */
int tap_linktype(int link);

/* And back. */
int tap_datalink(int linktype);

/* The filter's text for that link type (DLT_*). The caller frees it; NULL if there is no memory. */
char *tap_filter_for(const char *filter, int link);
