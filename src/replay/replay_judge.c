#include "replay/replay_judge.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/auto.h"
#include "replay/replay_choose.h"
#include "replay/replay_list.h"
#include "trace/eventstream.h"
#include "trace/tracedat.h"
#include "watch/testqueue.h"
#include "watch/watchlist.h"

/* One selector of the plan, where its records are. */
struct place {
	struct replay_choice choice;
	struct replay_list list; /* of all but kernel events */
	char unfit[400];         /* why the recording cannot have it; "" if it can */
};

struct replay {
	struct recording *recording;
	struct plan *plan;
	struct luatest *tests;
	struct place *places; /* by the selector's number */
	int comms;            /* an empty file, for the names of tasks */
};

/* A trace.dat, and those that look for events of it. */
struct events {
	struct tracedat *dat;
	struct eventstream *stream;
	struct watchlist *list;
	size_t *pages; /* the next of each CPU */
};

/* One condition's run. */
struct run {
	struct replay *replay;
	struct condition *c;
	struct replayed *result;
	struct place *places[BOARD_MAX];
	size_t n_places;
	struct events events[BOARD_MAX];
	size_t n_events;
	struct judge *judge;
	struct testqueue *queue;
	struct progress progress[BOARD_MAX];
};

/* Opening: */

/* What the host lacks, the condition lacks; what is wrong is the recipe's fault. */
static int place_probe(struct place *place, struct selector *s, struct tracing *tracing,
		       struct err *e)
{
	struct err unknown = ERR_INIT;

	if (selector_probe(s, tracing, &unknown) < 0 && unknown.exit == EXIT_USAGE)
		*e = unknown;
	else if (unknown.code < 0)
		snprintf(place->unfit, sizeof(place->unfit), "%.390s", unknown.text);
	else if (s->ops->stream == STREAM_EVENTS && !s->format)
		snprintf(place->unfit, sizeof(place->unfit), "no event '%.300s' was recorded there",
			 s->probe ? s->probe->event : "");
	return e->code;
}

static int replay_choose_all(struct replay *p, struct err *e)
{
	for (size_t i = 0; i < p->plan->n_selectors; i++) {
		struct place *place = &p->places[i];

		if (place_probe(place, p->plan->selectors[i], p->recording->tracing, e) < 0)
			return e->code;
		if (*place->unfit)
			continue;
		if (replay_choose(&place->choice, p->recording, p->plan->selectors[i], e) < 0 ||
		    replay_list_prepare(&place->list, &place->choice, e) < 0)
			return e->code;
	}
	return 0;
}

static int replay_fetch(struct replay *p, struct err *e)
{
	autofree const char **paths = NULL;
	size_t n = 0, all = 0;

	for (size_t i = 0; i < p->plan->n_selectors; i++)
		all += p->places[i].choice.n_paths;
	paths = calloc(all + 1, sizeof(*paths));
	if (!paths)
		return err_set(e, "no memory");
	for (size_t i = 0; i < p->plan->n_selectors; i++) {
		const struct replay_choice *choice = &p->places[i].choice;

		for (size_t j = 0; j < choice->n_paths; j++) {
			bool twice = false;

			for (size_t k = 0; k < n; k++)
				twice |= !strcmp(paths[k], choice->paths[j]);
			if (!twice)
				paths[n++] = choice->paths[j];
		}
	}
	return recording_fetch(p->recording, paths, n, e);
}

/* What a condition asks for beyond its selectors; a wrong one is the recipe's fault. */
static int replay_probe(struct replay *p, struct err *e)
{
	for (size_t i = 0; i < p->plan->n_conditions; i++) {
		struct condition *c = &p->plan->conditions[i];
		bool unfit = false;

		for (size_t j = 0; j < p->plan->n_selectors; j++)
			for (const struct condition *owner = p->plan->selectors[j]->owner; owner;
			     owner = owner->parent)
				unfit |= owner == c && *p->places[j].unfit;
		if (!unfit && condition_probe(c, p->recording->tracing, e) < 0)
			return e->code;
	}
	return 0;
}

static int replay_teach(struct replay *p, struct err *e)
{
	for (size_t i = 0; i < p->plan->n_selectors; i++) {
		const struct selector *s = p->plan->selectors[i];

		if (s->test && s->format && luatest_learn(p->tests, s->test - 1, s->format, e) < 0)
			return err_wrap(e, "%s", s->at);
	}
	return 0;
}

int replay_open(struct replay **ret, struct recording *recording, struct plan *plan,
		struct luatest *tests, struct err *e)
{
	struct replay *p = calloc(1, sizeof(*p));

	if (!p)
		return err_set(e, "no memory");
	*p = (struct replay) { .recording = recording, .plan = plan, .tests = tests };
	p->comms = memfd_create("comms", MFD_CLOEXEC);
	p->places = calloc(plan->n_selectors + 1, sizeof(*p->places));
	if (!p->places || p->comms < 0)
		err_sys(e, "no memory");
	if (e->code < 0 || replay_choose_all(p, e) < 0 || replay_fetch(p, e) < 0 ||
	    replay_probe(p, e) < 0 || replay_teach(p, e) < 0) {
		replay_close(p);
		return e->code;
	}
	*ret = p;
	return 0;
}

void replay_close(struct replay *p)
{
	if (!p)
		return;
	for (size_t i = 0; p->places && i < p->plan->n_selectors; i++) {
		replay_choice_clear(&p->places[i].choice);
		replay_list_clear(&p->places[i].list);
	}
	free(p->places);
	auto_close(&p->comms);
	free(p);
}

/* One condition: */

static int run_add_places(void *arg, struct condition *c)
{
	struct run *run = arg;

	for (size_t i = 0; i < c->n_selectors; i++) {
		if (run->n_places == BOARD_MAX)
			return -E2BIG;
		run->places[run->n_places++] = &run->replay->places[c->selectors[i].number];
	}
	return 0;
}

/* True if the recording has all of it. The window is what all of it has. */
static bool run_window(struct run *run)
{
	struct replayed *result = run->result;

	result->from = 0;
	result->to = UINT64_MAX;
	for (size_t i = 0; i < run->n_places; i++) {
		const struct place *place = run->places[i];
		const struct replay_choice *choice = &place->choice;

		if (*place->unfit || !choice->n_paths) {
			snprintf(result->missing, sizeof(result->missing), "%s",
				 *place->unfit ? place->unfit : choice->missing);
			return false;
		}
		result->from = choice->from > result->from ? choice->from : result->from;
		result->to = choice->to < result->to ? choice->to : result->to;
	}
	if (result->from < result->to)
		return true;
	snprintf(result->missing, sizeof(result->missing),
		 "there is no time for which all that it looks for was recorded");
	return false;
}

static enum page events_page(void *arg, unsigned cpu, void *page)
{
	struct events *events = arg;

	if (events->pages[cpu] == tracedat_pages(events->dat, cpu))
		return PAGE_END;
	memcpy(page, tracedat_page(events->dat, cpu, events->pages[cpu]++),
	       tracedat_layout(events->dat)->page_size);
	return PAGE_READ;
}

/* One file's behind the other's. */
static int events_comms(const struct replay *p, const struct tracedat *dat, struct err *e)
{
	const struct tracedat_text *text = &tracedat_texts(dat)->saved_cmdlines;

	if (lseek(p->comms, 0, SEEK_END) < 0 || write(p->comms, text->at, text->size) < 0)
		return err_sys(e, "cannot keep the names of tasks");
	return 0;
}

static int events_open(struct run *run, struct events *events, const char *path, struct err *e)
{
	struct selector *selectors[BOARD_MAX];
	int fd = recording_file(run->replay->recording, path);
	size_t n = 0;

	for (size_t i = 0; i < run->n_places; i++)
		if (run->places[i]->choice.kind == REPLAY_EVENTS &&
		    !strcmp(run->places[i]->choice.paths[0], path))
			selectors[n++] = (struct selector *)run->places[i]->choice.selector;
	if (fd < 0)
		return err_set(e, "the bundle has no %s", path);
	if (tracedat_open(&events->dat, fd, e) < 0)
		return err_wrap(e, "%s", path);
	events->pages = calloc(tracedat_cpus(events->dat) + 1, sizeof(*events->pages));
	if (!events->pages)
		return err_set(e, "no memory");
	if (events_comms(run->replay, events->dat, e) < 0 ||
	    watchlist_create(&events->list, selectors, n, run->replay->comms, true, e) < 0)
		return e->code;
	return eventstream_create(&events->stream, tracedat_layout(events->dat),
				  tracedat_cpus(events->dat), events_page, events, e);
}

static bool run_has(const struct run *run, size_t n, const char *path)
{
	for (size_t i = 0; i < n; i++)
		if (run->places[i]->choice.kind == REPLAY_EVENTS &&
		    !strcmp(run->places[i]->choice.paths[0], path))
			return true;
	return false;
}

static int run_open(struct run *run, struct err *e)
{
	if (ftruncate(run->replay->comms, 0) < 0)
		return err_sys(e, "cannot keep the names of tasks");
	for (size_t i = 0; i < run->n_places && e->code == 0; i++) {
		struct place *place = run->places[i];

		if (place->choice.kind != REPLAY_EVENTS) {
			if (!place->list.all)
				replay_list_read(&place->list, run->replay->recording,
						 &place->choice, e);
		} else if (!run_has(run, i, place->choice.paths[0])) {
			events_open(run, &run->events[run->n_events++], place->choice.paths[0], e);
		}
	}
	return e->code;
}

static void run_fired(void *arg, const struct verdict *verdict)
{
	struct run *run = arg;
	struct replayed *result = run->result;

	if (result->n < REPLAY_SHOWN)
		result->fired[result->n] = *verdict;
	result->n++;
}

/* The next of everything: kernel events come before others of the same time, as they do live. */
static bool run_show_next(struct run *run)
{
	const struct ringpage_record *record = NULL;
	const struct observation *o = NULL;
	struct events *events = NULL;
	struct replay_list *list = NULL;
	uint64_t first = UINT64_MAX, lost;
	unsigned cpu = 0, at;

	for (size_t i = 0; i < run->n_events; i++) {
		const struct ringpage_record *next = eventstream_peek(run->events[i].stream, &at);

		if (eventstream_missed(run->events[i].stream, &lost))
			judge_hole(run->judge, STREAM_EVENTS, lost);
		if (next && next->time < first) {
			first = next->time;
			record = next;
			events = &run->events[i];
			cpu = at;
		}
	}
	for (size_t i = 0; i < run->n_places; i++) {
		struct replay_list *next = &run->places[i]->list;

		if (next->next < next->n && next->all[next->next].time < first) {
			list = next;
			o = &next->all[next->next];
			first = o->time;
		}
	}
	if (first > run->result->to)
		return false;
	if (o && first >= run->result->from)
		testqueue_see(run->queue, list->selector, o);
	else if (!o && first >= run->result->from)
		watchlist_show(events->list, run->queue, cpu, record);
	if (o)
		list->next++;
	else
		eventstream_take(events->stream);
	return true;
}

static int run_judge(struct run *run, struct err *e)
{
	struct replay *p = run->replay;
	struct replayed *result = run->result;
	uint64_t started = recording_moment(p->recording, "started", NULL);

	if (run_open(run, e) < 0 || judge_create(&run->judge, run->c, 1, run->progress, e) < 0 ||
	    judge_begin(run->judge, started, result->from, run_fired, run, e) < 0 ||
	    testqueue_create(&run->queue, run->judge, p->tests, p->comms, e) < 0)
		return e->code;
	for (size_t i = 0; i < run->n_events; i++)
		eventstream_look(run->events[i].stream, 0);
	while (run_show_next(run))
		;
	testqueue_reach(run->queue, result->to + 1);
	judge_tell(run->judge);
	snprintf(result->near, sizeof(result->near), "%s", run->progress[run->c->index].near);
	snprintf(result->fault, sizeof(result->fault), "%s", run->progress[run->c->index].fault);
	return 0;
}

static void run_end(struct run *run)
{
	testqueue_free(run->queue);
	judge_free(run->judge);
	for (size_t i = 0; i < run->n_events; i++) {
		eventstream_free(run->events[i].stream);
		watchlist_free(run->events[i].list);
		tracedat_close(run->events[i].dat);
		free(run->events[i].pages);
	}
	for (size_t i = 0; i < run->n_places; i++)
		run->places[i]->list.next = 0;
}

/* The files, and what was not recorded. */
static void run_describe(struct run *run)
{
	size_t size;
	FILE *out = open_memstream(&run->result->of, &size);

	for (size_t i = 0; out && i < run->n_places; i++) {
		const struct replay_choice *choice = &run->places[i]->choice;

		for (size_t j = 0; j < choice->n_paths; j++)
			if (choice->kind != REPLAY_EVENTS || !run_has(run, i, choice->paths[j]))
				fprintf(out, "%s\n", choice->paths[j]);
		if (*choice->remark)
			fprintf(out, "%s\n", choice->remark);
	}
	if (out)
		fclose(out);
}

int replay_condition(struct replay *p, uint32_t index, struct replayed *ret, struct err *e)
{
	struct run run = { .replay = p, .c = &p->plan->conditions[index], .result = ret };

	*ret = (struct replayed) { 0 };
	if (condition_each(run.c, run_add_places, &run) < 0)
		return err_set(e, "%s: it looks for too much for a replay", run.c->at);
	if (!run_window(&run))
		return 0;
	run_describe(&run);
	run_judge(&run, e);
	run_end(&run);
	return e->code;
}

void replayed_clear(struct replayed *replayed)
{
	free(replayed->of);
	replayed->of = NULL;
}
