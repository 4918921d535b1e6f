#include "trace/eventstream.h"

#include <stdlib.h>

/* One CPU. */
struct lane {
	uint8_t *page;
	struct ringpage walk;
	struct ringpage_record record; /* the next */
	bool has;                      /* one */
	uint64_t seen;                 /* without one: none of before this will come */
};

struct eventstream {
	const struct ringpage_layout *layout;
	struct lane *lanes;
	unsigned n;
	eventstream_page *fill;
	void *arg;
	uint64_t now;
	struct lane *current; /* whose records are the next up to `limit` */
	uint64_t limit;
	bool missed;
	uint64_t missed_to;
};

int eventstream_create(struct eventstream **ret, const struct ringpage_layout *layout,
		       unsigned cpus, eventstream_page *fill, void *arg, struct err *e)
{
	struct eventstream *s = calloc(1, sizeof(*s));

	if (!s)
		return err_set(e, "no memory");
	*s = (struct eventstream) { .layout = layout, .n = cpus, .fill = fill, .arg = arg };
	s->lanes = calloc(cpus + 1, sizeof(*s->lanes));
	for (unsigned cpu = 0; s->lanes && cpu < cpus; cpu++)
		s->lanes[cpu].page = malloc(layout->page_size);
	if (!s->lanes || (cpus && !s->lanes[cpus - 1].page)) {
		eventstream_free(s);
		return err_set(e, "no memory for the pages of %u CPUs", cpus);
	}
	*ret = s;
	return 0;
}

void eventstream_free(struct eventstream *s)
{
	if (!s)
		return;
	for (unsigned cpu = 0; s->lanes && cpu < s->n; cpu++)
		free(s->lanes[cpu].page);
	free(s->lanes);
	free(s);
}

static void lane_note_loss(struct eventstream *s, const struct lane *lane)
{
	if (!lane->walk.missed)
		return;
	s->missed = true;
	if (lane->walk.time > s->missed_to)
		s->missed_to = lane->walk.time;
}

/* The next record, from the page at hand or from those that can be had now. */
static void lane_advance(struct eventstream *s, struct lane *lane)
{
	lane->has = lane->walk.page && ringpage_next(&lane->walk, &lane->record) > 0;
	while (!lane->has) {
		enum page page = s->fill(s->arg, lane - s->lanes, lane->page);

		lane->walk.page = NULL;
		lane->seen = page == PAGE_END ? UINT64_MAX : s->now - EVENTSTREAM_DELAY;
		if (page != PAGE_READ)
			return;
		ringpage_open(&lane->walk, s->layout, lane->page);
		lane_note_loss(s, lane);
		lane->has = ringpage_next(&lane->walk, &lane->record) > 0;
	}
}

void eventstream_look(struct eventstream *s, uint64_t now)
{
	s->now = now;
	for (unsigned cpu = 0; cpu < s->n; cpu++)
		if (!s->lanes[cpu].has)
			lane_advance(s, &s->lanes[cpu]);
	s->current = NULL;
}

static uint64_t lane_limit(const struct lane *lane)
{
	return lane->has ? lane->record.time : lane->seen;
}

/* The lane with the oldest record, and up to when it is the next. */
static void eventstream_choose(struct eventstream *s)
{
	s->current = NULL;
	s->limit = UINT64_MAX;
	for (unsigned cpu = 0; cpu < s->n; cpu++) {
		struct lane *lane = &s->lanes[cpu];

		if (lane->has && (!s->current || lane->record.time < s->current->record.time))
			s->current = lane;
	}
	for (unsigned cpu = 0; s->current && cpu < s->n; cpu++)
		if (&s->lanes[cpu] != s->current && lane_limit(&s->lanes[cpu]) < s->limit)
			s->limit = lane_limit(&s->lanes[cpu]);
}

static bool eventstream_is_next(const struct eventstream *s)
{
	return s->current && s->current->has && s->current->record.time <= s->limit;
}

const struct ringpage_record *eventstream_peek(struct eventstream *s, unsigned *cpu)
{
	if (!eventstream_is_next(s))
		eventstream_choose(s);
	if (!eventstream_is_next(s))
		return NULL;
	*cpu = s->current - s->lanes;
	return &s->current->record;
}

void eventstream_take(struct eventstream *s)
{
	lane_advance(s, s->current);
}

uint64_t eventstream_seen(const struct eventstream *s)
{
	uint64_t seen = UINT64_MAX;

	for (unsigned cpu = 0; cpu < s->n; cpu++)
		if (lane_limit(&s->lanes[cpu]) < seen)
			seen = lane_limit(&s->lanes[cpu]);
	return seen;
}

bool eventstream_waits(const struct eventstream *s)
{
	for (unsigned cpu = 0; cpu < s->n; cpu++)
		if (s->lanes[cpu].has)
			return true;
	return false;
}

bool eventstream_missed(struct eventstream *s, uint64_t *to)
{
	bool missed = s->missed;

	*to = s->missed_to;
	s->missed = false;
	return missed;
}
