/* The files source's own process: what is read when. It opens nothing below a path of the plan by
 * itself. */
#include "files.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "auto.h"
#include "io.h"
#include "live.h"
#include "reader.h"
#include "units.h"

#define RUN_LOOK_NS (100 * NS_PER_MS) /* how often it looks whether the stop is decided */
#define RUN_GLOB_NS NS_PER_S          /* how long the answer to a pattern holds */
#define RUN_FINISH_NS (10 * NS_PER_S) /* how long the last reads may take */
#define RUN_NO_NUMBER UINT32_MAX

/* A read that is to be done; as the reader's tag it is one integer. */
struct job {
	uint8_t phase; /* enum files_phase */
	uint8_t glob;
	uint16_t pattern; /* which of the plan's paths it is for */
	uint32_t number;  /* of the path, or of the pattern's own text */
};

_Static_assert(sizeof(struct job) == sizeof(uint64_t), "a job is a tag");

struct queue {
	struct job *jobs;
	size_t next;
	size_t n;
	size_t room;
	uint32_t round;       /* counted up from 1; 0: not begun */
	uint32_t outstanding; /* asked and not answered */
	uint64_t kept;        /* bytes of snapshots */
	bool done;            /* the index says that it is complete */
};

/* A path with its number, which is its place in the table. */
struct name {
	char *text;
	uint32_t round[FILES_PHASES]; /* the last one that took it */
	bool skip;                    /* known not to be a file */
	bool asked;                   /* a sample of it is under way */
};

struct names {
	int fd;
	json_t *numbers; /* by path */
	struct name *names;
	uint32_t n;
	uint32_t room;
};

/* What a pattern has matched last. */
struct matches {
	uint32_t *numbers;
	size_t n;
	uint64_t time; /* boot clock, 0: never asked */
	bool ever;
};

struct run {
	struct source *s;
	struct files *files;
	struct live *live;
	struct reader *reader;
	struct names names;
	struct queue queues[FILES_PHASES];
	struct matches *matches; /* one for each of the plan's paths; used by samples */
	int tree;                /* "files-N" */
	int index;
	uint64_t next; /* boot clock: when the next round of samples is due */
};

static int names_add(struct names *names, const char *text)
{
	if (names->n == names->room) {
		uint32_t room = names->room ? names->room * 2 : 64;
		struct name *grown = realloc(names->names, room * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		names->names = grown;
		names->room = room;
	}
	names->names[names->n] = (struct name) { .text = strdup(text) };
	if (!names->names[names->n].text)
		return -ENOMEM;
	names->n++;
	return json_object_set_new_nocheck(names->numbers, text, json_integer(names->n - 1));
}

/* The number of a path, which it gets when it is first seen; RUN_NO_NUMBER if there are too many.
 */
static uint32_t names_number(struct names *names, const char *text)
{
	const json_t *known = json_object_get(names->numbers, text);
	struct err ignored = ERR_INIT;

	if (known)
		return json_integer_value(known);
	/* saved names are counted by their NULs: nothing may be added after one that could not be
	 * written whole */
	if (names->n >= FILES_NAMES_MAX || names->fd < 0)
		return RUN_NO_NUMBER;
	if (names_add(names, text) < 0)
		return RUN_NO_NUMBER;
	if (io_write(names->fd, text, strlen(text) + 1, &ignored) < 0) {
		close(take_fd(&names->fd));
		return RUN_NO_NUMBER;
	}
	return names->n - 1;
}

static const char *run_text(const struct run *run, struct job job)
{
	return run->names.names[job.number].text;
}

/* Writes down what became of a path. A full tmpfs is told to the engine, there is nobody else. */
static void run_note(struct run *run, struct files_entry entry, const char *path, const char *note)
{
	char buffer[sizeof(entry) + 2 * PATH_MAX];
	struct err e = ERR_INIT;

	entry.path_size = strnlen(path, PATH_MAX);
	entry.note_size = strnlen(note, PATH_MAX);
	memcpy(buffer, &entry, sizeof(entry));
	memcpy(buffer + sizeof(entry), path, entry.path_size);
	memcpy(buffer + sizeof(entry) + entry.path_size, note, entry.note_size);
	if (io_write(run->index, buffer, sizeof(entry) + entry.path_size + entry.note_size, &e) < 0)
		live_say(run->live, "source '%s' cannot note '%s': %s", run->s->name, path, e.text);
}

static void run_fail(struct run *run, struct job job, const char *path, int error, const char *note)
{
	uint32_t optional = run->files->paths[job.pattern].optional ? FILES_OPTIONAL : 0;
	struct files_entry entry = { .phase = job.phase,
				     .what = error | optional,
				     .time = clock_boot() };

	run_note(run, entry, path, note);
}

static void run_lost(struct run *run, uint64_t count, uint64_t from, uint64_t to)
{
	struct ring_counters *counters = ring_counters(run->files->ring);

	if (!count)
		return;
	counters->lost += count;
	if (!counters->lost_since)
		counters->lost_since = from;
	counters->lost_until = to;
	run->s->stats->lost = counters->lost;
}

static void queue_push(struct run *run, struct job job)
{
	struct queue *queue = &run->queues[job.phase];

	if (queue->n == queue->room) {
		size_t room = queue->room ? queue->room * 2 : 64;
		struct job *grown = realloc(queue->jobs, room * sizeof(*grown));

		if (!grown) {
			run_fail(run, job, run_text(run, job), ENOMEM, reader_error_text(ENOMEM));
			return;
		}
		queue->jobs = grown;
		queue->room = room;
	}
	queue->jobs[queue->n++] = job;
}

/* Puts a path on the list of this round, once, whatever number of patterns it matches. */
static void queue_path(struct run *run, struct job job)
{
	struct name *name = &run->names.names[job.number];

	if (name->skip || name->round[job.phase] == run->queues[job.phase].round)
		return;
	name->round[job.phase] = run->queues[job.phase].round;
	queue_push(run, job);
}

/* An integer "NAME=VALUE" in the event's text, as decimal digits. */
static bool field_in_text(const char *text, const char *name, size_t n, char *value, size_t size)
{
	for (const char *at = text; (at = strchr(at, '=')); at++) {
		const char *end = at + 1 + strcspn(at + 1, " ,;)]}\t\n");
		char *rest;
		long long number;

		if ((size_t)(at - text) < n || strncmp(at - n, name, n) != 0)
			continue;
		if (at - n > text &&
		    (isalnum((unsigned char)at[-(long)n - 1]) || at[-(long)n - 1] == '_'))
			continue;
		errno = 0;
		number = strtoll(at + 1, &rest, at[1] == '0' && at[2] == 'x' ? 16 : 10);
		if (errno || rest == at + 1 || rest != end || isspace((unsigned char)at[1]))
			return false;
		snprintf(value, size, "%lld", number);
		return true;
	}
	return false;
}

static bool field_value(const struct stop_record *stop, const char *name, size_t n, char *value,
			size_t size)
{
	if (!stop)
		return false;
	if (n == 3 && strncmp(name, "pid", 3) == 0 && stop->pid >= 0) {
		snprintf(value, size, "%d", stop->pid);
		return true;
	}
	return field_in_text(stop->text, name, n, value, size);
}

/* Puts the fields of the stop event into a path. Returns false with the sentence in NOTE. */
static bool run_expand(const struct run *run, const char *path, char *text, char *note, size_t size)
{
	const struct stop_record *stop = stop_get(run->live->stop);
	size_t used = 0;

	while (*path) {
		size_t n = files_field(path);
		char value[32] = { *path };

		if (n && !field_value(stop, path + 1, n - 2, value, sizeof(value))) {
			snprintf(note, size, "the stop has no integer field '%.*s'", (int)n - 2,
				 path + 1);
			return false;
		}
		if (used + strlen(value) >= PATH_MAX) {
			snprintf(note, size, "it is too long");
			return false;
		}
		used += snprintf(text + used, PATH_MAX - used, "%s", value);
		path += n ? n : 1;
	}
	return true;
}

static void queue_pattern(struct run *run, enum files_phase phase, uint16_t pattern)
{
	const struct files_path *path = &run->files->paths[pattern];
	struct job job = { .phase = phase, .pattern = pattern, .glob = path->glob };
	char text[PATH_MAX], note[200];

	if (path->template && phase != FILES_STOP)
		return;
	if (!run_expand(run, path->path, text, note, sizeof(note))) {
		run_fail(run, job, path->path, ENODATA, note);
		return;
	}
	job.number = names_number(&run->names, text);
	if (job.number == RUN_NO_NUMBER)
		run_fail(run, job, text, ENOSPC, "there is no room for more paths");
	else if (path->glob)
		queue_push(run, job);
	else
		queue_path(run, job);
}

static void queue_begin(struct run *run, enum files_phase phase)
{
	struct queue *queue = &run->queues[phase];

	queue->next = queue->n = 0;
	queue->round++;
}

static void snapshot_begin(struct run *run, enum files_phase phase)
{
	queue_begin(run, phase);
	for (size_t i = 0; i < run->files->n; i++)
		queue_pattern(run, phase, i);
}

static void queue_matches(struct run *run, uint16_t pattern)
{
	const struct matches *m = &run->matches[pattern];

	for (size_t i = 0; i < m->n; i++)
		queue_path(run, (struct job) { FILES_SAMPLE, 0, pattern, m->numbers[i] });
}

/* A round of samples: patterns that were asked a moment ago are not asked again. */
static void samples_begin(struct run *run, uint64_t now)
{
	queue_begin(run, FILES_SAMPLE);
	for (size_t i = 0; i < run->files->n; i++) {
		if (run->files->paths[i].glob && run->matches[i].time &&
		    now - run->matches[i].time < RUN_GLOB_NS)
			queue_matches(run, i);
		else
			queue_pattern(run, FILES_SAMPLE, i);
	}
	ring_evict_before(run->files->ring,
			  now > run->files->keep_ns ? now - run->files->keep_ns : 0);
}

/* Deadlines are absolute: what was missed is counted, and the next one is where it would have been
 * anyway. */
static void samples_tick(struct run *run, uint64_t now)
{
	const struct queue *queue = &run->queues[FILES_SAMPLE];
	uint64_t due = run->next;
	uint64_t missed = (now - due) / run->files->every;
	bool late = queue->next < queue->n;

	run->next = due + (missed + 1) * run->files->every;
	run_lost(run, (missed + late) * (queue->n ? queue->n : run->files->n), due, now);
	if (!late)
		samples_begin(run, now);
}

static void matches_set(struct matches *m, const struct reader_answer *a, uint32_t *numbers,
			size_t n)
{
	free(m->numbers);
	m->numbers = numbers;
	m->n = n;
	m->time = a->time;
	m->ever |= n > 0;
}

/* The numbers of the paths in an answer; those that cannot be kept are left out. Ends with *n
 * numbers. */
static uint32_t *run_matched(struct run *run, struct job job, const struct reader_answer *a,
			     size_t *n)
{
	uint32_t *numbers = calloc(a->size / 2 + 1, sizeof(*numbers)); /* "/" and a NUL at least */
	const char *path = a->data, *end = a->data + a->size, *nul;
	bool left_out = a->truncated;

	*n = 0;
	for (; numbers && path < end && (nul = memchr(path, '\0', end - path)); path = nul + 1) {
		uint32_t number =
			files_path_fault(path) ? RUN_NO_NUMBER : names_number(&run->names, path);

		if (number == RUN_NO_NUMBER)
			left_out = true;
		else
			numbers[(*n)++] = number;
	}
	if ((left_out || !numbers) &&
	    (job.phase != FILES_SAMPLE || !run->matches[job.pattern].time))
		run_fail(run, job, run_text(run, job), ENOSPC, "more paths match than can be kept");
	return numbers;
}

static void run_globbed(struct run *run, struct job job, const struct reader_answer *a)
{
	struct matches *m = &run->matches[job.pattern];
	autofree uint32_t *numbers = NULL;
	size_t n = 0;

	if (!a->error)
		numbers = run_matched(run, job, a, &n);
	for (size_t i = 0; i < n; i++)
		queue_path(run, (struct job) { job.phase, 0, job.pattern, numbers[i] });
	if (job.phase == FILES_SAMPLE && a->error)
		queue_matches(run, job.pattern);
	else if (job.phase == FILES_SAMPLE)
		matches_set(m, a, take_ptr(numbers), n);
	else if (a->error || n == 0)
		run_fail(run, job, run_text(run, job), a->error ? a->error : ENOENT,
			 a->error ? reader_error_text(a->error) : "no path matches");
}

/* What matched a pattern and is gone a moment later, or is no file, is not the recipe's loss. */
static uint32_t run_what(const struct run *run, struct job job, const struct reader_answer *a)
{
	const struct files_path *path = &run->files->paths[job.pattern];
	bool passing = a->error == ENOENT || a->error == ESRCH || a->error == EISDIR ||
		       a->error == READER_REFUSED;
	uint32_t what = (a->error & FILES_ERRNO) | (a->truncated ? FILES_TRUNCATED : 0);

	return path->optional || (path->glob && passing) ? what | FILES_OPTIONAL : what;
}

static int snapshot_write(struct run *run, struct job job, const struct reader_answer *a,
			  size_t size, struct err *e)
{
	autofree char *dir = NULL, *path = NULL;

	if (asprintf(&path, "%s%s", files_phase_text[job.phase], run_text(run, job)) < 0)
		return err_set(e, "no memory");
	dir = strndup(path, strrchr(path, '/') - path);
	if (!dir)
		return err_set(e, "no memory");
	if (io_make_dirs(run->tree, dir, e) < 0)
		return e->code;
	return io_create_file(run->tree, path, a->data, size, e);
}

static void run_snapshot(struct run *run, struct job job, const struct reader_answer *a)
{
	struct queue *queue = &run->queues[job.phase];
	uint64_t left = files_phase_max(run->files) - queue->kept;
	struct files_entry entry = { .phase = job.phase,
				     .what = run_what(run, job, a),
				     .time = a->time };
	struct err e = ERR_INIT;

	if (a->error) {
		run_note(run, entry, run_text(run, job), reader_error_text(a->error));
		return;
	}
	entry.size = a->size < left ? a->size : left;
	if (entry.size < a->size)
		entry.what |= FILES_TRUNCATED;
	if (snapshot_write(run, job, a, entry.size, &e) < 0)
		entry.what |= -e.code & FILES_ERRNO;
	else
		queue->kept += entry.size;
	run_note(run, entry, run_text(run, job), e.text);
}

static void run_sample(struct run *run, struct job job, const struct reader_answer *a)
{
	struct ring_record record = { .time = a->time,
				      .kind = job.number,
				      .aux = run_what(run, job, a) };
	struct iovec data = { .iov_base = (void *)a->data, .iov_len = a->error ? 0 : a->size };
	struct ring *ring = run->files->ring;

	if (a->time > stop_cut(run->live->stop))
		return;
	if (run->files->paths[job.pattern].glob &&
	    (a->error == EISDIR || a->error == READER_REFUSED)) {
		run->names.names[job.number].skip = true;
		run_fail(run, job, run_text(run, job), a->error, reader_error_text(a->error));
		return;
	}
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

static void run_answer(struct run *run, struct job job, const struct reader_answer *a)
{
	if (job.glob)
		run_globbed(run, job, a);
	else if (job.phase == FILES_SAMPLE)
		run_sample(run, job, a);
	else
		run_snapshot(run, job, a);
}

/* Gives one job away. Returns false if no helper is idle. */
static bool run_ask(struct run *run, struct job job)
{
	struct reader_answer a = { .time = clock_boot(), .data = "" };
	struct name *name = &run->names.names[job.number];
	int r;

	memcpy(&a.tag, &job, sizeof(job));
	if (job.phase == FILES_SAMPLE && name->asked) {
		run_lost(run, 1, a.time, a.time);
		return true;
	}
	r = reader_ask(run->reader, job.glob ? READER_GLOB : READER_READ, run_text(run, job),
		       a.tag);
	if (r == -EAGAIN)
		return false;
	if (r == 0) {
		run->queues[job.phase].outstanding++;
		name->asked |= job.phase == FILES_SAMPLE;
		return true;
	}
	a.error = r == -EBUSY ? READER_TIMEOUT : -r;
	run_answer(run, job, &a);
	return true;
}

/* What is taken at the stop goes first: its moment passes. */
static void run_dispatch(struct run *run)
{
	static const enum files_phase order[] = { FILES_STOP, FILES_START, FILES_SAMPLE };

	for (size_t i = 0; i < countof(order); i++) {
		struct queue *queue = &run->queues[order[i]];

		while (queue->next < queue->n) {
			if (!run_ask(run, queue->jobs[queue->next]))
				return;
			queue->next++;
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
		if (job.phase == FILES_SAMPLE)
			run->names.names[job.number].asked = false;
		run_answer(run, job, &a);
		run_dispatch(run);
	}
}

static bool queue_idle(const struct queue *queue)
{
	return queue->next == queue->n && queue->outstanding == 0;
}

static void run_settle(struct run *run)
{
	for (int phase = FILES_START; phase <= FILES_STOP; phase++) {
		struct queue *queue = &run->queues[phase];

		if (!queue->round || queue->done || !queue_idle(queue))
			continue;
		queue->done = true;
		run_note(run,
			 (struct files_entry) {
				 .phase = phase, .what = FILES_DONE, .time = clock_boot() },
			 "", "");
	}
	if (run->files->ring && queue_idle(&run->queues[FILES_SAMPLE]))
		ring_counters(run->files->ring)->seen_until = clock_boot();
}

static void run_stop_begin(struct run *run)
{
	if (run->files->stop && !run->queues[FILES_STOP].round)
		snapshot_begin(run, FILES_STOP);
}

static uint64_t run_wake(const struct run *run, uint64_t now)
{
	uint64_t wake = reader_until(run->reader);

	if (run->files->stop && !run->queues[FILES_STOP].round && now + RUN_LOOK_NS < wake)
		wake = now + RUN_LOOK_NS;
	return run->files->every && run->next < wake ? run->next : wake;
}

static void run_record(struct run *run)
{
	while (!run->live->stopping) {
		uint64_t now = clock_boot();

		if (stop_get(run->live->stop))
			run_stop_begin(run);
		if (run->files->every && now >= run->next)
			samples_tick(run, now);
		run_dispatch(run);
		live_wait(run->live, reader_fd(run->reader), run_wake(run, now));
		run_drain(run);
		run_settle(run);
	}
}

/* The jobs that could not be done in time are told, each with its path. */
static void run_give_up(struct run *run, enum files_phase phase)
{
	struct queue *queue = &run->queues[phase];

	for (; queue->next < queue->n; queue->next++) {
		struct job job = queue->jobs[queue->next];

		run_fail(run, job, run_text(run, job), READER_TIMEOUT, "not reached in time");
	}
}

/* A pattern that has matched nothing all the time would else leave no trace. */
static void run_unmatched(struct run *run)
{
	for (size_t i = 0; i < run->files->n; i++) {
		const struct files_path *path = &run->files->paths[i];
		struct job job = { .phase = FILES_SAMPLE, .pattern = i };

		if (run->files->every && path->glob && !path->template && !run->matches[i].ever)
			run_fail(run, job, path->path, ENOENT, "no path matches");
	}
}

static void run_finish(struct run *run)
{
	uint64_t until = clock_boot() + RUN_FINISH_NS;
	struct queue *samples = &run->queues[FILES_SAMPLE];

	run_stop_begin(run);
	samples->n = samples->next;
	run_dispatch(run);
	while (clock_boot() < until &&
	       !(queue_idle(&run->queues[FILES_START]) && queue_idle(samples) &&
		 queue_idle(&run->queues[FILES_STOP]))) {
		uint64_t wake = reader_until(run->reader);

		live_wait(run->live, reader_fd(run->reader), wake < until ? wake : until);
		run_drain(run);
		run_dispatch(run);
	}
	run_give_up(run, FILES_START);
	run_give_up(run, FILES_STOP);
	run_unmatched(run);
	run_settle(run);
}

/* The plan's own paths get their numbers first, so that globs cannot leave them without. */
static int run_number_paths(struct run *run, struct err *e)
{
	for (size_t i = 0; i < run->files->n; i++) {
		const struct files_path *path = &run->files->paths[i];

		if (!path->template && names_number(&run->names, path->path) == RUN_NO_NUMBER)
			return err_set(e, "no room for the paths in the state directory");
	}
	return 0;
}

static int run_open(struct run *run, struct err *e)
{
	int statedir = run->live->statedir;
	struct files_name tree = files_name(run->s, "");

	run->names.numbers = json_object();
	run->matches = calloc(run->files->n, sizeof(*run->matches));
	if (!run->names.numbers || !run->matches)
		return err_set(e, "no memory for the paths");
	run->names.fd = io_create(statedir, files_name(run->s, ".names").text, e);
	if (run->names.fd < 0 || run_number_paths(run, e) < 0)
		return e->code;
	run->index = io_create(statedir, files_name(run->s, ".index").text, e);
	if (run->index < 0 || io_make_dirs(statedir, tree.text, e) < 0)
		return e->code;
	run->tree = io_open_dir(statedir, tree.text, e);
	if (run->tree < 0)
		return e->code;
	return reader_create(&run->reader, READER_HELPERS, run->files->max, e);
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
	for (size_t i = 0; run->matches && i < run->files->n; i++)
		free(run->matches[i].numbers);
	for (size_t i = 0; i < FILES_PHASES; i++)
		free(run->queues[i].jobs);
	free(run->names.names);
	free(run->matches);
	json_decref(run->names.numbers);
}

int files_live(struct source *s, struct live *live, struct err *e)
{
	__attribute__((cleanup(run_close))) struct run run = {
		.s = s,
		.files = s->data,
		.live = live,
		.names = { .fd = -1 },
		.tree = -1,
		.index = -1,
	};
	int r;

	if (run_open(&run, e) < 0)
		return e->code;
	r = live_armed(live, SANDBOX_READER, e);
	if (r < 0)
		return r == -ECANCELED ? 0 : r;
	run.next = clock_boot();
	if (run.files->ring)
		ring_counters(run.files->ring)->seen_since = run.next;
	if (run.files->start)
		snapshot_begin(&run, FILES_START);
	run_record(&run);
	run_finish(&run);
	return 0;
}
