#include "trace/tracedat.h"

#include <errno.h>
#include <stdlib.h>

#include "base/auto.h"

/* One CPU on its way through its pages. */
struct lane {
	unsigned cpu;
	size_t page;
	size_t n_pages;
	struct ringpage ring;
	bool first;  /* the next record is the CPU's first */
	bool missed; /* before the next record */
	uint64_t missed_count;
	struct tracedat_record next;
};

struct tracedat_walk {
	const struct tracedat *dat;
	struct lane *lanes;
	unsigned n_lanes;
	struct lane **heap; /* those that have a next record, the earliest first */
	unsigned n_heap;
};

static void page_open(const struct tracedat_walk *walk, struct lane *lane, size_t page)
{
	lane->page = page;
	ringpage_open(&lane->ring, tracedat_layout(walk->dat),
		      tracedat_page(walk->dat, lane->cpu, page));
	/* before the first page of all is only what the ring has overwritten */
	if (page && lane->ring.missed) {
		lane->missed = true;
		lane->missed_count += lane->ring.missed_count;
	}
}

static void record_take(struct lane *lane, const struct ringpage_record *record)
{
	lane->next = (struct tracedat_record) {
		.cpu = lane->cpu,
		.time = record->time,
		.data = record->data,
		.size = record->size,
		.missed = lane->missed,
		.missed_count = lane->missed_count,
		.first = lane->first,
	};
	lane->first = false;
	lane->missed = false;
	lane->missed_count = 0;
}

/* False at the end. */
static bool lane_advance(const struct tracedat_walk *walk, struct lane *lane)
{
	struct ringpage_record record;
	int r;

	while ((r = ringpage_next(&lane->ring, &record)) <= 0) {
		lane->missed |= r < 0;
		if (lane->page + 1 >= lane->n_pages)
			return false;
		page_open(walk, lane, lane->page + 1);
	}
	record_take(lane, &record);
	return true;
}

/* How many pages of a CPU begin before TIME. */
static size_t pages_before(const struct tracedat *dat, unsigned cpu, uint64_t time)
{
	size_t low = 0;
	size_t high = tracedat_pages(dat, cpu);

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ringpage_time(tracedat_layout(dat), tracedat_page(dat, cpu, middle)) < time)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool lane_seek(const struct tracedat_walk *walk, struct lane *lane, uint64_t time)
{
	size_t before = pages_before(walk->dat, lane->cpu, time);

	lane->first = before <= 1;
	lane->missed = false;
	lane->missed_count = 0;
	if (!lane->n_pages)
		return false;
	page_open(walk, lane, before ? before - 1 : 0);
	do {
		if (!lane_advance(walk, lane))
			return false;
	} while (lane->next.time < time);
	return true;
}

static bool lane_earlier(const struct lane *a, const struct lane *b)
{
	return a->next.time != b->next.time ? a->next.time < b->next.time : a->cpu < b->cpu;
}

static void heap_sink(struct tracedat_walk *walk, unsigned at)
{
	struct lane **heap = walk->heap;
	struct lane *lane = heap[at];
	unsigned child;

	while ((child = 2 * at + 1) < walk->n_heap) {
		if (child + 1 < walk->n_heap && lane_earlier(heap[child + 1], heap[child]))
			child++;
		if (!lane_earlier(heap[child], lane))
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = lane;
}

void tracedat_walk_seek(struct tracedat_walk *walk, uint64_t time)
{
	unsigned i;

	walk->n_heap = 0;
	for (i = 0; i < walk->n_lanes; i++) {
		if (lane_seek(walk, &walk->lanes[i], time))
			walk->heap[walk->n_heap++] = &walk->lanes[i];
	}
	for (i = walk->n_heap / 2; i-- > 0;)
		heap_sink(walk, i);
}

int tracedat_walk_next(struct tracedat_walk *walk, struct tracedat_record *record)
{
	struct lane *lane;

	if (!walk->n_heap)
		return 0;
	lane = walk->heap[0];
	*record = lane->next;
	if (!lane_advance(walk, lane))
		walk->heap[0] = walk->heap[--walk->n_heap];
	if (walk->n_heap)
		heap_sink(walk, 0);
	return 1;
}

/* How much a page brings towards what is wanted, of its part before TIME. */
typedef uint64_t weigh_fn(const struct ringpage_layout *layout, const void *page, uint64_t time);

static uint64_t weigh_bytes(const struct ringpage_layout *layout, const void *page, uint64_t time)
{
	(void)time;
	return ringpage_used(layout, page);
}

static uint64_t weigh_records(const struct ringpage_layout *layout, const void *page, uint64_t time)
{
	struct ringpage_record record;
	struct ringpage walk;
	uint64_t n = 0;

	ringpage_open(&walk, layout, page);
	while (ringpage_next(&walk, &record) > 0)
		n += record.time < time;
	return n;
}

/* The lane with the latest page that is not counted yet; lane->page is the number of those left. */
static struct lane *lane_latest(const struct tracedat_walk *walk, uint64_t *latest)
{
	const struct ringpage_layout *layout = tracedat_layout(walk->dat);
	struct lane *found = NULL;
	unsigned i;

	for (i = 0; i < walk->n_lanes; i++) {
		struct lane *lane = &walk->lanes[i];
		uint64_t time;

		if (!lane->page)
			continue;
		time = ringpage_time(layout, tracedat_page(walk->dat, lane->cpu, lane->page - 1));
		if (!found || time > *latest) {
			found = lane;
			*latest = time;
		}
	}
	return found;
}

/* Takes pages from TIME backwards until they weigh WANT. Returns the stamp of the last one, 0 if
 * all are not enough. */
static uint64_t time_back(struct tracedat_walk *walk, uint64_t time, uint64_t want, weigh_fn *weigh)
{
	const struct ringpage_layout *layout = tracedat_layout(walk->dat);
	uint64_t start = time;
	uint64_t sum = 0;
	unsigned i;

	for (i = 0; i < walk->n_lanes; i++)
		walk->lanes[i].page = pages_before(walk->dat, walk->lanes[i].cpu, time);
	while (sum < want) {
		struct lane *lane = lane_latest(walk, &start);

		if (!lane)
			return 0;
		lane->page--;
		sum += weigh(layout, tracedat_page(walk->dat, lane->cpu, lane->page), time);
	}
	return start;
}

uint64_t tracedat_walk_seek_bytes(struct tracedat_walk *walk, uint64_t bytes, uint64_t time)
{
	uint64_t start = time_back(walk, time, bytes, weigh_bytes);

	tracedat_walk_seek(walk, start);
	return start;
}

/* The pages taken have N records, but not only the last N: the page before each of them can reach
 * into their time. */
void tracedat_walk_seek_last(struct tracedat_walk *walk, uint64_t n, uint64_t time)
{
	uint64_t start = time_back(walk, time, n, weigh_records);
	struct tracedat_record record;
	uint64_t count = 0;

	tracedat_walk_seek(walk, start);
	while (tracedat_walk_next(walk, &record) && record.time < time)
		count++;
	tracedat_walk_seek(walk, start);
	while (count > n && tracedat_walk_next(walk, &record))
		count--;
}

static void auto_walk(struct tracedat_walk **walk)
{
	tracedat_walk_close(*walk);
}

int tracedat_walk_open(struct tracedat_walk **ret, const struct tracedat *dat, struct err *e)
{
	__attribute__((cleanup(auto_walk))) struct tracedat_walk *walk = calloc(1, sizeof(*walk));
	unsigned i;

	if (!walk)
		return err_set(e, "out of memory to read a trace.dat");
	walk->dat = dat;
	walk->n_lanes = tracedat_cpus(dat);
	walk->lanes = calloc(walk->n_lanes + 1, sizeof(*walk->lanes));
	walk->heap = calloc(walk->n_lanes + 1, sizeof(struct lane *));
	if (!walk->lanes || !walk->heap)
		return err_set(e, "out of memory to read a trace.dat");
	for (i = 0; i < walk->n_lanes; i++) {
		walk->lanes[i].cpu = i;
		walk->lanes[i].n_pages = tracedat_pages(dat, i);
	}
	tracedat_walk_seek(walk, 0);
	*ret = take_ptr(walk);
	return 0;
}

void tracedat_walk_close(struct tracedat_walk *walk)
{
	if (!walk)
		return;
	free(walk->lanes);
	free(walk->heap);
	free(walk);
}
