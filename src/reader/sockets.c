#include "reader/sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"

#define SOCKETS_ROOM 32768 /* for one answer of the kernel, bytes */

/* What was asked for; the lists are NULL where everything passes. */
struct socket_query {
	FILE *out;
	const json_t *hosts, *ports;
	const char *protocol; /* of the sockets that the kernel tells of now */
	size_t shown;
};

static const char *const tcp_states[] = {
	[1] = "ESTABLISHED", [2] = "SYN_SENT",  [3] = "SYN_RECV", [4] = "FIN_WAIT1",
	[5] = "FIN_WAIT2",   [6] = "TIME_WAIT", [7] = "CLOSE",    [8] = "CLOSE_WAIT",
	[9] = "LAST_ACK",    [10] = "LISTEN",   [11] = "CLOSING", [12] = "NEW_SYN_RECV",
};

static const char *const tcp_timers[] = {
	[1] = "retransmit", [2] = "keepalive", [3] = "time-wait", [4] = "probe"
};

int sockets_open(struct mnl_socket **ret, struct err *e)
{
	*ret = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
	if (*ret && mnl_socket_bind(*ret, 0, MNL_SOCKET_AUTOPID) == 0)
		return 0;
	err_sys(e, "this kernel cannot be asked for its sockets");
	return err_exit(e, EXIT_HOST);
}

/* "10.0.0.5", or "10.0.0.5" of "::ffff:10.0.0.5", so that one spelling finds both. */
static void address_text(int family, const void *address, char *text, size_t room)
{
	const struct in6_addr *six = address;

	if (family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(six))
		inet_ntop(AF_INET, &six->s6_addr[12], text, room);
	else
		inet_ntop(family, address, text, room);
}

static bool query_has_host(const struct socket_query *q, const char *src, const char *dst)
{
	size_t i;
	json_t *value;

	json_array_foreach (q->hosts, i, value)
		if (json_is_string(value) && (!strcmp(json_string_value(value), src) ||
					      !strcmp(json_string_value(value), dst)))
			return true;
	return !q->hosts;
}

static bool query_has_port(const struct socket_query *q, long long src, long long dst)
{
	size_t i;
	json_t *value;

	json_array_foreach (q->ports, i, value) {
		long long port = json_is_string(value) ? atoll(json_string_value(value))
						       : json_integer_value(value);

		if (port == src || port == dst)
			return true;
	}
	return !q->ports;
}

/* Older kernels tell less of it, newer ones more. */
static void info_write(FILE *out, const struct nlattr *attribute)
{
	struct tcp_info i = { 0 };
	size_t size = mnl_attr_get_payload_len(attribute);

	memcpy(&i, mnl_attr_get_payload(attribute), size < sizeof(i) ? size : sizeof(i));
	fprintf(out, " rto=%uus rtt=%uus rttvar=%uus mss=%u pmtu=%u cwnd=%u ssthresh=%u",
		i.tcpi_rto, i.tcpi_rtt, i.tcpi_rttvar, i.tcpi_snd_mss, i.tcpi_pmtu, i.tcpi_snd_cwnd,
		i.tcpi_snd_ssthresh);
	fprintf(out,
		" unacked=%u sacked=%u lost=%u retrans=%u total_retrans=%u backoff=%u probes=%u",
		i.tcpi_unacked, i.tcpi_sacked, i.tcpi_lost, i.tcpi_retrans, i.tcpi_total_retrans,
		i.tcpi_backoff, i.tcpi_probes);
	fprintf(out, " last_data_sent=%ums last_data_recv=%ums last_ack_recv=%ums",
		i.tcpi_last_data_sent, i.tcpi_last_data_recv, i.tcpi_last_ack_recv);
	fprintf(out,
		" bytes_sent=%" PRIu64 " bytes_acked=%" PRIu64 " bytes_received=%" PRIu64
		" notsent=%u snd_wnd=%u",
		(uint64_t)i.tcpi_bytes_sent, (uint64_t)i.tcpi_bytes_acked,
		(uint64_t)i.tcpi_bytes_received, i.tcpi_notsent_bytes, i.tcpi_snd_wnd);
}

static void socket_write(const struct socket_query *q, const struct inet_diag_msg *m,
			 const char *src, const char *dst)
{
	bool six = m->idiag_family == AF_INET6;
	const char *state = m->idiag_state < countof(tcp_states) && tcp_states[m->idiag_state]
				    ? tcp_states[m->idiag_state]
				    : "?";

	fprintf(q->out, six ? "%s %s [%s]:%u [%s]:%u" : "%s %s %s:%u %s:%u", q->protocol, state,
		src, ntohs(m->id.idiag_sport), dst, ntohs(m->id.idiag_dport));
	fprintf(q->out, " recvq=%u sendq=%u uid=%u inode=%u", m->idiag_rqueue, m->idiag_wqueue,
		m->idiag_uid, m->idiag_inode);
	if (m->idiag_timer && m->idiag_timer < countof(tcp_timers))
		fprintf(q->out, " timer=%s in=%ums tries=%u", tcp_timers[m->idiag_timer],
			m->idiag_expires, m->idiag_retrans);
}

static int socket_take(const struct nlmsghdr *head, void *arg)
{
	struct socket_query *q = arg;
	const struct inet_diag_msg *m = mnl_nlmsg_get_payload(head);
	char src[INET6_ADDRSTRLEN] = "", dst[INET6_ADDRSTRLEN] = "";
	const struct nlattr *attribute;

	if (mnl_nlmsg_get_payload_len(head) < sizeof(*m))
		return MNL_CB_OK;
	address_text(m->idiag_family, m->id.idiag_src, src, sizeof(src));
	address_text(m->idiag_family, m->id.idiag_dst, dst, sizeof(dst));
	if (!query_has_host(q, src, dst) ||
	    !query_has_port(q, ntohs(m->id.idiag_sport), ntohs(m->id.idiag_dport)))
		return MNL_CB_OK;
	socket_write(q, m, src, dst);
	mnl_attr_for_each(attribute, head,
			  sizeof(*m)) if (mnl_attr_get_type(attribute) == INET_DIAG_INFO &&
					  !strcmp(q->protocol, "tcp"))
		info_write(q->out, attribute);
	fputc('\n', q->out);
	q->shown++;
	return MNL_CB_OK;
}

/* Returns 0 or an errno. */
static int sockets_dump(struct mnl_socket *netlink, int family, int protocol,
			struct socket_query *q)
{
	char buffer[SOCKETS_ROOM];
	struct nlmsghdr *head = mnl_nlmsg_put_header(buffer);
	struct inet_diag_req_v2 *rq;
	int r = MNL_CB_OK;

	head->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	head->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	rq = mnl_nlmsg_put_extra_header(head, sizeof(*rq));
	rq->sdiag_family = family;
	rq->sdiag_protocol = protocol;
	rq->idiag_ext = 1 << (INET_DIAG_INFO - 1);
	rq->idiag_states = ~0u;
	if (mnl_socket_sendto(netlink, head, head->nlmsg_len) < 0)
		return errno;
	while (r > MNL_CB_STOP) {
		ssize_t n = mnl_socket_recvfrom(netlink, buffer, sizeof(buffer));

		r = n < 0 ? -1
			  : mnl_cb_run(buffer, n, 0, mnl_socket_get_portid(netlink), socket_take,
				       q);
	}
	return r < 0 ? errno : 0;
}

int sockets_write(FILE *out, struct mnl_socket *netlink, const char *query)
{
	static const struct {
		const char *name;
		int number;
	} protocols[] = { { "tcp", IPPROTO_TCP }, { "udp", IPPROTO_UDP } };
	static const int families[] = { AF_INET, AF_INET6 };
	autojson json_t *json = json_loads(query, 0, NULL);
	const char *wanted = json_string_value(json_object_get(json, "protocol"));
	struct socket_query q = { .out = out,
				  .hosts = json_object_get(json, "host"),
				  .ports = json_object_get(json, "port") };

	for (size_t i = 0; i < countof(protocols); i++) {
		if (wanted && strcmp(wanted, protocols[i].name))
			continue;
		q.protocol = protocols[i].name;
		for (size_t family = 0; family < countof(families); family++) {
			int error =
				sockets_dump(netlink, families[family], protocols[i].number, &q);

			/* a kernel without a protocol has none of its sockets, unless it was asked
			 * for */
			if (error && (error != ENOENT || (wanted && families[family] == AF_INET)))
				return error;
		}
	}
	if (!q.shown)
		fputs("# there was no such socket\n", out);
	return json ? 0 : EINVAL;
}
