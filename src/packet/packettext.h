/* One packet as one line. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Writes "IP 10.0.0.5.19700 > 10.0.0.6.40112: UDP, length 32" for a packet of that LINKTYPE_*, of
 * which CAPLEN bytes of LEN are there; what it does not know it says in a word. No newline. */
void packettext_line(uint16_t link, const uint8_t *data, size_t caplen, size_t len, FILE *out);
