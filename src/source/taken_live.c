/* The process of a source that takes something: what is asked when. It opens nothing of the plan's
 * by itself. */
#include "source/taken_live.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "base/auto.h"
#include "base/io.h"
#include "base/units.h"
#include "source/live.h"

#define RUN_NICE (-20)
#define RUN_LOOK_NS (100 * NS_PER_MS) /* how often it looks whether the stop is decided */
#define RUN_FINISH_NS (10 * NS_PER_S) /* how long the last answers may take, beyond a deadline */

static void run_answer(struct run *run, struct job job, const struct reader_answer *a)
{
	if (job.phase == TAKEN_SAMPLE)
		samples_answer(run, job, a);
	else
		snapshot_answer(run, job, a);
}

/* Gives one job away. Returns false if no helper is idle. */
static bool run_ask(struct run *run, struct job job)
{
	struct reader_answer a = { .time = clock_boot(), .data = "" };
	struct name *name = &run->names.names[job.number];
	int r;

	memcpy(&a.tag, &job, sizeof(job));
	if (job.phase == TAKEN_SAMPLE && name->asked) {
		samples_lost(run, 1, a.time, a.time);
		return true;
	}
	r = reader_ask(run->reader, job.glob ? READER_GLOB : run->taken->kind->op,
		       job_text(run, job), a.tag);
	if (r == -EAGAIN)
		return false;
	if (r == 0) {
		run->queues[job.phase].outstanding++;
		name->asked |= job.phase == TAKEN_SAMPLE;
		return true;
	}
	a.error = r == -EBUSY ? READER_TIMEOUT : -r;
	run_answer(run, job, &a);
	return true;
}

/* Samples of files, up to the next pattern, go to one helper together. Returns how many of them
 * could be given away so, 0 if that has to be seen one by one. */
static size_t run_ask_files(struct run *run)
{
	struct queue *queue = &run->queues[TAKEN_SAMPLE];
	const char *paths[READER_FILES_MAX];
	uint64_t tags[READER_FILES_MAX];
	size_t n = 0;
	int given;

	if (run->taken->kind->op != READER_READ)
		return 0;
	for (; n < READER_FILES_MAX && queue->next + n < queue->n; n++) {
		struct job job = queue->jobs[queue->next + n];

		if (job.glob || run->names.names[job.number].asked)
			break;
		paths[n] = job_text(run, job);
		memcpy(&tags[n], &job, sizeof(job));
	}
	given = n ? reader_ask_files(run->reader, paths, tags, n) : 0;
	for (int i = 0; i < given; i++)
		run->names.names[queue->jobs[queue->next + i].number].asked = true;
	queue->outstanding += given > 0 ? given : 0;
	return given > 0 ? given : 0;
}

/* Returns how many jobs it gave away, 0 if no helper is idle. */
static size_t run_give(struct run *run, enum taken_phase phase)
{
	struct queue *queue = &run->queues[phase];
	size_t given = phase == TAKEN_SAMPLE ? run_ask_files(run) : 0;

	return given ? given : run_ask(run, queue->jobs[queue->next]);
}

/* What is taken at the stop goes first: its moment passes. */
static void run_dispatch(struct run *run)
{
	static const enum taken_phase order[] = { TAKEN_STOP, TAKEN_START, TAKEN_SAMPLE };

	for (size_t i = 0; i < countof(order); i++) {
		struct queue *queue = &run->queues[order[i]];

		while (queue->next < queue->n) {
			size_t given = run_give(run, order[i]);

			if (!given)
				return;
			queue->next += given;
		}
	}
}

static void run_drain(struct run *run)
{
	struct reader_answer a;

	while (reader_next(run->reader, &a)) {
		struct job job;

		memcpy(&job, &a.tag, sizeof(job));
		run->queues[job.phase].outstanding--;
		if (job.phase == TAKEN_SAMPLE)
			run->names.names[job.number].asked = false;
		if (a.error == READER_AGAIN)
			queue_again(run, job);
		else
			run_answer(run, job, &a);
		run_dispatch(run);
	}
}

static void run_settle(struct run *run)
{
	snapshot_settle(run, TAKEN_START);
	snapshot_settle(run, TAKEN_STOP);
	samples_settle(run);
}

static void run_stop_begin(struct run *run)
{
	if (run->taken->stop && !run->queues[TAKEN_STOP].round)
		snapshot_begin(run, TAKEN_STOP);
}

static uint64_t run_wake(const struct run *run, uint64_t now)
{
	uint64_t wake = reader_until(run->reader);

	if (run->taken->stop && !run->queues[TAKEN_STOP].round && now + RUN_LOOK_NS < wake)
		wake = now + RUN_LOOK_NS;
	return run->taken->every && run->next < wake ? run->next : wake;
}

static void run_record(struct run *run)
{
	while (!run->live->stopping) {
		uint64_t now = clock_boot();

		if (stop_get(run->live->stop))
			run_stop_begin(run);
		if (run->taken->every && now >= run->next)
			samples_tick(run, now);
		run_dispatch(run);
		live_wait(run->live, reader_fd(run->reader), run_wake(run, now));
		run_drain(run);
		run_settle(run);
	}
}

static void run_finish(struct run *run)
{
	uint64_t until = clock_boot() + RUN_FINISH_NS + run->taken->deadline;
	struct queue *samples = &run->queues[TAKEN_SAMPLE];

	/* nobody is there to see what a command does, and recover is not to meet it */
	if (run->live->orphaned && run->taken->kind->reader == READER_OF_COMMANDS)
		return;
	run_stop_begin(run);
	samples->n = samples->next;
	run_dispatch(run);
	while (clock_boot() < until &&
	       !(queue_idle(&run->queues[TAKEN_START]) && queue_idle(samples) &&
		 queue_idle(&run->queues[TAKEN_STOP]))) {
		uint64_t wake = reader_until(run->reader);

		live_wait(run->live, reader_fd(run->reader), wake < until ? wake : until);
		run_drain(run);
		run_dispatch(run);
	}
	snapshot_give_up(run, TAKEN_START);
	snapshot_give_up(run, TAKEN_STOP);
	samples_unmatched(run);
	run_settle(run);
}

/* The plan's own items get their numbers first, so that globs cannot leave them without. */
static int run_number_items(struct run *run, struct err *e)
{
	for (size_t i = 0; i < run->taken->n; i++) {
		const struct taken_item *item = &run->taken->items[i];

		if (!item->template && names_number(&run->names, item->text) == NAMES_NO_NUMBER)
			return err_set(e, "no room for what is asked in the state directory");
	}
	return 0;
}

static int run_open(struct run *run, struct err *e)
{
	struct reader_setup setup = taken_reader(run->taken);
	int statedir = run->live->statedir;
	struct taken_name tree = taken_name(run->s, "");

	run->names.numbers = json_object();
	run->matches = calloc(run->taken->n, sizeof(*run->matches));
	if (!run->names.numbers || !run->matches)
		return err_set(e, "no memory for what is asked");
	run->names.fd = io_create(statedir, taken_name(run->s, ".names").text, e);
	if (run->names.fd < 0 || run_number_items(run, e) < 0)
		return e->code;
	run->index = io_create(statedir, taken_name(run->s, ".index").text, e);
	if (run->index < 0 || io_make_dirs(statedir, tree.text, e) < 0)
		return e->code;
	run->tree = io_open_dir(statedir, tree.text, e);
	if (run->tree < 0)
		return e->code;
	setup.fsfreeze_safe = run->live->fsfreeze_safe;
	return reader_create(&run->reader, &setup, e);
}

static void run_close(struct run *run)
{
	const int fds[] = { run->names.fd, run->index, run->tree };

	reader_free(run->reader);
	for (size_t i = 0; i < countof(fds); i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
	for (uint32_t i = 0; i < run->names.n; i++)
		free(run->names.names[i].text);
	for (size_t i = 0; run->matches && i < run->taken->n; i++)
		free(run->matches[i].numbers);
	for (size_t i = 0; i < TAKEN_PHASES; i++)
		free(run->queues[i].jobs);
	free(run->names.names);
	free(run->matches);
	json_decref(run->names.numbers);
}

int taken_live(struct source *s, struct live *live, struct err *e)
{
	__attribute__((cleanup(run_close))) struct run run = {
		.s = s,
		.taken = s->data,
		.live = live,
		.names = { .fd = -1 },
		.tree = -1,
		.index = -1,
	};
	int r;

	/* samples without a gap, whoever takes all CPUs; its helpers inherit it */
	if (live->fsfreeze_safe && run.taken->every)
		setpriority(PRIO_PROCESS, 0, RUN_NICE);
	if (run_open(&run, e) < 0)
		return e->code;
	r = live_armed(live, SANDBOX_READER, e);
	if (r < 0)
		return r == -ECANCELED ? 0 : r;
	run.next = clock_boot();
	if (run.taken->ring)
		ring_counters(run.taken->ring)->seen_since = run.next;
	if (run.taken->start)
		snapshot_begin(&run, TAKEN_START);
	run_record(&run);
	run_finish(&run);
	return 0;
}
