/* The pcap filter of a packets source, from what the plan says. */
#pragma once

#include <jansson.h>

#include "base/err.h"

/* Builds the text from the spec's host, src, dst, port, tcp and filter: each part in brackets of
 * its own, all of them to be true at once. "" means every packet. Refuses what is not well-formed.
 * *ret is the caller's.
 *
 * `host` with no more than `port` besides also takes what belongs to it but does not name it in the
 * usual place: fragments behind the first one, which have no ports, and ICMP errors of third
 * parties that quote a packet from or to that host. */
int packetfilter_text(char **ret, const json_t *spec, struct err *e);

/* The same for packets with a VLAN tag as well as without. libpcap can compile it for Ethernet
 * only; a filter that speaks of tags itself stays as it is. The caller frees it; NULL if there is
 * no memory.
 *
 * Measured, IPv4 and IPv6: on an interface this takes tagged packets that come in, that a VLAN
 * device sends (the tag lies beside the packet) and that are sent with the tag in them. `any` has
 * the plain filter: it takes the first two, from which the kernel has taken the tag, and not the
 * third. */
char *packetfilter_tagged(const char *filter);
