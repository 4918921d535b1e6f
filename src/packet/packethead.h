/* The heads of a packet: who sent it to whom, and where its payload begins. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PACKETHEAD_TAGS 2 /* of VLANs, that many are read */

struct packethead {
	bool has_link;                  /* the link type is known, and its head is there */
	uint16_t tags[PACKETHEAD_TAGS]; /* IDs of VLANs */
	unsigned n_tags;
	uint16_t type; /* ETH_P_* of what is behind the tags */

	/* of IPv4 and IPv6 alone */
	const uint8_t *src, *dst; /* addresses of 4 or 16 bytes */
	size_t address_size;
	uint8_t protocol;         /* IPPROTO_* behind IP's own head and, of IPv6, its extensions */
	size_t length;            /* how many bytes of it there are, captured or not */
	unsigned fragment;        /* bytes of the packet that are in fragments before this one */
	const uint8_t *transport; /* the head of that protocol, NULL in a later fragment */
	size_t transport_size;    /* what was captured from there on */
	bool has_ports;           /* TCP or UDP, and they are there */
	uint16_t sport, dport;
	const uint8_t *payload; /* of TCP or UDP, NULL if that is not there */
	size_t payload_size;    /* as much of it as was captured */
};

/* Reads them of a packet of that link type (DLT_*), of which CAPLEN bytes are there. False for what
 * is not IPv4 or IPv6, or cut within their own heads: then HEAD has what is before these. */
bool packethead_read(struct packethead *head, int link, const uint8_t *data, size_t caplen);
