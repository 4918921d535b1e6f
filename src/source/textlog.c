/* The journal, a text file that rotates or what is frozen, from the start on: as a follower hands
 * out its lines. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/ring.h"
#include "base/units.h"
#include "capture/capture.h"
#include "log/follower.h"
#include "log/freezes.h"
#include "process/sandbox.h"
#include "source/live.h"
#include "source/logline.h"
#include "source/logs.h"

#define TEXTLOG_CUT (UINT32_MAX - 1) /* the kind of a record that is no line */
#define TEXTLOG_BATCH 256            /* lines between two looks at the engine */

struct textlog {
	const char *log; /* owned by the spec, or as `made` */
	char *made;      /* what a follower is told, with its ring */
	uint64_t keep;
	struct ring *ring; /* of a record its kind is the level */
};

static int textlog_decode(struct source *s, struct err *e)
{
	struct textlog *t = s->data = calloc(1, sizeof(*t));

	if (!t)
		return err_set(e, "no memory for the log");
	if (log_read(s, &t->log, &t->keep, e) < 0)
		return e->code;
	if (strcmp(t->log, FOLLOWER_JOURNAL) != 0 && strcmp(t->log, FREEZES_LOG) != 0 &&
	    *t->log != '/')
		return err_set(e, "cannot record the log '%s'", t->log);
	return 0;
}

static int textlog_probe(struct source *s, struct cost *cost, struct err *e)
{
	const struct textlog *t = s->data;

	cost->ring_bytes = t->keep;
	cost->kernel_bytes += freezes_is(t->log) ? freezes_ring_bytes() : 0;
	cost->tmpfs_bytes += t->keep;
	cost->output_bytes += 2 * t->keep;
	return follower_probe(t->log, e);
}

static int textlog_arm(struct source *s, struct capture *c, struct err *e)
{
	struct textlog *t = s->data;

	if (freezes_is(t->log) &&
	    freezes_arm(c->ledger, c->tracing, capture_instance(c->state, s->name).text, &t->made,
			e) < 0)
		return e->code;
	t->log = t->made ? t->made : t->log;
	return ring_create(&t->ring, c->state->fd, log_file(s).text, t->keep, e);
}

static void textlog_push(struct source *s, const struct followed *line)
{
	struct textlog *t = s->data;
	const struct ring_record record = { .time = line->time, .kind = line->priority };
	const struct iovec text = { .iov_base = (void *)line->text, .iov_len = line->size };

	ring_push(t->ring, &record, &text, 1);
	s->stats->records++;
	s->stats->bytes += line->size;
	s->stats->overwritten = ring_counters(t->ring)->overwritten;
	s->stats->last = line->time;
}

/* What came between the last mark and the cut may be lost: that is in the log, and no more. */
static void textlog_push_cut(const struct textlog *t, const struct followed *line)
{
	const struct ring_record record = { .time = line->time, .kind = TEXTLOG_CUT };

	ring_push(t->ring, &record, NULL, 0);
}

/* What has come, some of it at a time. Returns 1 if there may be more, -EPIPE if nobody follows the
 * log any more. */
static int textlog_take(struct source *s, struct follower *follower)
{
	const struct textlog *t = s->data;
	struct ring_counters *counters = ring_counters(t->ring);
	struct followed line;
	int more = 1;

	for (int i = 0; i < TEXTLOG_BATCH && (more = follower_next(follower, &line)) > 0; i++) {
		if (line.time < counters->seen_since)
			continue;
		if (line.cut)
			textlog_push_cut(t, &line);
		else if (line.text)
			textlog_push(s, &line);
		else
			counters->seen_until = line.time;
	}
	return more;
}

/* Goes on until all up to the cut has come, or nothing comes. */
static bool textlog_wants_more(const struct textlog *t, const struct live *live, uint64_t until)
{
	return !live->stopping ||
	       (ring_counters(t->ring)->seen_until < stop_cut(live->stop) && clock_boot() < until);
}

static int textlog_record(struct source *s, struct live *live, struct follower *follower,
			  struct err *e)
{
	struct textlog *t = s->data;
	uint64_t until = UINT64_MAX;
	int more = 0;

	ring_counters(t->ring)->seen_since = ring_counters(t->ring)->seen_until = live->since;
	while (textlog_wants_more(t, live, until)) {
		live_wait(live, follower_fd(follower),
			  clock_boot() + (more > 0 ? 0 : FOLLOWER_LATE));
		more = textlog_take(s, follower);
		if (more < 0)
			return err_set(e, "the process that follows the log is gone");
		if (live->stopping && until == UINT64_MAX)
			until = clock_boot() + FOLLOWER_BLIND;
	}
	return 0;
}

static int textlog_live(struct source *s, struct live *live, struct err *e)
{
	const struct textlog *t = s->data;
	struct follower *follower;
	int r;

	if (follower_open(&follower, t->log, FOLLOW_NOW, e) < 0)
		return e->code;
	r = live_armed(live, SANDBOX_HELD, e);
	if (r == 0)
		r = textlog_record(s, live, follower, e);
	follower_close(follower);
	return r == -ECANCELED ? 0 : r;
}

static const char *textlog_cut(const struct textlog *t)
{
	return freezes_is(t->log)
		       ? "the kernel lost some of these calls here"
		       : "the file was cut to nothing here: what had just come to it may be "
			 "missing";
}

static void textlog_write(const struct textlog *t, FILE *out, const struct save *save,
			  const struct ring *ring)
{
	uint64_t cut = save->stop->cut ? save->stop->cut : UINT64_MAX, cursor = 0;
	struct report *report = save->report;
	struct ring_record r;

	fputs("# time (UTC), boot clock, level, text\n", out);
	while (ring_next(ring, &cursor, &r)) {
		const struct logline line = {
			.time = r.time, .level = r.kind, .text = r.data, .size = r.size
		};

		if (cut < UINT64_MAX - FOLLOWER_LATE && r.time > cut + FOLLOWER_LATE)
			break;
		if (r.kind == TEXTLOG_CUT) {
			fprintf(out, "# %s\n", textlog_cut(t));
			continue;
		}
		logline_write(out, save, &line);
		report->records++;
		report->bytes += r.size;
		report->to = r.time > report->to ? r.time : report->to;
	}
}

static void textlog_report(const struct save *save, struct ring *ring)
{
	const struct ring_counters *c = ring_counters(ring);
	struct report *report = save->report;
	uint64_t cut = save->stop->cut ? save->stop->cut : UINT64_MAX;

	report->overwritten = c->overwritten;
	report->from = c->overwritten ? c->overwritten_until + 1 : c->seen_since;
	if (c->seen_until > report->to)
		report->to = c->seen_until < cut ? c->seen_until : cut;
	report->outcome = OUTCOME_OK;
	if (cut == UINT64_MAX || c->seen_until >= cut)
		return;
	report_hole(report, "not read", c->seen_until, cut, 0);
	report->outcome = OUTCOME_PARTIAL;
	snprintf(report->note, sizeof(report->note),
		 "the log was not read up to the stop: its last %s are missing",
		 duration_about(cut - c->seen_until).text);
}

static int textlog_save(struct source *s, struct save *save, struct err *e)
{
	autofclose FILE *out = NULL;
	struct ring *ring = NULL;

	if (ring_open(&ring, save->statedir, log_file(s).text, e) < 0)
		return err_wrap(e, "nothing was recorded");
	out = logline_create(s, save, e);
	if (out && sandbox_enter(SANDBOX_COMPUTE, e) == 0) {
		textlog_write(s->data, out, save, ring);
		textlog_report(save, ring);
		if (ferror(out) || fflush(out) != 0)
			err_sys(e, "cannot write the log");
	}
	ring_free(ring);
	return e->code;
}

static void textlog_free(struct source *s)
{
	struct textlog *t = s->data;

	if (t) {
		ring_free(t->ring);
		free(t->made);
	}
	free(t);
	s->data = NULL;
}

const struct source_ops textlog_source = {
	.type = "textlog",
	.decode = textlog_decode,
	.probe = textlog_probe,
	.arm = textlog_arm,
	.live = textlog_live,
	.save = textlog_save,
	.free = textlog_free,
};
