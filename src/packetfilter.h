/* The pcap filter of a packets source, from what the plan says. */
#pragma once

#include <jansson.h>

#include "err.h"

/* Builds the text from the spec's host, src, dst, port, tcp and filter: each part in brackets of
 * its own, all of them to be true at once. "" means every packet. Refuses what is not well-formed.
 * *ret is the caller's.
 *
 * `host` with no more than `port` besides also takes what belongs to it but does not name it in the
 * usual place: fragments behind the first one, which have no ports, and ICMP errors of third
 * parties that quote a packet from or to that host. */
int packetfilter_text(char **ret, const json_t *spec, struct err *e);

/* The same for packets with a VLAN tag as well as without. libpcap cannot compile it for the link
 * types that have no tags, among which is `any`. The caller frees it; NULL if there is no memory.
 */
char *packetfilter_tagged(const char *filter);
