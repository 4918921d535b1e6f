/* Sockets of this network namespace, as the kernel's sock_diag tells. */
#pragma once

#include <stdio.h>

#include "base/err.h"

struct mnl_socket;

/* The netlink socket to ask on; the caller's to close with mnl_socket_close. */
int sockets_open(struct mnl_socket **ret, struct err *e);

/* Writes a line for each TCP and UDP socket that passes QUERY, a JSON object of what is asked for:
 * "host" (list: one of its two addresses), "port" (list: one of its two ports; numbers, or their
 * digits), "protocol" ("tcp" or "udp"). Of TCP with what the kernel has in tcp_info. Returns 0 or
 * an errno. */
int sockets_write(FILE *out, struct mnl_socket *netlink, const char *query);
