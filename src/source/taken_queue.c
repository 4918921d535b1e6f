/* What is to be read, by numbered paths, and what became of it. */
#include "source/taken_live.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/auto.h"
#include "base/io.h"
#include "source/live.h"

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

uint32_t names_number(struct names *names, const char *text)
{
	const json_t *known = json_object_get(names->numbers, text);
	struct err ignored = ERR_INIT;

	if (known)
		return json_integer_value(known);
	/* saved names are counted by their NULs: nothing may be added after one that could not be
	 * written whole */
	if (names->n >= TAKEN_NAMES_MAX || names->fd < 0)
		return NAMES_NO_NUMBER;
	if (names_add(names, text) < 0)
		return NAMES_NO_NUMBER;
	if (io_write(names->fd, text, strlen(text) + 1, &ignored) < 0) {
		close(take_fd(&names->fd));
		return NAMES_NO_NUMBER;
	}
	return names->n - 1;
}

struct matches names_match(struct names *names, const struct reader_answer *a)
{
	const char *path = a->data, *end = a->data + a->size, *nul;
	struct matches m = {
		.numbers = calloc(a->size / 2 + 1, sizeof(*m.numbers)), /* "/" and a NUL at least */
		.time = a->time,
	};

	m.cut = a->truncated || !m.numbers;
	for (; m.numbers && path < end && (nul = memchr(path, '\0', end - path)); path = nul + 1) {
		uint32_t number =
			taken_path_fault(path) ? NAMES_NO_NUMBER : names_number(names, path);

		if (number == NAMES_NO_NUMBER)
			m.cut = true;
		else
			m.numbers[m.n++] = number;
	}
	m.ever = m.n > 0;
	return m;
}

const char *job_text(const struct run *run, struct job job)
{
	return run->names.names[job.number].text;
}

/* What matched a pattern and is gone a moment later, or is no file, is not the recipe's loss. */
uint32_t job_what(const struct run *run, struct job job, const struct reader_answer *a)
{
	const struct taken_item *item = &run->taken->items[job.pattern];
	bool passing = a->error == ENOENT || a->error == ESRCH || a->error == EISDIR ||
		       a->error == READER_REFUSED;
	uint32_t what = (a->error & TAKEN_ERRNO) | (a->truncated ? TAKEN_TRUNCATED : 0);

	return item->optional || (item->glob && passing) ? what | TAKEN_OPTIONAL : what;
}

void job_note(struct run *run, struct taken_entry entry, const char *path, const char *note)
{
	char buffer[sizeof(entry) + 2 * PATH_MAX];
	off_t before = lseek(run->index, 0, SEEK_CUR);
	struct err e = ERR_INIT;

	entry.path_size = strnlen(path, PATH_MAX);
	entry.note_size = strnlen(note, PATH_MAX);
	memcpy(buffer, &entry, sizeof(entry));
	memcpy(buffer + sizeof(entry), path, entry.path_size);
	memcpy(buffer + sizeof(entry) + entry.path_size, note, entry.note_size);
	if (io_write(run->index, buffer, sizeof(entry) + entry.path_size + entry.note_size, &e) ==
	    0)
		return;
	/* what comes behind half an entry could not be read */
	if (ftruncate(run->index, before) == 0 && lseek(run->index, before, SEEK_SET) == before)
		live_say(run->live, "source '%s' cannot note '%s': %s", run->s->name, path, e.text);
}

static void job_miss(struct run *run, struct job job, const char *path, uint32_t what,
		     const char *note)
{
	struct taken_entry entry = { .phase = job.phase, .what = what, .time = clock_boot() };

	job_note(run, entry, path, note);
}

void job_fail(struct run *run, struct job job, const char *path, int error, const char *note)
{
	bool optional = run->taken->items[job.pattern].optional;

	job_miss(run, job, path, error | (optional ? TAKEN_OPTIONAL : 0), note);
}

void job_pass(struct run *run, struct job job, const char *path, const char *note)
{
	job_miss(run, job, path, ENODATA | TAKEN_OPTIONAL, note);
}

void queue_begin(struct run *run, enum taken_phase phase)
{
	struct queue *queue = &run->queues[phase];

	queue->next = queue->n = 0;
	queue->round++;
}

static void queue_push(struct run *run, struct job job)
{
	struct queue *queue = &run->queues[job.phase];

	if (queue->n == queue->room) {
		size_t room = queue->room ? queue->room * 2 : 64;
		struct job *grown = realloc(queue->jobs, room * sizeof(*grown));

		if (!grown) {
			job_fail(run, job, job_text(run, job), ENOMEM, reader_error_text(ENOMEM));
			return;
		}
		queue->jobs = grown;
		queue->room = room;
	}
	queue->jobs[queue->n++] = job;
}

void queue_again(struct run *run, struct job job)
{
	queue_push(run, job);
}

static void queue_path(struct run *run, struct job job)
{
	struct name *name = &run->names.names[job.number];

	if (name->skip || name->round[job.phase] == run->queues[job.phase].round)
		return;
	name->round[job.phase] = run->queues[job.phase].round;
	queue_push(run, job);
}

void queue_text(struct run *run, struct job job, const char *text)
{
	job.number = names_number(&run->names, text);
	if (job.number == NAMES_NO_NUMBER)
		job_fail(run, job, text, ENOSPC, "there is no room for more paths");
	else if (job.glob)
		queue_push(run, job);
	else
		queue_path(run, job);
}

void queue_matches(struct run *run, struct job job, const struct matches *m)
{
	job.glob = 0;
	for (size_t i = 0; i < m->n; i++) {
		job.number = m->numbers[i];
		queue_path(run, job);
	}
}

bool queue_idle(const struct queue *queue)
{
	return queue->next == queue->n && queue->outstanding == 0;
}
