#include "watch/readings.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/units.h"
#include "log/follower.h"
#include "reader/reader.h"
#include "selector/reading.h"

#define PATHS_MAX 65536 /* bytes of paths that are known of one pattern */
#define LINES_MAX 256   /* of a log, between two looks at the rest */

/* One selector's. */
struct lane {
	const struct selector *selector;
	const struct reading_selector *reading;
	uint64_t due; /* the next reading */
	bool asked;
	struct follower *follower; /* of lines: */
	uint64_t marked;           /* boot clock: all up to then has come */
	bool behind;               /* there is more than was taken */
	bool blind;                /* it has not been at the end for too long */
	int fd;                    /* of pressure, of lines */
	struct pollfd *polled;     /* the kernel tells it once, to whoever polls first */
	char *known; /* of paths: those that were there, each ended by a NUL; NULL before the first
			reading */
	size_t known_size;
};

/* What came in and was not shown yet. */
struct queued {
	struct observation o;
	const struct selector *selector;
	char *data;
	struct queued *next;
};

struct readings {
	struct lane *lanes;
	size_t n;
	struct reader *reader;
	struct queued *first, **last;
	uint64_t now;
	const char *fault;
	bool missed;
};

static int lane_open(struct lane *lane, const struct selector *selector, enum follow follow,
		     struct err *e)
{
	const struct reading_selector *reading = selector->data;

	*lane = (struct lane) { .selector = selector, .reading = reading, .fd = -1 };
	if (reading->kind == READING_PRESSURE)
		lane->fd = pressure_open(reading, e);
	else if (reading->kind == READING_LINES &&
		 follower_open(&lane->follower, reading->path, follow, e) == 0)
		lane->fd = follower_fd(lane->follower);
	lane->marked = clock_boot();
	return e->code;
}

/* One that cannot be opened costs itself; the first error is kept. */
static void lanes_open(struct readings *r, struct selector *const *selectors, size_t n,
		       enum follow follow, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		struct err one = ERR_INIT;

		if (selectors[i]->ops->stream != STREAM_READINGS)
			continue;
		if (lane_open(&r->lanes[r->n++], selectors[i], follow, &one) == 0 || e->code < 0)
			continue;
		*e = one;
		err_wrap(e, "%s", selectors[i]->at);
	}
}

int readings_open(struct readings **ret, const struct plan *plan, enum follow follow, struct err *e)
{
	const struct reader_setup setup = { .fsfreeze_safe = plan->fsfreeze_safe,
					    .helpers = READER_HELPERS,
					    .max = READING_TEXT - 1 };
	struct readings *r = calloc(1, sizeof(*r));

	if (!r || !(r->lanes = calloc(plan->n_selectors + 1, sizeof(*r->lanes)))) {
		free(r);
		return err_set(e, "no memory");
	}
	r->last = &r->first;
	lanes_open(r, plan->selectors, plan->n_selectors, follow, e);
	if (r->n == 0 || reader_create(&r->reader, &setup, e) < 0) {
		readings_close(r);
		return e->code;
	}
	*ret = r;
	return e->code;
}

void readings_close(struct readings *r)
{
	if (!r)
		return;
	while (r->first)
		readings_take(r);
	for (size_t i = 0; i < r->n; i++) {
		if (r->lanes[i].fd >= 0 && !r->lanes[i].follower)
			close(r->lanes[i].fd);
		follower_close(r->lanes[i].follower);
		free(r->lanes[i].known);
	}
	reader_free(r->reader);
	free(r->lanes);
	free(r);
}

size_t readings_fds(struct readings *r, struct pollfd *fds)
{
	size_t n = 0;

	fds[n++] = (struct pollfd) { .fd = reader_fd(r->reader), .events = POLLIN };
	for (size_t i = 0; i < r->n; i++) {
		if (r->lanes[i].fd < 0)
			continue;
		fds[n] = (struct pollfd) { .fd = r->lanes[i].fd,
					   .events = r->lanes[i].follower ? POLLIN : POLLPRI };
		r->lanes[i].polled = &fds[n++];
	}
	return n;
}

/* With a NUL behind it, so that it can be read as text. */
static void readings_queue(struct readings *r, const struct lane *lane, const char *data,
			   size_t size)
{
	struct queued *queued = calloc(1, sizeof(*queued));

	if (!queued || !(queued->data = malloc(size + 1))) {
		free(queued);
		return;
	}
	memcpy(queued->data, data, size);
	queued->data[size] = '\0';
	queued->selector = lane->selector;
	queued->o = (struct observation) { .time = r->now,
					   .cpu = UINT32_MAX,
					   .pid = -1,
					   .data = (const uint8_t *)queued->data,
					   .size = size };
	*r->last = queued;
	r->last = &queued->next;
}

static bool paths_have(const char *paths, size_t size, const char *path)
{
	for (const char *at = paths; at < paths + size; at += strlen(at) + 1)
		if (!strcmp(at, path))
			return true;
	return false;
}

/* Those that were not among the last ones; what is there at the first reading was there before. */
static void lane_compare_paths(struct readings *r, struct lane *lane, const struct reader_answer *a)
{
	size_t size = a->size;
	char *now;

	if (a->truncated || size > PATHS_MAX) /* which of them are new cannot be told */
		return;
	for (const char *at = a->data; lane->known && at < a->data + size; at += strlen(at) + 1)
		if (!paths_have(lane->known, lane->known_size, at))
			readings_queue(r, lane, at, strlen(at));
	now = malloc(size + 1);
	if (!now)
		return;
	memcpy(now, a->data, size);
	now[size] = '\0';
	free(lane->known);
	lane->known = now;
	lane->known_size = size;
}

static void readings_take_answers(struct readings *r)
{
	struct reader_answer a;

	while (reader_next(r->reader, &a)) {
		struct lane *lane = &r->lanes[a.tag];

		lane->asked = false;
		if (lane->reading->kind == READING_FILE && a.error)
			readings_queue(r, lane, "", 0); /* it has no number now */
		if (a.error)
			continue;
		if (lane->reading->kind == READING_PATHS)
			lane_compare_paths(r, lane, &a);
		else
			readings_queue(r, lane, a.data, a.size);
	}
}

static void lane_look_at_pressure(struct readings *r, const struct lane *lane)
{
	/* with an error, its cgroup is gone */
	if (lane->polled && (lane->polled->revents & (POLLPRI | POLLERR)) == POLLPRI)
		readings_queue(r, lane, "", 0);
	if (lane->polled && lane->polled->revents & POLLERR)
		lane->polled->fd = -1;
	if (lane->polled)
		lane->polled->revents = 0;
}

static void lane_take_line(struct readings *r, struct lane *lane, const struct followed *line)
{
	const struct observation o = { .data = (const uint8_t *)line->text, .size = line->size };

	if (line->cut)
		r->missed = true;
	else if (!line->text)
		lane->marked = line->time;
	else if (lane->selector->ops->match(lane->selector, &o)) /* only that is kept */
		readings_queue(r, lane, line->text, line->size);
}

/* Some at a time: others have to be looked at too. */
static void lane_take_lines(struct readings *r, struct lane *lane)
{
	struct followed line;
	int more = 1;

	for (int i = 0; i < LINES_MAX && (more = follower_next(lane->follower, &line)) > 0; i++)
		lane_take_line(r, lane, &line);
	lane->behind = more > 0;
	if (more < 0)
		r->fault = "a process that follows a log for it is gone";
	if (r->now - lane->marked > FOLLOWER_BLIND && !lane->blind)
		r->missed = true;
	lane->blind = r->now - lane->marked > FOLLOWER_BLIND;
}

static void lane_ask(struct readings *r, struct lane *lane)
{
	static const enum reader_op ops[] = {
		[READING_FILE] = READER_READ,
		[READING_PATHS] = READER_GLOB,
		[READING_TASKS] = READER_ASLEEP,
		[READING_MEMBERS] = READER_MEMBERS,
	};

	if (lane->asked || r->now < lane->due || lane->reading->kind == READING_LINES ||
	    lane->reading->kind == READING_PRESSURE)
		return;
	if (reader_ask(r->reader, ops[lane->reading->kind], lane->reading->path, lane - r->lanes) ==
	    0)
		lane->asked = true;
	lane->due = r->now + lane->reading->every;
}

void readings_look(struct readings *r, uint64_t now)
{
	r->now = now;
	readings_take_answers(r);
	for (size_t i = 0; i < r->n; i++) {
		if (r->lanes[i].follower)
			lane_take_lines(r, &r->lanes[i]);
		else if (r->lanes[i].fd >= 0)
			lane_look_at_pressure(r, &r->lanes[i]);
		else
			lane_ask(r, &r->lanes[i]);
	}
}

const char *readings_fault(const struct readings *r)
{
	return r->fault;
}

uint64_t readings_due(const struct readings *r)
{
	uint64_t due = reader_until(r->reader);

	for (size_t i = 0; i < r->n; i++)
		if (r->lanes[i].behind)
			due = 0;
		else if (r->lanes[i].fd < 0 && !r->lanes[i].asked && r->lanes[i].due < due)
			due = r->lanes[i].due;
	return due;
}

const struct observation *readings_peek(const struct readings *r, const struct selector **selector)
{
	if (!r->first)
		return NULL;
	*selector = r->first->selector;
	return &r->first->o;
}

void readings_take(struct readings *r)
{
	struct queued *queued = r->first;

	r->first = queued->next;
	if (!r->first)
		r->last = &r->first;
	free(queued->data);
	free(queued);
}

bool readings_missed(struct readings *r)
{
	bool missed = r->missed;

	r->missed = false;
	return missed;
}

/* A log whose end was reached a moment ago is taken for seen up to now; one that hangs, or is too
 * busy, is waited for until it counts as blind. */
static uint64_t lane_seen(const struct lane *lane, uint64_t now)
{
	if (!lane->follower || lane->blind || now - lane->marked < 2 * FOLLOWER_LATE)
		return now;
	return lane->marked;
}

uint64_t readings_seen(const struct readings *r)
{
	uint64_t seen = r->now;

	if (r->first)
		return r->first->o.time;
	for (size_t i = 0; i < r->n; i++) {
		uint64_t one = lane_seen(&r->lanes[i], r->now);

		seen = one < seen ? one : seen;
	}
	return seen;
}
