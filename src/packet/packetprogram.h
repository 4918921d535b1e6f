/* Pcap filters compiled where their text can do no harm. */
#pragma once

#include <pcap/pcap.h>
#include <stdbool.h>

#include "base/err.h"

/* Compiles FILTER for the handle, live or dead, in a child that is nobody, can open nothing and has
 * two seconds: the parser meets text from a recipe, and may want to ask for names, which we never
 * do. The instructions are the caller's (packetprogram_free). */
int packetprogram_compile(struct bpf_program *ret, pcap_t *pcap, const char *filter, struct err *e);

/* An empty one is fine. */
void packetprogram_free(struct bpf_program *program);

/* True if packets of this link type (DLT_*) can have a VLAN tag that libpcap knows. */
bool packetprogram_has_tags(int link);
