/* Stands for a node of a scoutfs cluster: real heartbeats over UDP, real messages over TCP, and the
 * kernel module's tracing events as user probes. See usage(). */
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "events.h"
#include "provoke.h"

#define FSID 0x5c0u

enum { MSG_REQUEST_VOTE, MSG_VOTE, MSG_HEARTBEAT };
enum { ROLE_FOLLOWER, ROLE_CANDIDATE, ROLE_LEADER };
enum {
	CMD_GREETING = 0,
	CMD_GET_LOG_TREES = 2,
	CMD_COMMIT_LOG_TREES = 3,
	CMD_LOCK = 7,
	CMD_FAREWELL = 19
};
enum { FLAG_RESPONSE = 1 };

/* Both are on the wire as they are in memory here: little endian. */
struct quorum_message {
	uint64_t fsid;
	uint64_t version;
	uint64_t term;
	uint8_t type;
	uint8_t from;
	uint8_t pad[2];
	uint32_t crc;
};

struct net_header {
	uint64_t seq;
	uint64_t recv_seq;
	uint64_t id;
	uint16_t data_len;
	uint8_t cmd;
	uint8_t flags;
	uint8_t error;
	uint8_t pad[3];
};

struct node {
	/* what was asked for */
	bool server;
	struct sockaddr_in own;
	struct sockaddr_in other;
	uint64_t die_after;   /* messages, 0 never */
	uint64_t clean_after; /* messages, 0 never */
	uint64_t storm;       /* messages */
	uint64_t every_ms;    /* between messages */
	uint64_t timeout_ms;  /* without a message, then the client is lost */
	uint64_t clients;     /* after losing so many, the server ends */
	uint64_t max_time_s;

	/* where it is */
	uint64_t rid;
	uint64_t term;
	int udp;
	int listener;
	int tcp;
	struct sockaddr_in
		sockname; /* of tcp; peername is forgotten before the shutdown is complete */
	struct sockaddr_in peername;
	uint64_t flags;
	uint64_t seq;
	uint64_t recv_seq;
	uint64_t id;
	uint64_t last_recv; /* boot ns */
	bool leaving;       /* has said farewell */
	bool quiet;
	bool done;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int signal)
{
	interrupted = signal;
}

static uint32_t crc32c(const void *data, size_t size)
{
	const uint8_t *byte = data;
	uint32_t crc = ~0u;
	int bit;

	while (size--) {
		crc ^= *byte++;
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return crc;
}

/* The events. */

static struct conn_record conn_record(const struct node *n, bool accepted)
{
	return (struct conn_record) {
		.fsid = FSID,
		.rid = n->rid,
		.flags = n->flags,
		.connect_timeout_ms = accepted ? 0 : 1000,
		.sock = n->peername.sin_port ? 0xffff000000001000 : 0,
		.c_rid = accepted ? n->rid + 1 : n->rid,
		.greeting_id = n->flags & CONN_VALID_GREETING ? 1 : 0,
		.sockname_addr = ntohl(n->sockname.sin_addr.s_addr),
		.sockname_port = ntohs(n->sockname.sin_port),
		.peername_addr = ntohl(n->peername.sin_addr.s_addr),
		.peername_port = ntohs(n->peername.sin_port),
		.listening_conn = accepted ? 0xffff000000002000 : 0,
		.next_send_seq = n->seq + 1,
		.next_send_id = n->id + 1,
		.recv_seq = n->recv_seq,
	};
}

static void conn_event(const struct node *n, void (*event)(const struct conn_record *))
{
	struct conn_record record = conn_record(n, n->server && n->tcp >= 0);

	event(&record);
}

static void net_event(const struct node *n, const struct net_header *h,
		      void (*event)(const struct net_record *))
{
	event(&(struct net_record) {
		.fsid = FSID,
		.rid = n->rid,
		.name_addr = ntohl(n->sockname.sin_addr.s_addr),
		.name_port = ntohs(n->sockname.sin_port),
		.peer_addr = ntohl(n->peername.sin_addr.s_addr),
		.peer_port = ntohs(n->peername.sin_port),
		.nh_seq = h->seq,
		.nh_recv_seq = h->recv_seq,
		.nh_id = h->id,
		.nh_data_len = h->data_len,
		.nh_cmd = h->cmd,
		.nh_flags = h->flags,
		.nh_error = h->error,
	});
}

static void client_count_event(const struct node *n, uint64_t clients,
			       void (*event)(const struct count_record *))
{
	event(&(struct count_record) {
		.fsid = FSID, .rid = n->rid, .c_rid = n->rid + 1, .nr_clients = clients });
}

/* The quorum: heartbeats over UDP. */

static void quorum_send(struct node *n, uint8_t type)
{
	struct quorum_message m = {
		.fsid = FSID, .version = 1, .term = n->term, .type = type, .from = !n->server
	};

	m.crc = crc32c(&m, offsetof(struct quorum_message, crc));
	scoutfs_quorum_send_message(&(struct quorum_record) {
		.fsid = FSID, .rid = n->rid, .term = n->term, .type = type, .nr = n->server });
	/* the other side may be away: that is what this program is about */
	(void)!sendto(n->udp, &m, sizeof(m), 0, (struct sockaddr *)&n->other, sizeof(n->other));
}

static void quorum_loop(struct node *n)
{
	scoutfs_quorum_loop(&(struct loop_record) {
		.fsid = FSID,
		.rid = n->rid,
		.term = n->term,
		.role = n->server ? ROLE_LEADER : ROLE_FOLLOWER,
		.vote_for = n->server ? 0 : -1,
		.vote_bits = n->server ? 3 : 0,
		.vote_count = n->server ? 2 : 0,
		.nsecs = 100 * NS_PER_MS,
	});
}

static void quorum_recv(struct node *n)
{
	struct quorum_message m;

	if (recv(n->udp, &m, sizeof(m), MSG_DONTWAIT) != sizeof(m))
		return;
	if (m.fsid != FSID || m.crc != crc32c(&m, offsetof(struct quorum_message, crc)))
		return;
	scoutfs_quorum_recv_message(&(struct quorum_record) {
		.fsid = FSID, .rid = n->rid, .term = m.term, .type = m.type, .nr = m.from });
	quorum_loop(n);
}

/* The messages: TCP. */

static void message_send(struct node *n, struct net_header *h)
{
	h->seq = ++n->seq;
	h->recv_seq = n->recv_seq;
	net_event(n, h, scoutfs_net_send_message);
	(void)!send(n->tcp, h, sizeof(*h), MSG_NOSIGNAL);
}

static void message_request(struct node *n, uint8_t cmd)
{
	struct net_header h = { .id = ++n->id, .cmd = cmd };

	message_send(n, &h);
}

static void message_answer(struct node *n, const struct net_header *request)
{
	struct net_header h = { .id = request->id, .cmd = request->cmd, .flags = FLAG_RESPONSE };

	/* as in the module, the server's side alone has the flag */
	if (h.cmd == CMD_FAREWELL)
		n->flags |= CONN_SAW_FAREWELL;
	message_send(n, &h);
	if (h.cmd == CMD_GREETING)
		client_count_event(n, 1, scoutfs_server_client_up);
}

/* Returns false when the connection has ended. */
static bool message_recv(struct node *n)
{
	struct net_header h;

	if (recv(n->tcp, &h, sizeof(h), MSG_WAITALL) != sizeof(h))
		return false;
	n->recv_seq = h.seq;
	n->last_recv = boot_ns();
	net_event(n, &h, scoutfs_net_recv_message);
	if (h.cmd == CMD_GREETING)
		n->flags |= CONN_SAW_GREETING | CONN_VALID_GREETING;
	if (h.flags & FLAG_RESPONSE)
		return h.cmd != CMD_FAREWELL;
	message_answer(n, &h);
	return true;
}

/* Connections. */

static void conn_established(struct node *n)
{
	socklen_t size = sizeof(n->sockname);

	getsockname(n->tcp, (struct sockaddr *)&n->sockname, &size);
	getpeername(n->tcp, (struct sockaddr *)&n->peername, &size);
	n->flags = CONN_ESTABLISHED;
	n->last_recv = boot_ns();
}

static void conn_close(struct node *n)
{
	n->flags = (n->flags & ~(uint64_t)CONN_ESTABLISHED) | CONN_SHUTTING_DOWN;
	conn_event(n, scoutfs_conn_shutdown_queued);
	conn_event(n, scoutfs_conn_shutdown_start);
	shutdown(n->tcp, SHUT_RDWR);
	n->peername = (struct sockaddr_in) {};
	n->flags &= ~(uint64_t)CONN_SAW_GREETING;
}

static void conn_complete(struct node *n)
{
	uint64_t before = boot_ns();

	conn_event(n, scoutfs_conn_shutdown_complete);
	say("event=scoutfs_conn_shutdown_complete flags=%#lx sent=%lu before=%lu after=%lu",
	    (unsigned long)n->flags, (unsigned long)n->seq, (unsigned long)before,
	    (unsigned long)boot_ns());
}

/* What must not push the history out of the ring: numbers that go on where they were, and votes
 * with a rising term. */
static void server_storm(struct node *n)
{
	struct net_header h = { .cmd = CMD_LOCK };
	uint64_t first = n->seq + 1;
	uint64_t i;

	if (!n->storm)
		return;
	for (i = 0; i < n->storm && !interrupted; i++) {
		h.seq = ++n->seq;
		net_event(n, &h, scoutfs_net_send_message);
		n->term++;
		quorum_send(n, MSG_REQUEST_VOTE);
	}
	say("storm first=%lu last=%lu after=%lu", (unsigned long)first, (unsigned long)n->seq,
	    (unsigned long)boot_ns());
}

/* A client that said farewell is forgotten; one that did not may come back, until it is fenced. */
static void server_lose_client(struct node *n)
{
	conn_close(n);
	if (n->flags & CONN_SAW_FAREWELL) {
		conn_event(n, scoutfs_conn_destroy_start);
		client_count_event(n, 0, scoutfs_server_client_down);
		conn_event(n, scoutfs_conn_destroy_free);
		say("farewell sent=%lu after=%lu", (unsigned long)n->seq, (unsigned long)boot_ns());
	} else {
		n->flags |= CONN_RECONN_WAIT;
		conn_complete(n);
		server_storm(n);
	}
	close(n->tcp);
	n->tcp = -1;
	n->done = --n->clients == 0;
}

static void server_accept(struct node *n)
{
	n->tcp = accept4(n->listener, NULL, NULL, SOCK_CLOEXEC);
	if (n->tcp < 0)
		die_sys("cannot accept");
	conn_established(n);
	conn_event(n, scoutfs_conn_accept);
}

static void server_tick(struct node *n)
{
	quorum_send(n, MSG_HEARTBEAT);
	quorum_loop(n);
	if (n->tcp >= 0 && boot_ns() - n->last_recv > n->timeout_ms * NS_PER_MS)
		server_lose_client(n);
}

static void client_connect(struct node *n)
{
	conn_event(n, scoutfs_conn_connect_start);
	n->tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (n->tcp < 0)
		die_sys("cannot make a socket");
	if (connect(n->tcp, (struct sockaddr *)&n->other, sizeof(n->other)) < 0)
		die_sys("cannot connect to the server");
	conn_established(n);
	conn_event(n, scoutfs_conn_connect_result);
	conn_event(n, scoutfs_conn_connect_complete);
	message_request(n, CMD_GREETING);
}

static void client_end(struct node *n)
{
	conn_close(n);
	n->flags &= ~(uint64_t)CONN_SHUTTING_DOWN;
	conn_complete(n);
	close(n->tcp);
	n->tcp = -1;
	n->done = true;
}

static void client_tick(struct node *n)
{
	static const uint8_t work[] = { CMD_GET_LOG_TREES, CMD_LOCK, CMD_LOCK,
					CMD_COMMIT_LOG_TREES };

	if (n->quiet || n->leaving)
		return;
	if (n->die_after && n->seq >= n->die_after) {
		n->quiet = true; /* a machine without power answers nothing */
		say("quiet sent=%lu boot_ns=%lu", (unsigned long)n->seq, (unsigned long)boot_ns());
		return;
	}
	n->leaving = n->clean_after && n->seq >= n->clean_after;
	message_request(n, n->leaving ? CMD_FAREWELL : work[n->seq % sizeof(work)]);
}

/* The loop. */

enum { FD_UDP, FD_TIMER, FD_LISTENER, FD_TCP, FD_COUNT };

static void node_step(struct node *n, const struct pollfd *fds)
{
	uint64_t ticks;

	if (fds[FD_UDP].revents && !n->quiet)
		quorum_recv(n);
	if (fds[FD_LISTENER].revents && n->tcp < 0)
		server_accept(n);
	else if (fds[FD_TCP].revents && n->quiet)
		n->done = true;
	else if (fds[FD_TCP].revents && !message_recv(n))
		(n->server ? server_lose_client : client_end)(n);
	if (fds[FD_TIMER].revents && read(fds[FD_TIMER].fd, &ticks, sizeof(ticks)) > 0 && !n->done)
		(n->server ? server_tick : client_tick)(n);
}

/* A quiet node reads nothing, and leaves when the other side has cut it off. */
static short node_tcp_events(const struct node *n)
{
	return n->quiet ? POLLRDHUP : POLLIN;
}

static void node_run(struct node *n, int timer)
{
	uint64_t end = boot_ns() + n->max_time_s * NS_PER_S;
	struct pollfd fds[FD_COUNT];

	while (!n->done && !interrupted && boot_ns() < end) {
		fds[FD_UDP] = (struct pollfd) { .fd = n->udp, .events = POLLIN };
		fds[FD_TIMER] = (struct pollfd) { .fd = timer, .events = POLLIN };
		fds[FD_LISTENER] = (struct pollfd) { .fd = n->listener, .events = POLLIN };
		fds[FD_TCP] = (struct pollfd) { .fd = n->tcp, .events = node_tcp_events(n) };
		if (poll(fds, FD_COUNT, 1000) < 0 && errno != EINTR)
			die_sys("cannot poll");
		if (!interrupted)
			node_step(n, fds);
	}
}

static int timer_open(uint64_t every_ms)
{
	struct timespec every = { every_ms / 1000, every_ms % 1000 * NS_PER_MS };
	struct itimerspec spec = { .it_interval = every, .it_value = every };
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

	if (fd < 0 || timerfd_settime(fd, 0, &spec, NULL) < 0)
		die_sys("cannot make a timer");
	return fd;
}

static int bound_socket(const struct node *n, int type)
{
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	int one = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0)
		die_sys("cannot make a socket");
	if (bind(fd, (struct sockaddr *)&n->own, sizeof(n->own)) < 0)
		die_sys("cannot bind to the address");
	return fd;
}

static void run_server(struct node *n)
{
	n->sockname = n->own;
	conn_event(n, scoutfs_conn_alloc);
	n->listener = bound_socket(n, SOCK_STREAM);
	if (listen(n->listener, 4) < 0)
		die_sys("cannot listen");
	say("ready boot_ns=%lu", (unsigned long)boot_ns());
	node_run(n, timer_open(100));
}

static void run_client(struct node *n)
{
	conn_event(n, scoutfs_conn_alloc);
	client_connect(n);
	say("ready boot_ns=%lu", (unsigned long)boot_ns());
	node_run(n, timer_open(n->every_ms));
}

static void usage(void)
{
	fputs("usage: scoutfsd probes add|del\n"
	      "       scoutfsd server ADDRESS PORT PEER [--clients N] [--storm N] [--timeout MS]\n"
	      "       scoutfsd client ADDRESS PORT SERVER [--every MS] [--die-after N]\n"
	      "                       [--clean-after N]\n"
	      "A server ends after --clients N (1) of them; one that cut a client off makes "
	      "--storm N\n"
	      "messages first. A client goes quiet or says farewell after so many messages.\n"
	      "Both end after --max-time S (60).\n",
	      stderr);
	exit(2);
}

static void node_address(struct sockaddr_in *sin, const char *address, const char *port)
{
	sin->sin_family = AF_INET;
	sin->sin_port = htons(number_of(port));
	if (inet_pton(AF_INET, address, &sin->sin_addr) != 1)
		die("'%s' is not an IPv4 address", address);
}

static void node_options(struct node *n, char **argv)
{
	const struct option options[] = {
		{ "--die-after", &n->die_after }, { "--clean-after", &n->clean_after },
		{ "--storm", &n->storm },         { "--every", &n->every_ms },
		{ "--timeout", &n->timeout_ms },  { "--max-time", &n->max_time_s },
		{ "--clients", &n->clients },     {},
	};

	options_read(options, argv);
}

static int run_probes(const char *what)
{
	if (!strcmp(what, "del"))
		return events_del() < 0;
	if (strcmp(what, "add"))
		usage();
	events_add();
	return 0;
}

int main(int argc, char **argv)
{
	struct node n = { .every_ms = 10,
			  .timeout_ms = 1000,
			  .max_time_s = 60,
			  .clients = 1,
			  .tcp = -1,
			  .listener = -1,
			  .term = 7 };
	struct sigaction action = { .sa_handler = on_signal };

	if (argc == 3 && !strcmp(argv[1], "probes"))
		return run_probes(argv[2]);
	if (argc < 5 || (strcmp(argv[1], "server") && strcmp(argv[1], "client")))
		usage();
	n.server = !strcmp(argv[1], "server");
	n.rid = n.server ? 0x1000 : 0x1001;
	node_address(&n.own, argv[2], argv[3]);
	node_address(&n.other, argv[4], argv[3]);
	node_options(&n, argv + 5);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	n.udp = bound_socket(&n, SOCK_DGRAM);
	(n.server ? run_server : run_client)(&n);
	return 0;
}
