#include "source/watched.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/sysinfo.h>

#include "capture/capture.h"
#include "plan/plan.h"

#define KEEP (4u << 20) /* bytes of each ring */
/* Of the watch instance, which holds only what the kernel has filtered: of each CPU, and in all
 * where a condition may want each of many. */
#define WATCH_KB 64
#define WATCH_MANY_KB 16384u

static int watched_observe(struct source *s, const struct plan *plan, enum stream stream,
			   struct err *e)
{
	struct watched *w = s->data = calloc(1, sizeof(*w));

	if (!w)
		return err_set(e, "no memory");
	*w = (struct watched) { .plan = plan, .stream = stream };
	snprintf(w->ring_file, sizeof(w->ring_file), "%s.ring", plan_watched_names[stream]);
	return 0;
}

unsigned watched_buffer_kb(const struct plan *plan)
{
	unsigned each = WATCH_MANY_KB / get_nprocs_conf();

	for (size_t i = 0; i < plan->n_conditions; i++)
		if (plan->conditions[i].ops != &seen_condition)
			return each > WATCH_KB ? each : WATCH_KB;
	return WATCH_KB;
}

static uint64_t watched_taps_bytes(const struct plan *plan)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < plan->n_selectors; i++)
		if (plan->selectors[i]->ops->stream == STREAM_PACKETS)
			bytes += WATCHED_TAP_BUFFER;
	return bytes;
}

/* With what the kernel keeps until it is looked at. */
static int watched_probe(struct source *s, struct cost *cost, struct err *e)
{
	const struct watched *w = s->data;

	(void)e;
	if (w->stream == STREAM_EVENTS)
		cost->kernel_bytes += watched_buffer_kb(w->plan) * 1024ull * get_nprocs_conf();
	if (w->stream == STREAM_PACKETS)
		cost->kernel_bytes += watched_taps_bytes(w->plan);
	cost->ring_bytes = KEEP;
	cost->tmpfs_bytes += KEEP;
	cost->output_bytes += 2 * KEEP;
	return 0;
}

static int watched_arm(struct source *s, struct capture *c, struct err *e)
{
	struct watched *w = s->data;

	return ring_create(&w->ring, c->state->fd, w->ring_file, KEEP, e);
}

static void watched_stats(struct source *s, struct capture *c)
{
	struct watched *w = s->data;
	const struct ring_counters *counters = w->ring ? ring_counters(w->ring) : NULL;

	(void)c;
	if (!counters)
		return;
	s->stats->records = counters->pushed;
	s->stats->bytes = counters->bytes;
	s->stats->overwritten = counters->overwritten;
	s->stats->lost = counters->lost;
}

static void watched_free(struct source *s)
{
	struct watched *w = s->data;

	if (w)
		ring_free(w->ring);
	free(w);
	s->data = NULL;
}

/* NULL where nothing is kept. */
static struct ring_counters *watched_counters(struct watched *w)
{
	return w && w->ring ? ring_counters(w->ring) : NULL;
}

void watched_begin(struct watched *w, uint64_t since)
{
	struct ring_counters *counters = watched_counters(w);

	if (counters && !counters->seen_since)
		counters->seen_since = counters->seen_until = since;
}

void watched_keep(struct watched *w, const struct observation *o, uint32_t kind)
{
	const struct iovec data = { .iov_base = (void *)o->data, .iov_len = o->size };
	const struct ring_record record = { .time = o->time,
					    .kind = kind,
					    .aux = (uint64_t)(uint32_t)o->link << 32 | o->length };

	if (watched_counters(w))
		ring_push(w->ring, &record, &data, 1);
}

void watched_lost(struct watched *w, uint64_t until)
{
	const struct ring_record hole = { .time = until, .kind = WATCHED_HOLE };
	struct ring_counters *counters = watched_counters(w);

	if (!counters)
		return;
	ring_push(w->ring, &hole, NULL, 0);
	if (!counters->lost_since)
		counters->lost_since = counters->seen_until;
	counters->lost++;
	if (until > counters->lost_until)
		counters->lost_until = until;
}

void watched_reach(struct watched *w, uint64_t now)
{
	struct ring_counters *counters = watched_counters(w);

	if (counters && now > counters->seen_until)
		counters->seen_until = now;
}

const struct source_ops watched_source = {
	.type = "watched",
	.observe = watched_observe,
	.probe = watched_probe,
	.arm = watched_arm,
	.stats = watched_stats,
	.save = watched_save,
	.free = watched_free,
};
