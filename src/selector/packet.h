/* What a packet selector is, for who opens its socket. */
#pragma once

#include <stdint.h>

#include "plan/selector.h"

struct packet_selector {
	char *filter;          /* pcap's text; "": everything */
	const char *interface; /* owned by the spec */
	uint32_t snaplen;      /* bytes of each packet that a key needs */
};
