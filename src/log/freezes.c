#include "log/freezes.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/units.h"
#include "log/followlog.h"
#include "log/freezetable.h"
#include "process/memory.h"
#include "trace/comm.h"
#include "trace/eventstream.h"
#include "trace/format.h"
#include "trace/instance.h"

#define ASKED "cmd == 0xc0045877 || cmd == 0xc0045878" /* FREEZE_ASKED, THAW_ASKED */
#define ENTER "events/syscalls/sys_enter_ioctl/"
#define RING_ALL_KB 4096   /* of all CPUs: what others do while somebody freezes is in it, too */
#define RING_KB 64         /* of each CPU at least */
#define MOMENTS_MAX 16384u /* between two looks */
#define LOST_AFTER NS_PER_S
#define QUIET NS_PER_S /* after which nothing of others is recorded any more */

/* What is recorded from the moment on at which a call begins: the ends of ioctl of all, and writes
 * to block devices, by which it shows what a file system is on. */
enum after { ENDS, WRITES, AFTERS };

static const struct {
	const char *system, *event;
} afters[AFTERS] = {
	[ENDS] = { "syscalls", "sys_exit_ioctl" },
	[WRITES] = { "block", "block_bio_queue" },
};

/* XFS need not write anything: it says so by itself. These are rare, and not there without it. */
#define SPOKEN 2

static const char *const spoken[SPOKEN] = { "xfs_inodegc_stop", "xfs_inodegc_start" };

/* A record. */
struct moment {
	enum { CALL_BEGINS, CALL_ENDS, CALL_SHOWS } what;
	uint64_t time;
	long result;
	unsigned long dev; /* the kernel's: 12 and 20 bits */
	int pid;
	struct freezecall *call; /* of one that begins; allocated */
};

struct freezes {
	struct tracing *tracing;
	struct format *begins;
	struct format *after[AFTERS];
	struct format *spoken[SPOKEN]; /* NULL where it is not */
	struct ringpage_layout layout;
	unsigned n_cpus;
	int *raw; /* trace_pipe_raw of each CPU */
	uint8_t *page;
	int woken;          /* trace_pipe, which is never read */
	int enable[AFTERS]; /* turned on by the kernel, and off here */
	bool on;            /* they may be, */
	uint64_t began;     /* boot clock: since this call began */
	int comms;
	struct moment *moments; /* not told yet */
	size_t n;
	bool missed;
	struct freezetable *table;
	followlog_emit *emit; /* during a take: */
	void *arg;
	int emitted;
};

bool freezes_is(const char *log)
{
	size_t n = strlen(FREEZES_LOG);

	return !strncmp(log, FREEZES_LOG, n) && (!log[n] || log[n] == ' ');
}

static int freezes_ring_kb(void)
{
	int each = RING_ALL_KB / get_nprocs_conf();

	return each > RING_KB ? each : RING_KB;
}

uint64_t freezes_ring_bytes(void)
{
	return (uint64_t)freezes_ring_kb() * 1024 * get_nprocs_conf();
}

static int freezes_arm_after(struct tracing *tracing, const char *name, struct err *e)
{
	char trigger[200];

	for (size_t i = 0; i < AFTERS; i++) {
		snprintf(trigger, sizeof(trigger), "enable_event:%s:%s if " ASKED, afters[i].system,
			 afters[i].event);
		if (instance_append(tracing, name, ENTER "trigger", trigger, e) < 0)
			return e->code;
	}
	for (size_t i = 0; i < SPOKEN; i++) {
		char path[100];

		snprintf(path, sizeof(path), "events/xfs/%s/enable", spoken[i]);
		if (tracing_has(tracing, "xfs", spoken[i]) &&
		    instance_write(tracing, name, path, "1", e) < 0)
			return e->code;
	}
	return 0;
}

int freezes_arm(struct ledger *ledger, struct tracing *tracing, const char *name, char **log,
		struct err *e)
{
	char size[16];
	const char *const settings[][2] = {
		{ "tracing_on", "1" },     { "trace_clock", "boot" }, { "buffer_size_kb", size },
		{ "buffer_percent", "0" }, { ENTER "filter", ASKED }, { ENTER "enable", "1" },
	};

	snprintf(size, sizeof(size), "%d", freezes_ring_kb());
	if (ledger_instance(ledger, name, e) < 0 || instance_create(tracing, name, e) < 0)
		return e->code;
	for (size_t i = 0; i < countof(settings); i++)
		if (instance_write(tracing, name, settings[i][0], settings[i][1], e) < 0)
			return e->code;
	if (freezes_arm_after(tracing, name, e) < 0)
		return e->code;
	return asprintf(log, FREEZES_LOG " %s", name) < 0 ? err_set(e, "no memory") : 0;
}

static void freezes_said(void *arg, uint64_t time, const struct freeze *freeze)
{
	struct freezes *f = arg;
	char text[FOLLOWER_LINE];
	struct followed line = { .time = time, .priority = UINT32_MAX, .text = text };

	freezeline_write(freeze, text, sizeof(text));
	line.size = strlen(text);
	if (f->emitted >= 0)
		f->emitted = f->emit(f->arg, &line);
}

static void freezes_close(struct freezes *f)
{
	const int fds[] = { f->woken, f->comms, f->enable[ENDS], f->enable[WRITES] };

	for (size_t i = 0; i < AFTERS; i++)
		format_free(f->after[i]);
	for (size_t i = 0; i < countof(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	for (unsigned cpu = 0; f->raw && cpu < f->n_cpus; cpu++)
		if (f->raw[cpu] >= 0)
			close(f->raw[cpu]);
	for (size_t i = 0; i < f->n; i++)
		free(f->moments[i].call);
	freezetable_free(f->table);
	format_free(f->begins);
	for (size_t i = 0; i < SPOKEN; i++)
		format_free(f->spoken[i]);
	tracing_close(f->tracing);
	free(f->raw);
	free(f->page);
	free(f->moments);
	free(f);
}

static int freezes_open_after(const struct freezes *f, const char *name, enum after after,
			      struct err *e)
{
	char path[100];

	snprintf(path, sizeof(path), "events/%s/%s/enable", afters[after].system,
		 afters[after].event);
	return instance_open(f->tracing, name, path, O_WRONLY, e);
}

static int freezes_open_ring(struct freezes *f, const char *name, struct err *e)
{
	if (instance_layout(f->tracing, name, &f->layout, e) < 0 ||
	    instance_cpus(f->tracing, name, &f->n_cpus, e) < 0)
		return e->code;
	f->raw = malloc(f->n_cpus * sizeof(*f->raw));
	f->page = malloc(f->layout.page_size);
	f->moments = malloc(MOMENTS_MAX * sizeof(*f->moments));
	if (!f->raw || !f->page || !f->moments) {
		f->n_cpus = 0;
		return err_set(e, "no memory");
	}
	for (unsigned cpu = 0; cpu < f->n_cpus; cpu++) {
		struct err absent = ERR_INIT;

		f->raw[cpu] = instance_open_cpu(f->tracing, name, cpu, "trace_pipe_raw", &absent);
	}
	f->woken = instance_open(f->tracing, name, "trace_pipe", O_RDONLY | O_NONBLOCK, e);
	f->comms = openat(tracing_fd(f->tracing), "saved_cmdlines", O_RDONLY | O_CLOEXEC);
	for (size_t i = 0; i < AFTERS && !e->code; i++)
		f->enable[i] = freezes_open_after(f, name, i, e);
	return e->code ? e->code : freezetable_create(&f->table, freezes_said, f, e);
}

static int freezes_formats(struct freezes *f, struct err *e)
{
	struct err absent = ERR_INIT;

	if (tracing_format(f->tracing, "syscalls", "sys_enter_ioctl", &f->begins, e) < 0)
		return e->code;
	for (size_t i = 0; i < AFTERS; i++)
		if (tracing_format(f->tracing, afters[i].system, afters[i].event, &f->after[i], e) <
		    0)
			return e->code;
	for (size_t i = 0; i < SPOKEN; i++)
		tracing_format(f->tracing, "xfs", spoken[i], &f->spoken[i], &absent);
	return 0;
}

/* Without a ring it is asked whether this host could have one. */
static int freezes_open(void **ret, const char *log, enum follow follow, struct err *e)
{
	struct freezes *f = calloc(1, sizeof(*f));
	const char *name = strchr(log, ' ');

	(void)follow;
	if (!f)
		return err_set(e, "no memory");
	/* who followed them before may have left it on */
	*f = (struct freezes) {
		.woken = -1, .comms = -1, .enable = { -1, -1 }, .on = name != NULL
	};
	/* it is for who freezes: with its ring it waits for no disk */
	if ((name && memory_lock(e) < 0) || tracing_open(&f->tracing, e) < 0 ||
	    freezes_formats(f, e) < 0 || (name && freezes_open_ring(f, name + 1, e) < 0)) {
		freezes_close(f);
		return e->code;
	}
	*ret = f;
	return 0;
}

static int64_t freezes_field(const struct format *format, const char *name,
			     const struct ringpage_record *record)
{
	const struct field *field = format_field(format, name);

	return field ? field_int(field, record->data, record->size) : 0;
}

/* The process that has started it; 0 if that is not known any more. */
static int call_parent(int pid)
{
	autofclose FILE *f = NULL;
	char path[40], line[256];
	int parent;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "PPid: %d", &parent) == 1)
			return parent;
	return 0;
}

/* At once: who asked may be gone in a moment. */
static void freezes_look_up(const struct freezes *f, struct freezecall *call)
{
	if (mount_of_fd(&call->mount, call->pid, call->fd) < 0)
		call->mount = (struct mount) { 0 };
	call->looked = clock_boot();
	call->parent = call_parent(call->pid);
	comm_find(call->comm, f->comms, call->pid);
	if (call->parent)
		comm_find(call->parent_comm, f->comms, call->parent);
}

/* The format of a record by which its task shows what file system it is at; NULL: it is none. */
static const struct format *freezes_shown(const struct freezes *f, uint16_t id)
{
	for (size_t i = 0; i < SPOKEN; i++)
		if (f->spoken[i] && f->spoken[i]->id == id)
			return f->spoken[i];
	return f->after[WRITES]->id == id ? f->after[WRITES] : NULL;
}

/* What kind of record it is; false if it is none of ours. */
static bool freezes_knows(const struct freezes *f, const struct ringpage_record *record,
			  struct moment *m)
{
	uint16_t id = record->size >= sizeof(id) ? *(const uint16_t *)record->data : 0;
	const struct format *shown = freezes_shown(f, id);

	if (id == f->begins->id) {
		m->what = CALL_BEGINS;
	} else if (id == f->after[ENDS]->id) {
		m->what = CALL_ENDS;
		m->result = (long)freezes_field(f->after[ENDS], "ret", record);
	} else if (shown) {
		m->what = CALL_SHOWS;
		m->dev = (uint32_t)freezes_field(shown, "dev", record);
	}
	return id == f->begins->id || id == f->after[ENDS]->id || shown;
}

static bool freezes_switch(struct freezes *f, const char *to)
{
	bool switched = true;

	for (size_t i = 0; i < AFTERS; i++)
		switched &= pwrite(f->enable[i], to, 1, 0) == 1;
	return switched;
}

static struct freezecall *freezes_begin(struct freezes *f, const struct ringpage_record *record,
					int pid)
{
	struct freezecall *call = calloc(1, sizeof(*call));

	/* what its begin has turned on may just have been turned off here */
	if (!f->on)
		freezes_switch(f, "1");
	f->on = true;
	f->began = clock_boot();
	if (!call)
		return NULL;
	*call = (struct freezecall) { .time = record->time,
				      .pid = pid,
				      .fd = (unsigned)freezes_field(f->begins, "fd", record),
				      .cmd = (uint32_t)freezes_field(f->begins, "cmd", record) };
	freezes_look_up(f, call);
	return call;
}

static void freezes_take_record(struct freezes *f, const struct ringpage_record *record)
{
	struct moment m = { .time = record->time };

	if (!freezes_knows(f, record, &m))
		return;
	m.pid = (int)freezes_field(f->begins, "common_pid", record);
	if (m.what == CALL_BEGINS)
		m.call = freezes_begin(f, record, m.pid);
	f->missed |= f->n == MOMENTS_MAX || (m.what == CALL_BEGINS && !m.call);
	if (f->n < MOMENTS_MAX)
		f->moments[f->n++] = m;
	else
		free(m.call);
}

static void freezes_read(struct freezes *f)
{
	struct ringpage_record record;
	struct ringpage walk;

	for (unsigned cpu = 0; cpu < f->n_cpus; cpu++) {
		while (f->raw[cpu] >= 0 && f->n < MOMENTS_MAX &&
		       read(f->raw[cpu], f->page, f->layout.page_size) > 0) {
			ringpage_open(&walk, &f->layout, f->page);
			f->missed |= walk.missed;
			while (ringpage_next(&walk, &record) > 0)
				freezes_take_record(f, &record);
		}
	}
}

static int moment_order(const void *a, const void *b)
{
	const struct moment *x = a, *y = b;

	return x->time < y->time ? -1 : x->time > y->time;
}

static int mount_is_on(void *arg, const struct mount *m)
{
	struct mount *wanted = arg;

	if (m->major != wanted->major || m->minor != wanted->minor)
		return 0;
	*wanted = *m;
	return 1;
}

static bool moment_mount(const struct moment *m, struct mount *mount)
{
	*mount = (struct mount) { .major = m->dev >> 20, .minor = m->dev & 0xfffff };
	return mounts_each(mount_is_on, mount) > 0;
}

static void freezes_show(struct freezes *f, const struct moment *m)
{
	struct mount mount;

	if (freezetable_wants_mount(f->table, m->pid) && moment_mount(m, &mount))
		freezetable_name(f->table, m->pid, &mount);
}

/* Of a call that is over already, what it has shown since, or that what was looked up came too
 * late.
 */
static void freezes_complete(struct freezes *f, size_t begin)
{
	struct freezecall *call = f->moments[begin].call;
	struct mount mount;

	for (size_t i = begin + 1; i < f->n; i++) {
		const struct moment *m = &f->moments[i];

		if (m->pid == call->pid && m->what == CALL_BEGINS)
			return;
		if (m->pid != call->pid || (m->what == CALL_SHOWS && call->shown++ >= SHOWN_MAX))
			continue;
		if (m->what == CALL_SHOWS && moment_mount(m, &mount)) {
			call->mount = mount;
			call->looked = 0;
			return;
		}
		if (m->what == CALL_ENDS && m->time <= call->looked)
			call->mount = (struct mount) { 0 };
		if (m->what == CALL_ENDS)
			return;
	}
}

static void freezes_tell_one(struct freezes *f, size_t i)
{
	const struct moment *m = &f->moments[i];

	if (m->what == CALL_BEGINS && m->call) {
		freezes_complete(f, i);
		freezetable_begin(f->table, m->call);
	} else if (m->what == CALL_ENDS) {
		freezetable_end(f->table, m->time, m->pid, m->result);
	} else if (m->what == CALL_SHOWS) {
		freezes_show(f, m);
	}
	free(m->call);
}

/* What is older than UNTIL is there whole: it is told in its order. */
static void freezes_tell(struct freezes *f, uint64_t until)
{
	size_t told = 0;

	qsort(f->moments, f->n, sizeof(*f->moments), moment_order);
	for (; told < f->n && f->moments[told].time < until; told++)
		freezes_tell_one(f, told);
	f->n -= told;
	memmove(f->moments, f->moments + told, f->n * sizeof(*f->moments));
}

/* Whether that task is in a call still. It may be running for a moment, and tell nothing. */
static bool call_is_under_way(int pid)
{
	autofclose FILE *f = NULL;
	char path[40], text[200] = "";
	unsigned long long cmd;

	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	f = fopen(path, "re");
	if (!f || !fgets(text, sizeof(text), f))
		return false;
	return !strncmp(text, "running", 7) ||
	       (sscanf(text, "%*d %*x %llx", &cmd) == 1 &&
		((uint32_t)cmd == FREEZE_ASKED || (uint32_t)cmd == THAW_ASKED));
}

static bool freezes_holds_begin(const struct freezes *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->moments[i].what == CALL_BEGINS)
			return true;
	return false;
}

/* A call whose end was not seen is not waited for. Without one under way, what others do is of no
 * use after a while; one that has just begun has turned that on again, perhaps before it is turned
 * off here. */
static void freezes_rest(struct freezes *f)
{
	uint64_t now = clock_boot();

	freezetable_expire(f->table, now, LOST_AFTER, call_is_under_way);
	if (!f->on || freezes_holds_begin(f) || now - f->began < QUIET ||
	    freezetable_is_busy(f->table) || !freezes_switch(f, "0"))
		return;
	f->on = false;
	freezes_read(f);
	if (f->on && !freezes_switch(f, "1"))
		f->missed = true;
}

static int freezes_take(void *log, followlog_emit *emit, void *arg)
{
	const struct timespec delay = { .tv_nsec = EVENTSTREAM_DELAY };
	const struct followed cut = { .time = clock_boot(), .cut = true };
	struct freezes *f = log;
	uint64_t until;

	f->emit = emit;
	f->arg = arg;
	f->emitted = 0;
	freezes_read(f);
	nanosleep(&delay, NULL);
	until = clock_boot() - EVENTSTREAM_DELAY;
	freezes_read(f);
	freezes_tell(f, until);
	freezes_rest(f);
	if (f->missed && f->emitted >= 0)
		f->emitted = emit(arg, &cut);
	f->missed = false;
	return f->emitted < 0 ? f->emitted : 1;
}

static void freezes_wait(void *log)
{
	const struct freezes *f = log;
	struct pollfd p = { .fd = f->woken, .events = POLLIN };

	/* what was held back is due in a moment */
	poll(&p, 1, f->n ? 1 : FOLLOWER_LATE / NS_PER_MS);
}

const struct followlog_ops freezes_log = {
	.open = freezes_open,
	.take = freezes_take,
	.wait = freezes_wait,
};
