#include "source/watched.h"

#include <stdio.h>
#include <stdlib.h>

#include "capture/capture.h"
#include "watch/packetstream.h"
#include "watch/watch.h"

#define KEEP (4u << 20) /* bytes of each ring */

const char *const watched_names[STREAMS] = {
	[STREAM_EVENTS] = "watched-events",
	[STREAM_PACKETS] = "watched-packets",
	[STREAM_READINGS] = "watched-readings",
};

int watched_make(struct source *s, const struct plan *plan, enum stream stream, struct err *e)
{
	struct watched *w = s->data = calloc(1, sizeof(*w));

	if (!w)
		return err_set(e, "no memory");
	*w = (struct watched) { .plan = plan, .stream = stream };
	snprintf(w->ring_file, sizeof(w->ring_file), "%s.ring", watched_names[stream]);
	return 0;
}

/* With what the kernel keeps until it is looked at. */
static int watched_probe(struct source *s, struct cost *cost, struct err *e)
{
	const struct watched *w = s->data;

	(void)e;
	if (w->stream == STREAM_EVENTS)
		cost->kernel_bytes += watch_ring_bytes(w->plan);
	if (w->stream == STREAM_PACKETS)
		cost->kernel_bytes += packetstream_bytes(w->plan->selectors, w->plan->n_selectors);
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
	.probe = watched_probe,
	.arm = watched_arm,
	.stats = watched_stats,
	.save = watched_save,
	.free = watched_free,
};
