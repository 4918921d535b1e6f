/* How fast conditions are decided, from recorded pages: judge FILE.dat PLAN.json
 *
 * Reads the file into memory, then shows all of its records to the conditions of the plan, as the
 * process that watches does. Prints the records, how many of them a second of one core takes, and
 * the verdicts. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "auto.h"
#include "eventstream.h"
#include "io.h"
#include "plan.h"
#include "tracedat.h"
#include "units.h"
#include "watchlist.h"

struct pages {
	const struct tracedat *dat;
	size_t *next; /* of each CPU */
};

static enum page pages_fill(void *arg, unsigned cpu, void *page)
{
	struct pages *p = arg;

	if (p->next[cpu] == tracedat_pages(p->dat, cpu))
		return PAGE_END;
	memcpy(page, tracedat_page(p->dat, cpu, p->next[cpu]++),
	       tracedat_layout(p->dat)->page_size);
	return PAGE_READ;
}

static void fired(void *arg, const struct verdict *verdict)
{
	(void)verdict;
	++*(uint64_t *)arg;
}

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/* Shows all of it; returns how many records there were. */
static uint64_t show(struct eventstream *stream, struct watchlist *list, struct judge *judge)
{
	const struct ringpage_record *record;
	uint64_t n = 0, last = 0;
	unsigned cpu;

	eventstream_look(stream, 0);
	while ((record = eventstream_peek(stream, &cpu))) {
		last = record->time;
		watchlist_show(list, judge, cpu, record);
		eventstream_take(stream);
		n++;
	}
	judge_reach(judge, last);
	return n;
}

static int run(int fd, const char *text, struct err *e)
{
	struct tracedat *dat;
	struct tracing *tracing;
	struct plan *plan;
	struct judge *judge;
	struct eventstream *stream;
	struct watchlist *list;
	struct progress progress[BOARD_MAX] = { 0 };
	uint64_t before, n, verdicts = 0;
	struct pages pages;

	if (tracedat_open(&dat, fd, e) < 0 || tracing_open(&tracing, e) < 0 ||
	    plan_parse(&plan, text, e) < 0)
		return e->code;
	for (size_t i = 0; i < plan->n_conditions; i++)
		if (condition_probe(&plan->conditions[i], tracing, e) < 0)
			return e->code;
	pages = (struct pages) { dat, calloc(tracedat_cpus(dat) + 1, sizeof(size_t)) };
	if (judge_create(&judge, plan->conditions, plan->n_conditions, progress, e) < 0 ||
	    judge_begin(judge, 0, 0, fired, &verdicts, e) < 0 ||
	    watchlist_create(&list, plan->selectors, plan->n_selectors, -1, true, e) < 0 ||
	    eventstream_create(&stream, tracedat_layout(dat), tracedat_cpus(dat), pages_fill,
			       &pages, e) < 0)
		return e->code;
	before = cpu_ns();
	n = show(stream, list, judge);
	before = cpu_ns() - before;
	printf("%llu %.0f %llu\n", (unsigned long long)n, n * 1e9 / before,
	       (unsigned long long)verdicts);
	return 0;
}

int main(int argc, char **argv)
{
	struct err e = ERR_INIT;
	autofree char *text = NULL;
	int fd;

	if (argc != 3)
		return fprintf(stderr, "it is called with: FILE.dat PLAN.json\n"), 2;
	fd = open(argv[1], O_RDONLY);
	if (fd >= 0 && io_read_file(AT_FDCWD, argv[2], 1 << 20, &text, NULL, &e) == 0 &&
	    run(fd, text, &e) == 0)
		return 0;
	fprintf(stderr, "judge: %s\n", fd < 0 ? "cannot open the file" : e.text);
	return 1;
}
