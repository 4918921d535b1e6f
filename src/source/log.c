/* The kernel's log, as /dev/kmsg hands it out: one record a read. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "auto.h"
#include "capture.h"
#include "io.h"
#include "live.h"
#include "ring.h"
#include "source.h"
#include "units.h"

#define LOG_DEVICE "/dev/kmsg"
#define LOG_KEEP_MIN (64u << 10)
#define LOG_KEEP_MAX (1u << 30)
#define LOG_RECORD_MAX 16384             /* the kernel's own limit is 8192 */
#define LOG_HEAD_MAX 200                 /* "6,1234,5678,-,caller=T12" */
#define LOG_BATCH 256                    /* records between two looks at the engine */
#define LOG_UNCERTAIN_NS (5 * NS_PER_MS) /* how far a line's time can be off */
#define LOG_AGE_NS (10 * NS_PER_S)       /* how long two clocks are taken to run alike */
#define LOG_FINISH_NS (2 * NS_PER_S)     /* how long the end may take */

/* What a record in the ring is. Its time is when it was read, its data what the kernel wrote. */
enum log_kind {
	LOG_LINE,   /* aux: the kernel's stamp, ns of the printk clock */
	LOG_BEFORE, /* the same, written before the start */
	LOG_HOLE, /* aux: how many records are missing; data: uint64_t, when the last one before was
		     read */
};

struct log {
	uint64_t keep;
	struct ring *ring;
};

struct kmsg {
	unsigned int priority;
	uint64_t sequence;
	uint64_t stamp_ns;
	bool continued;   /* goes on with the line before */
	const char *text; /* escaped as the kernel does it */
	size_t size;
};

/* Reads "PRIORITY,SEQUENCE,MICROSECONDS,FLAG[,...];TEXT\n KEY=VALUE\n..."; false if it is not that.
 */
static bool kmsg_parse(const char *data, size_t size, struct kmsg *k)
{
	const char *semicolon = memchr(data, ';', size < LOG_HEAD_MAX ? size : LOG_HEAD_MAX);
	char head[LOG_HEAD_MAX + 1], flag;
	const char *newline;
	uint64_t us;

	if (!semicolon)
		return false;
	snprintf(head, sizeof(head), "%.*s", (int)(semicolon - data), data);
	if (sscanf(head, "%u,%" SCNu64 ",%" SCNu64 ",%c", &k->priority, &k->sequence, &us, &flag) !=
	    4)
		return false;
	k->stamp_ns = us * NS_PER_US;
	k->continued = flag == 'c';
	k->text = semicolon + 1;
	k->size = size - (k->text - data);
	newline = memchr(k->text, '\n', k->size);
	if (newline)
		k->size = newline - k->text;
	return true;
}

/* When a line was written, by when it was read: the least delay of late is the best guess at the
 * clocks' distance. */
struct log_clock {
	uint64_t distance; /* boot - printk */
	uint64_t when;     /* boot clock, when it was found; 0: never */
};

static uint64_t log_clock_boot(struct log_clock *clock, uint64_t read, uint64_t stamp_ns)
{
	uint64_t distance = read - stamp_ns;

	if (!clock->when || read - clock->when > LOG_AGE_NS ||
	    (int64_t)(distance - clock->distance) < 0) {
		clock->distance = distance;
		clock->when = read;
	}
	return stamp_ns + clock->distance;
}

static bool log_after(uint64_t time, uint64_t cut)
{
	return cut < UINT64_MAX - LOG_UNCERTAIN_NS && time > cut + LOG_UNCERTAIN_NS;
}

static struct unit_text log_file(const struct source *s)
{
	struct unit_text name;

	snprintf(name.text, sizeof(name.text), "log-%u.ring", s->index);
	return name;
}

static int log_decode(struct source *s, struct err *e)
{
	json_int_t keep = 4 << 20;
	const char *which;
	struct log *log;
	json_error_t where;

	if (json_unpack_ex((json_t *)s->spec, &where, 0, "{s:s, s?I}", "log", &which, "keep",
			   &keep) < 0)
		return err_set(e, "a log is not well-formed: %s", where.text);
	if (strcmp(which, "kernel") != 0)
		return err_set(e, "cannot record the log '%s', only 'kernel'", which);
	if (keep < LOG_KEEP_MIN || keep > LOG_KEEP_MAX)
		return err_set(e, "'keep' of a log is from %s to %s", size_text(LOG_KEEP_MIN).text,
			       size_text(LOG_KEEP_MAX).text);
	if (!s->name || !*s->name || strlen(s->name) > 64 || strchr(s->name, '/'))
		return err_set(e, "the name of a log can have no '/' and up to 64 bytes");
	s->data = log = calloc(1, sizeof(*log));
	if (!log)
		return err_set(e, "no memory for the log");
	log->keep = keep;
	return 0;
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

struct writer {
	const struct save *save;
	FILE *out;
	uint64_t cut;
	struct log_clock clock;
	bool before; /* the last line was from before the start */
};

static const char *const log_levels[] = {
	"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug",
};

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? at - digits : -1;
}

/* The byte of the "\xNN" that TEXT begins with, -1 if it does not. */
static int kmsg_escape(const char *text, size_t size)
{
	int high, low;

	if (size < 4 || text[0] != '\\' || text[1] != 'x')
		return -1;
	high = hex_digit(text[2]);
	low = hex_digit(text[3]);
	return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* Undoes the kernel's escapes, but for bytes that would speak to a terminal; each line of a record
 * gets the PREFIX. */
static void writer_text(struct writer *w, const char *prefix, const struct kmsg *k)
{
	fputs(prefix, w->out);
	if (k->continued)
		fputs("... ", w->out);
	for (size_t i = 0; i < k->size; i++) {
		int escaped = kmsg_escape(k->text + i, k->size - i);
		int c = escaped < 0 ? (unsigned char)k->text[i] : escaped;

		if (escaped == '\n')
			fprintf(w->out, "\n%s", prefix);
		else if ((c < ' ' && c != '\t') || c == 0x7f)
			fprintf(w->out, "\\x%02x", c);
		else
			fputc(c, w->out);
		i += escaped < 0 ? 0 : 3;
	}
	fputc('\n', w->out);
}

static void writer_line(struct writer *w, const struct ring_record *r, const struct kmsg *k)
{
	uint64_t time = anchors_printk(w->save->anchors, w->save->n_anchors, k->stamp_ns);
	struct report *report = w->save->report;
	uint64_t written = time;
	char prefix[128];

	if (!written)
		written = r->kind == LOG_LINE ? log_clock_boot(&w->clock, r->time, k->stamp_ns)
					      : r->time;
	if (log_after(written, w->cut))
		return;
	if (!time)
		time = r->time;
	if (w->before && r->kind == LOG_LINE)
		fputs("# the recording started here\n", w->out);
	w->before = r->kind == LOG_BEFORE;
	snprintf(prefix, sizeof(prefix), "%s %" PRIu64 ".%09" PRIu64 " %-7s ",
		 clock_utc(save_wall(w->save, time)).text, (uint64_t)(time / NS_PER_S),
		 (uint64_t)(time % NS_PER_S), log_levels[k->priority & 7]);
	writer_text(w, prefix, k);
	report->records++;
	report->bytes += r->size;
	report->from = report->from ? report->from : time;
	report->to = time > report->to ? time : report->to;
}

static void writer_hole(struct writer *w, const struct ring_record *r)
{
	uint64_t since = r->time;

	if (r->size == sizeof(since))
		memcpy(&since, r->data, sizeof(since));
	if (since > w->cut)
		return;
	fprintf(w->out, "# %" PRIu64 " records are missing here: the kernel had overwritten them\n",
		r->aux);
	report_hole(w->save->report, "kernel log", since, r->time, r->aux);
}

static void writer_ring(struct writer *w, const struct ring *ring)
{
	struct ring_record r;
	uint64_t cursor = 0;
	struct kmsg k;

	fputs("# time (UTC), boot clock, level, text\n", w->out);
	if (!anchors_printk(w->save->anchors, w->save->n_anchors, 1))
		fputs("# the log's own clock is not known: the times are when a line was read\n",
		      w->out);
	while (ring_next(ring, &cursor, &r)) {
		if (r.kind == LOG_HOLE)
			writer_hole(w, &r);
		else if (kmsg_parse(r.data, r.size, &k))
			writer_line(w, &r, &k);
	}
}

static void writer_conclude(struct writer *w, struct ring *ring)
{
	const struct ring_counters *counters = ring_counters(ring);
	struct report *report = w->save->report;

	report->overwritten = counters->overwritten;
	report->outcome = OUTCOME_OK;
	if (!report->from)
		report->from = counters->seen_since;
	if (counters->seen_until > report->to)
		report->to = counters->seen_until < w->cut ? counters->seen_until : w->cut;
	if (report->lost) {
		report->outcome = OUTCOME_PARTIAL;
		snprintf(report->note, sizeof(report->note),
			 "the kernel has overwritten %" PRIu64 " records before they could be read",
			 report->lost);
	}
	if (w->cut < UINT64_MAX && counters->seen_until + NS_PER_S < w->cut) {
		report_hole(report, "its process had ended", report->to, w->cut, 0);
		report->outcome = OUTCOME_PARTIAL;
		snprintf(report->note, sizeof(report->note),
			 "the log ends before the stop: its process had ended");
	}
}

static int log_write(FILE *out, struct save *save, struct ring *ring, struct err *e)
{
	struct writer w = { .save = save,
			    .out = out,
			    .cut = save->stop->cut ? save->stop->cut : UINT64_MAX };

	if (sandbox_enter(SANDBOX_COMPUTE, e) < 0)
		return e->code;
	writer_ring(&w, ring);
	if (ferror(out) || fflush(out) != 0)
		return err_sys(e, "cannot write the log");
	writer_conclude(&w, ring);
	return 0;
}

static FILE *log_output(const struct source *s, const struct save *save, struct err *e)
{
	autofree char *path = NULL;
	autoclose int fd = -1;
	FILE *out;

	if (io_make_dirs(save->outdir, "logs", e) < 0)
		return NULL;
	if (asprintf(&path, "logs/%s.log", s->name) < 0) {
		err_set(e, "no memory for the name of the log");
		return NULL;
	}
	fd = io_create(save->outdir, path, e);
	if (fd < 0)
		return NULL;
	out = fdopen(fd, "w");
	if (out)
		take_fd(&fd);
	else
		err_sys(e, "cannot write '%s'", path);
	return out;
}

static int log_save(struct source *s, struct save *save, struct err *e)
{
	autofclose FILE *out = NULL;
	struct ring *ring = NULL;
	int r;

	if (ring_open(&ring, save->statedir, log_file(s).text, e) < 0)
		return err_wrap(e, "nothing was recorded");
	out = log_output(s, save, e);
	r = out ? log_write(out, save, ring, e) : e->code;
	ring_free(ring);
	return r;
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
