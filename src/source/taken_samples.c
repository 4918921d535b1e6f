/* What is taken at a rate, into the ring. */
#include "source/taken_live.h"

#include <errno.h>

#include "base/units.h"
#include "capture/stop_record.h"

#define SAMPLES_GLOB_NS NS_PER_S /* how long the answer to a pattern holds */

void samples_lost(struct run *run, uint64_t count, uint64_t from, uint64_t to)
{
	struct ring_counters *counters = ring_counters(run->taken->ring);

	if (!count)
		return;
	counters->lost += count;
	if (!counters->lost_since)
		counters->lost_since = from;
	counters->lost_until = to;
	run->s->stats->lost = counters->lost;
}

/* Patterns that were asked a moment ago are not asked again. */
static void samples_begin(struct run *run, uint64_t now)
{
	queue_begin(run, TAKEN_SAMPLE);
	for (size_t i = 0; i < run->taken->n; i++) {
		const struct taken_item *item = &run->taken->items[i];
		const struct matches *last = &run->matches[i];
		struct job job = { .phase = TAKEN_SAMPLE, .pattern = i, .glob = item->glob };

		if (item->template)
			continue;
		if (item->glob && last->time && now - last->time < SAMPLES_GLOB_NS)
			queue_matches(run, job, last);
		else
			queue_text(run, job, item->text);
	}
	ring_evict_before(run->taken->ring,
			  now > run->taken->keep_ns ? now - run->taken->keep_ns : 0);
}

/* Deadlines are absolute: what was missed is counted, and the next one is where it would have been
 * anyway. */
void samples_tick(struct run *run, uint64_t now)
{
	const struct queue *queue = &run->queues[TAKEN_SAMPLE];
	uint64_t due = run->next;
	uint64_t missed = (now - due) / run->taken->every;
	bool late = queue->next < queue->n;

	run->next = due + (missed + 1) * run->taken->every;
	samples_lost(run, (missed + late) * (queue->n ? queue->n : run->taken->n), due, now);
	if (!late)
		samples_begin(run, now);
}

/* As long as a pattern cannot be asked, what it has matched last counts. */
static void samples_match(struct run *run, struct job job, const struct reader_answer *a)
{
	struct matches *last = &run->matches[job.pattern];
	struct matches found;

	if (a->error) {
		queue_matches(run, job, last);
		return;
	}
	found = names_match(&run->names, a);
	if (found.cut && !last->time)
		job_fail(run, job, job_text(run, job), ENOSPC, "more paths match than can be kept");
	queue_matches(run, job, &found);
	found.ever |= last->ever;
	free(last->numbers);
	*last = found;
}

static void samples_push(struct run *run, struct job job, const struct reader_answer *a)
{
	struct ring_record record = { .time = a->time,
				      .kind = job.number,
				      .aux = job_what(run, job, a) };
	struct iovec data = { .iov_base = (void *)a->data, .iov_len = a->error ? 0 : a->size };
	struct ring *ring = run->taken->ring;

	if (ring_push(ring, &record, &data, 1) < 0) {
		record.aux = EMSGSIZE;
		data.iov_len = 0;
		ring_push(ring, &record, &data, 1);
	}
	run->s->stats->records++;
	run->s->stats->bytes += data.iov_len;
	run->s->stats->overwritten = ring_counters(ring)->overwritten;
	run->s->stats->last = a->time;
}

static void samples_keep(struct run *run, struct job job, const struct reader_answer *a)
{
	if (a->time > stop_cut(run->live->stop))
		return;
	if (run->taken->items[job.pattern].glob &&
	    (a->error == EISDIR || a->error == READER_REFUSED)) {
		run->names.names[job.number].skip = true;
		job_fail(run, job, job_text(run, job), a->error, reader_error_text(a->error));
		return;
	}
	samples_push(run, job, a);
}

void samples_answer(struct run *run, struct job job, const struct reader_answer *a)
{
	if (job.glob)
		samples_match(run, job, a);
	else
		samples_keep(run, job, a);
}

void samples_settle(struct run *run)
{
	if (run->taken->ring && queue_idle(&run->queues[TAKEN_SAMPLE]))
		ring_counters(run->taken->ring)->seen_until = clock_boot();
}

/* A pattern that has matched nothing all the time would else leave no trace. */
void samples_unmatched(struct run *run)
{
	for (size_t i = 0; i < run->taken->n; i++) {
		const struct taken_item *item = &run->taken->items[i];
		struct job job = { .phase = TAKEN_SAMPLE, .pattern = i };

		if (run->taken->every && item->glob && !item->template && !run->matches[i].ever)
			job_fail(run, job, item->text, ENOENT, "no path matches");
	}
}
