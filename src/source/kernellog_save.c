/* Saving the kernel's log. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/ring.h"
#include "process/sandbox.h"
#include "source/kmsg.h"
#include "source/logline.h"
#include "source/logs.h"

struct writer {
	const struct save *save;
	FILE *out;
	uint64_t cut;
	struct log_clock clock;
	bool before; /* the last line was from before the start */
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

/* Undoes the kernel's escapes. Returns the bytes. */
static size_t kmsg_text(const struct kmsg *k, char *text)
{
	size_t n = 0;

	for (size_t i = 0; i < k->size && n < LOG_RECORD_MAX; i++) {
		int escaped = kmsg_escape(k->text + i, k->size - i);

		text[n++] = escaped < 0 ? k->text[i] : (char)escaped;
		i += escaped < 0 ? 0 : 3;
	}
	return n;
}

static void writer_line(struct writer *w, const struct ring_record *r, const struct kmsg *k)
{
	uint64_t time = anchors_printk(w->save->anchors, w->save->n_anchors, k->stamp_ns);
	struct report *report = w->save->report;
	uint64_t written = time;
	char text[LOG_RECORD_MAX];
	struct logline line = { .level = k->priority & 7, .continued = k->continued, .text = text };

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
	line.time = time;
	line.size = kmsg_text(k, text);
	logline_write(w->out, w->save, &line);
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

int log_save(struct source *s, struct save *save, struct err *e)
{
	autofclose FILE *out = NULL;
	struct ring *ring = NULL;
	int r;

	if (ring_open(&ring, save->statedir, log_file(s).text, e) < 0)
		return err_wrap(e, "nothing was recorded");
	out = logline_create(s, save, e);
	r = out ? log_write(out, save, ring, e) : e->code;
	ring_free(ring);
	return r;
}
