/* How fast conditions are decided, from recorded pages: judge FILE.dat RECIPE.lua
 *
 * Reads the file into memory, then shows all of its records to the conditions of the recipe, as the
 * process that watches does. Prints the records, how many of them a second takes, and the verdicts;
 * with a test, the process that runs it and this one wait for each other, so that it is one core's
 * work as well. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "prepare/prepare.h"
#include "trace/eventstream.h"
#include "trace/tracedat.h"
#include "watch/watchlist.h"

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

/* Shows all of it; returns how many records there were. */
static uint64_t show(struct eventstream *stream, struct watchlist *list, struct testqueue *queue)
{
	const struct ringpage_record *record;
	uint64_t n = 0, last = 0;
	unsigned cpu;

	eventstream_look(stream, 0);
	while ((record = eventstream_peek(stream, &cpu))) {
		last = record->time;
		watchlist_show(list, queue, cpu, record);
		eventstream_take(stream);
		n++;
	}
	testqueue_reach(queue, last);
	return n;
}

static int run(int fd, const char *recipe, struct err *e)
{
	const struct options options = { 0 };
	struct prepared p;
	struct luatest *tests = NULL;
	struct script *script = NULL;
	struct tracedat *dat;
	struct plan *plan;
	struct testqueue *queue;
	struct judge *judge;
	struct eventstream *stream;
	struct watchlist *list;
	struct progress progress[BOARD_MAX] = { 0 };
	uint64_t before, n, verdicts = 0;
	struct pages pages;

	if (tracedat_open(&dat, fd, e) < 0 || prepare(&p, &options, &recipe, 1, e) < 0 ||
	    prepare_tests(&p, &recipe, 1, &tests, &script, e) < 0)
		return e->code;
	plan = p.plan;
	for (size_t i = 0; i < plan->n_selectors; i++)
		if (plan->selectors[i]->test && luatest_learn(tests, plan->selectors[i]->test - 1,
							      plan->selectors[i]->format, e) < 0)
			return e->code;
	pages = (struct pages) { dat, calloc(tracedat_cpus(dat) + 1, sizeof(size_t)) };
	if (judge_create(&judge, plan->conditions, plan->n_conditions, progress, e) < 0 ||
	    judge_begin(judge, 0, 0, fired, &verdicts, e) < 0 ||
	    testqueue_create(&queue, judge, tests, -1, e) < 0 ||
	    watchlist_create(&list, plan->selectors, plan->n_selectors, -1, true, e) < 0 ||
	    eventstream_create(&stream, tracedat_layout(dat), tracedat_cpus(dat), pages_fill,
			       &pages, e) < 0)
		return e->code;
	before = clock_boot();
	n = show(stream, list, queue);
	before = clock_boot() - before;
	printf("%llu %.0f %llu\n", (unsigned long long)n, n * 1e9 / before,
	       (unsigned long long)verdicts);
	script_end(script);
	return 0;
}

int main(int argc, char **argv)
{
	struct err e = ERR_INIT;
	int fd;

	if (argc != 3)
		return fprintf(stderr, "it is called with: FILE.dat RECIPE.lua\n"), 2;
	fd = open(argv[1], O_RDONLY);
	if (fd >= 0 && run(fd, argv[2], &e) == 0)
		return 0;
	fprintf(stderr, "judge: %s\n", fd < 0 ? "cannot open the file" : e.text);
	return 1;
}
