/* The kernel's log, as /dev/kmsg hands it out: one record a read. */
#include "source/logs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/io.h"
#include "base/ring.h"
#include "base/units.h"
#include "capture/capture.h"
#include "plan/source.h"
#include "source/kmsg.h"
#include "source/live.h"

#define LOG_DEVICE "/dev/kmsg"
#define LOG_KEEP_MIN (64u << 10)
#define LOG_KEEP_MAX (1u << 30)
#define LOG_BATCH 256                /* records between two looks at the engine */
#define LOG_FINISH_NS (2 * NS_PER_S) /* how long the end may take */

struct log {
	uint64_t keep;
	struct ring *ring;
};

struct unit_text log_file(const struct source *s)
{
	struct unit_text name;

	snprintf(name.text, sizeof(name.text), "log-%u.ring", s->index);
	return name;
}

int log_read(const struct source *s, const char **log, uint64_t *keep, struct err *e)
{
	json_int_t bytes = 4 << 20;
	json_error_t where;

	if (json_unpack_ex((json_t *)s->spec, &where, 0, "{s:s, s?I}", "log", log, "keep", &bytes) <
	    0)
		return err_set(e, "a log is not well-formed: %s", where.text);
	if (bytes < LOG_KEEP_MIN || bytes > LOG_KEEP_MAX)
		return err_set(e, "'keep' of a log is from %s to %s", size_text(LOG_KEEP_MIN).text,
			       size_text(LOG_KEEP_MAX).text);
	if (!s->name || !*s->name || strlen(s->name) > 64 || strchr(s->name, '/'))
		return err_set(e, "the name of a log can have no '/' and up to 64 bytes");
	*keep = bytes;
	return 0;
}

static int log_decode(struct source *s, struct err *e)
{
	struct log *log = s->data = calloc(1, sizeof(*log));
	const char *which;

	if (!log)
		return err_set(e, "no memory for the log");
	if (log_read(s, &which, &log->keep, e) < 0)
		return e->code;
	return strcmp(which, "kernel") ? err_set(e, "'%s' is not the kernel's log", which) : 0;
}

static int log_open(struct err *e)
{
	int fd = open(LOG_DEVICE, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	err_sys(e, "cannot open the kernel's log '%s'", LOG_DEVICE);
	return err_exit(e, EXIT_HOST);
}

static int log_probe(struct source *s, struct cost *cost, struct err *e)
{
	const struct log *log = s->data;
	autoclose int fd = log_open(e);

	if (fd < 0)
		return fd;
	cost->ring_bytes = log->keep;
	cost->tmpfs_bytes += log->keep;
	/* the time in front of each line is about as long as the line */
	cost->output_bytes += 2 * log->keep;
	return 0;
}

static int log_arm(struct source *s, struct capture *c, struct err *e)
{
	struct log *log = s->data;

	return ring_create(&log->ring, c->state->fd, log_file(s).text, log->keep, e);
}

struct recorder {
	struct source *s;
	struct live *live;
	struct ring *ring;
	int fd;
	enum log_kind kind;
	uint64_t expected; /* the next record's sequence number */
	uint64_t last;     /* when the last one was read */
	bool after_cut;    /* all up to the cut is in */
	struct log_clock clock;
};

/* A hole is a record of its own: so each of them is told, and leaves the ring when its neighbours
 * do. */
static void recorder_hole(struct recorder *r, uint64_t count, uint64_t now)
{
	struct ring_record record = { .time = now, .kind = LOG_HOLE, .aux = count };
	struct iovec since = { .iov_base = &r->last, .iov_len = sizeof(r->last) };
	struct ring_counters *counters = ring_counters(r->ring);

	counters->lost += count;
	if (!counters->lost_since)
		counters->lost_since = r->last;
	counters->lost_until = now;
	r->s->stats->lost = counters->lost;
	ring_push(r->ring, &record, &since, 1);
}

static void recorder_push(struct recorder *r, const char *data, size_t size, uint64_t stamp_ns,
			  uint64_t now)
{
	struct ring_record record = { .time = now, .kind = r->kind, .aux = stamp_ns };
	struct iovec text = { .iov_base = (void *)data, .iov_len = size };

	ring_push(r->ring, &record, &text, 1);
	r->s->stats->records++;
	r->s->stats->bytes += size;
	r->s->stats->overwritten = ring_counters(r->ring)->overwritten;
	r->s->stats->last = r->last = now;
}

static void recorder_take(struct recorder *r, const char *data, size_t size)
{
	uint64_t now = clock_boot();
	struct kmsg k;

	if (!kmsg_parse(data, size, &k))
		return;
	if (r->kind == LOG_LINE &&
	    log_after(log_clock_boot(&r->clock, now, k.stamp_ns), stop_cut(r->live->stop))) {
		r->after_cut = true;
		return;
	}
	if (r->expected && k.sequence > r->expected)
		recorder_hole(r, k.sequence - r->expected, now);
	r->expected = k.sequence + 1;
	recorder_push(r, data, size, k.stamp_ns, now);
}

/* Reads one record. Returns 1 if there may be more, 0 if there are none now, -errno. */
static int recorder_read(struct recorder *r)
{
	char data[LOG_RECORD_MAX];
	ssize_t n = read(r->fd, data, sizeof(data));

	if (n > 0) {
		recorder_take(r, data, n);
		return 1;
	}
	if (n == 0 || errno == EAGAIN)
		return 0;
	/* EPIPE: the kernel has overwritten what came next; its sequence numbers tell how much */
	return errno == EPIPE || errno == EINTR ? 1 : -errno;
}

/* Returns 1 if there may be more after this batch. */
static int recorder_drain(struct recorder *r, struct err *e)
{
	for (int i = 0; i < LOG_BATCH && !r->after_cut; i++) {
		int more = recorder_read(r);

		if (more < 0) {
			errno = -more;
			return err_sys(e, "cannot read the kernel's log");
		}
		if (more == 0)
			return 0;
	}
	return !r->after_cut;
}

/* All that is in the log now. */
static int recorder_backlog(struct recorder *r, struct err *e)
{
	uint64_t until = clock_boot() + LOG_FINISH_NS;
	int more;

	do
		more = recorder_drain(r, e);
	while (more > 0 && clock_boot() < until);
	return more < 0 ? more : 0;
}

static int recorder_run(struct recorder *r, struct err *e)
{
	struct ring_counters *counters = ring_counters(r->ring);
	int more = 0;

	while (!r->live->stopping) {
		uint64_t now = clock_boot();

		if (more <= 0)
			counters->seen_until = now;
		live_wait(r->live, r->after_cut ? -1 : r->fd, more > 0 ? now : now + NS_PER_S);
		more = recorder_drain(r, e);
		if (more < 0)
			return more;
	}
	if (recorder_backlog(r, e) < 0)
		return e->code;
	counters->seen_until = clock_boot();
	return 0;
}

static int log_live(struct source *s, struct live *live, struct err *e)
{
	struct log *log = s->data;
	autoclose int fd = log_open(e);
	struct recorder r = {
		.s = s, .live = live, .ring = log->ring, .fd = fd, .kind = LOG_BEFORE
	};
	int armed;

	if (fd < 0)
		return fd;
	r.last = clock_boot();
	if (recorder_backlog(&r, e) < 0)
		return e->code;
	armed = live_armed(live, SANDBOX_HELD, e);
	if (armed < 0)
		return armed == -ECANCELED ? 0 : armed;
	/* what came while it waited for the start is still from before it */
	if (recorder_backlog(&r, e) < 0)
		return e->code;
	r.kind = LOG_LINE;
	ring_counters(r.ring)->seen_since = clock_boot();
	return recorder_run(&r, e);
}

static void log_free(struct source *s)
{
	struct log *log = s->data;

	if (!log)
		return;
	ring_free(log->ring);
	free(log);
	s->data = NULL;
}

const struct source_ops log_source = {
	.type = "log",
	.decode = log_decode,
	.probe = log_probe,
	.arm = log_arm,
	.live = log_live,
	.save = log_save,
	.free = log_free,
};
