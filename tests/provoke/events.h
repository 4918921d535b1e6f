/* The tracing events of the scoutfs kernel module, made by user probes on our own functions: same
 * group, same names, same fields. Calling the function is the event. */
#pragma once

#include <stdint.h>

struct quorum_record {
	uint64_t fsid;
	uint64_t rid;
	uint64_t term;
	uint8_t type;
	int32_t nr;
};

struct loop_record {
	uint64_t fsid;
	uint64_t rid;
	uint64_t term;
	int32_t role;
	int32_t vote_for;
	uint64_t vote_bits;
	uint64_t vote_count;
	uint64_t nsecs;
};

/* Addresses and ports are in host byte order, as in the module's events. */
struct net_record {
	uint64_t fsid;
	uint64_t rid;
	uint32_t name_addr;
	uint16_t name_port;
	uint32_t peer_addr;
	uint16_t peer_port;
	uint64_t nh_seq;
	uint64_t nh_recv_seq;
	uint64_t nh_id;
	uint16_t nh_data_len;
	uint8_t nh_cmd;
	uint8_t nh_flags;
	uint8_t nh_error;
};

enum conn_flags {
	CONN_VALID_GREETING = 0x01,
	CONN_ESTABLISHED = 0x02,
	CONN_SHUTTING_DOWN = 0x04,
	CONN_SAW_GREETING = 0x08,
	CONN_SAW_FAREWELL = 0x10,
	CONN_RECONN_WAIT = 0x20,
};

struct conn_record {
	uint64_t fsid;
	uint64_t rid;
	uint64_t flags;
	uint64_t reconn_deadline;
	uint64_t connect_timeout_ms;
	uint64_t sock;
	uint64_t c_rid;
	uint64_t greeting_id;
	uint32_t sockname_addr;
	uint16_t sockname_port;
	uint32_t peername_addr;
	uint16_t peername_port;
	uint64_t listening_conn;
	uint64_t next_send_seq;
	uint64_t next_send_id;
	uint64_t recv_seq;
};

struct count_record {
	uint64_t fsid;
	uint64_t rid;
	int64_t c_rid;
	uint64_t nr_clients;
};

void scoutfs_quorum_send_message(const struct quorum_record *r);
void scoutfs_quorum_recv_message(const struct quorum_record *r);
void scoutfs_quorum_loop(const struct loop_record *r);
void scoutfs_net_send_message(const struct net_record *r);
void scoutfs_net_recv_message(const struct net_record *r);
void scoutfs_conn_alloc(const struct conn_record *r);
void scoutfs_conn_connect_start(const struct conn_record *r);
void scoutfs_conn_connect_result(const struct conn_record *r);
void scoutfs_conn_connect_complete(const struct conn_record *r);
void scoutfs_conn_accept(const struct conn_record *r);
void scoutfs_conn_shutdown_queued(const struct conn_record *r);
void scoutfs_conn_shutdown_start(const struct conn_record *r);
void scoutfs_conn_shutdown_complete(const struct conn_record *r);
void scoutfs_conn_destroy_start(const struct conn_record *r);
void scoutfs_conn_destroy_free(const struct conn_record *r);
void scoutfs_server_client_up(const struct count_record *r);
void scoutfs_server_client_down(const struct count_record *r);

/* Defines the user probes for this very executable. Ends the program with a sentence if the group
 * is there already, by the real module or by somebody else's run. */
void events_add(void);

/* Removes them; waits a few seconds for those that still use them. Returns 0, or -1 if some are
 * still there. */
int events_del(void);
