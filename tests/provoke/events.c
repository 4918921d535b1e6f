#include "events.h"

#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <sys/mount.h>
#include <unistd.h>

#include "provoke.h"

#define GROUP "scoutfs"

#if defined(__x86_64__)
#define FIRST_ARGUMENT "di"
#elif defined(__aarch64__)
#define FIRST_ARGUMENT "x0"
#else
#error "which register holds the first argument?"
#endif

struct field {
	const char *name;
	const char *type;
	size_t offset;
};

#define FIELD(record, member, type)                            \
	{                                                      \
#member, type, offsetof(struct record, member) \
	}

static const struct field quorum_fields[] = {
	FIELD(quorum_record, fsid, "u64"), FIELD(quorum_record, rid, "u64"),
	FIELD(quorum_record, term, "u64"), FIELD(quorum_record, type, "u8"),
	FIELD(quorum_record, nr, "s32"),   {},
};

static const struct field loop_fields[] = {
	FIELD(loop_record, fsid, "u64"),
	FIELD(loop_record, rid, "u64"),
	FIELD(loop_record, term, "u64"),
	FIELD(loop_record, role, "s32"),
	FIELD(loop_record, vote_for, "s32"),
	FIELD(loop_record, vote_bits, "u64"),
	FIELD(loop_record, vote_count, "u64"),
	FIELD(loop_record, nsecs, "u64"),
	{},
};

static const struct field net_fields[] = {
	FIELD(net_record, fsid, "u64"),      FIELD(net_record, rid, "u64"),
	FIELD(net_record, name_addr, "u32"), FIELD(net_record, name_port, "u16"),
	FIELD(net_record, peer_addr, "u32"), FIELD(net_record, peer_port, "u16"),
	FIELD(net_record, nh_seq, "u64"),    FIELD(net_record, nh_recv_seq, "u64"),
	FIELD(net_record, nh_id, "u64"),     FIELD(net_record, nh_data_len, "u16"),
	FIELD(net_record, nh_cmd, "u8"),     FIELD(net_record, nh_flags, "u8"),
	FIELD(net_record, nh_error, "u8"),   {},
};

static const struct field conn_fields[] = {
	FIELD(conn_record, fsid, "u64"),
	FIELD(conn_record, rid, "u64"),
	FIELD(conn_record, flags, "u64"),
	FIELD(conn_record, reconn_deadline, "u64"),
	FIELD(conn_record, connect_timeout_ms, "u64"),
	FIELD(conn_record, sock, "x64"),
	FIELD(conn_record, c_rid, "u64"),
	FIELD(conn_record, greeting_id, "u64"),
	FIELD(conn_record, sockname_addr, "u32"),
	FIELD(conn_record, sockname_port, "u16"),
	FIELD(conn_record, peername_addr, "u32"),
	FIELD(conn_record, peername_port, "u16"),
	FIELD(conn_record, listening_conn, "x64"),
	FIELD(conn_record, next_send_seq, "u64"),
	FIELD(conn_record, next_send_id, "u64"),
	FIELD(conn_record, recv_seq, "u64"),
	{},
};

static const struct field count_fields[] = {
	FIELD(count_record, fsid, "u64"),
	FIELD(count_record, rid, "u64"),
	FIELD(count_record, c_rid, "s64"),
	FIELD(count_record, nr_clients, "u64"),
	{},
};

/* A nop is what the kernel steps over fastest. The text beside it differs for each, or the compiler
 * folds the functions into one. */
#define EVENT(name, record)                                             \
	__attribute__((noinline)) void name(const struct record *r)     \
	{                                                               \
		__asm__ volatile("nop # " #name : : "r"(r) : "memory"); \
	}

EVENT(scoutfs_quorum_send_message, quorum_record)
EVENT(scoutfs_quorum_recv_message, quorum_record)
EVENT(scoutfs_quorum_loop, loop_record)
EVENT(scoutfs_net_send_message, net_record)
EVENT(scoutfs_net_recv_message, net_record)
EVENT(scoutfs_conn_alloc, conn_record)
EVENT(scoutfs_conn_connect_start, conn_record)
EVENT(scoutfs_conn_connect_result, conn_record)
EVENT(scoutfs_conn_connect_complete, conn_record)
EVENT(scoutfs_conn_accept, conn_record)
EVENT(scoutfs_conn_shutdown_queued, conn_record)
EVENT(scoutfs_conn_shutdown_start, conn_record)
EVENT(scoutfs_conn_shutdown_complete, conn_record)
EVENT(scoutfs_conn_destroy_start, conn_record)
EVENT(scoutfs_conn_destroy_free, conn_record)
EVENT(scoutfs_server_client_up, count_record)
EVENT(scoutfs_server_client_down, count_record)

struct event {
	const char *name;
	uintptr_t function;
	const struct field *fields;
};

#define PROBE(name, fields)                    \
	{                                      \
#name, (uintptr_t)name, fields \
	}

static const struct event events[] = {
	PROBE(scoutfs_quorum_send_message, quorum_fields),
	PROBE(scoutfs_quorum_recv_message, quorum_fields),
	PROBE(scoutfs_quorum_loop, loop_fields),
	PROBE(scoutfs_net_send_message, net_fields),
	PROBE(scoutfs_net_recv_message, net_fields),
	PROBE(scoutfs_conn_alloc, conn_fields),
	PROBE(scoutfs_conn_connect_start, conn_fields),
	PROBE(scoutfs_conn_connect_result, conn_fields),
	PROBE(scoutfs_conn_connect_complete, conn_fields),
	PROBE(scoutfs_conn_accept, conn_fields),
	PROBE(scoutfs_conn_shutdown_queued, conn_fields),
	PROBE(scoutfs_conn_shutdown_start, conn_fields),
	PROBE(scoutfs_conn_shutdown_complete, conn_fields),
	PROBE(scoutfs_conn_destroy_start, conn_fields),
	PROBE(scoutfs_conn_destroy_free, conn_fields),
	PROBE(scoutfs_server_client_up, count_fields),
	PROBE(scoutfs_server_client_down, count_fields),
	{},
};

/* A mount of our own that is attached nowhere. */
static int tracefs_mount(void)
{
	int fs = fsopen("tracefs", FSOPEN_CLOEXEC);
	int dir;

	if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		die_sys("cannot mount tracefs");
	dir = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	if (dir < 0)
		die_sys("cannot mount tracefs");
	close(fs);
	return dir;
}

static int uprobes_open(int tracefs)
{
	int fd = openat(tracefs, "uprobe_events", O_WRONLY | O_APPEND | O_CLOEXEC);

	if (fd < 0)
		die_sys("cannot open uprobe_events");
	return fd;
}

/* Where in its file is the code at that address? */
static uint64_t file_offset(uintptr_t address)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long start, end, offset;
	char line[512];

	if (!maps)
		die_sys("cannot open /proc/self/maps");
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %*s %lx", &start, &end, &offset) != 3)
			continue;
		if (start <= address && address < end) {
			fclose(maps);
			return address - start + offset;
		}
	}
	die("address %lx is not mapped", (unsigned long)address);
}

static int event_add(int uprobes, const struct event *event, const char *path)
{
	char text[4096];
	const struct field *f;
	int n;

	n = snprintf(text, sizeof(text), "p:" GROUP "/%s %s:%#lx", event->name, path,
		     (unsigned long)file_offset(event->function));
	for (f = event->fields; f->name && n < (int)sizeof(text); f++)
		n += snprintf(text + n, sizeof(text) - n, " %s=+%zu(%%" FIRST_ARGUMENT "):%s",
			      f->name, f->offset, f->type);
	if (n >= (int)sizeof(text))
		die("the probe '%s' is too long", event->name);
	return write(uprobes, text, n) == n ? 0 : -1;
}

static int event_del(int uprobes, const struct event *event)
{
	char text[256];
	int n = snprintf(text, sizeof(text), "-:" GROUP "/%s", event->name);

	return write(uprobes, text, n) == n || errno == ENOENT ? 0 : -1;
}

void events_add(void)
{
	int tracefs = tracefs_mount();
	int uprobes = uprobes_open(tracefs);
	const struct event *event;
	char path[PATH_MAX] = "";

	if (faccessat(tracefs, "events/" GROUP, F_OK, 0) == 0)
		die("the event group '" GROUP "' is there already");
	if (readlink("/proc/self/exe", path, sizeof(path) - 1) < 0)
		die_sys("cannot read /proc/self/exe");
	for (event = events; event->name; event++) {
		if (event_add(uprobes, event, path) == 0)
			continue;
		fprintf(stderr, "cannot add the probe '%s': %s\n", event->name, strerror(errno));
		events_del();
		exit(1);
	}
	close(uprobes);
	close(tracefs);
}

static int events_del_once(int uprobes)
{
	const struct event *event;
	int left = 0;

	for (event = events; event->name; event++)
		left += event_del(uprobes, event) < 0;
	return left;
}

int events_del(void)
{
	uint64_t deadline = boot_ns() + 5 * NS_PER_S;
	int tracefs = tracefs_mount();
	int uprobes = uprobes_open(tracefs);
	int left;

	/* a capture that ends right now lets go of them soon */
	while ((left = events_del_once(uprobes)) > 0 && boot_ns() < deadline)
		sleep_ns(100 * NS_PER_MS);
	if (left)
		fprintf(stderr, "%d probes of the group '" GROUP "' are still in use: %s\n", left,
			strerror(errno));
	close(uprobes);
	close(tracefs);
	return left ? -1 : 0;
}
