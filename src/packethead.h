/* The heads of a packet: who sent it to whom, and where its payload begins. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct packethead {
	const uint8_t *src, *dst; /* addresses of 4 or 16 bytes */
	size_t address_size;
	uint8_t protocol; /* IPPROTO_* */
	bool has_ports;   /* and they are there */
	uint16_t sport, dport;
	const uint8_t *payload; /* of TCP or UDP, NULL if that is not there */
	size_t payload_size;    /* as much of it as was captured */
};

/* Reads them of a packet of that link type (DLT_*), of which CAPLEN bytes are there. False for what
 * is not IPv4 or IPv6. */
bool packethead_read(struct packethead *head, int link, const uint8_t *data, size_t caplen);
