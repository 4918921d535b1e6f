/* What is kept as it was at the start and at the stop; what is asked at the stop can have fields of
 * its event in it. */
#include "source/taken_live.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/io.h"
#include "capture/stop_record.h"

/* The value of "NAME=VALUE " among the numbers of the stop. */
static bool field_number(const char *numbers, const char *name, size_t n, char *value, size_t size)
{
	for (const char *at = numbers; *at; at += strcspn(at, " ") + 1) {
		size_t length = strcspn(at, " ");

		if (length > n + 1 && !strncmp(at, name, n) && at[n] == '=' &&
		    length - n - 1 < size) {
			snprintf(value, size, "%.*s", (int)(length - n - 1), at + n + 1);
			return true;
		}
		if (!at[length])
			break;
	}
	return false;
}

/* Of an event that has no `pid` of its own, that is the task in which it happened. */
static bool field_value(const struct stop_record *stop, const char *name, size_t n, char *value,
			size_t size)
{
	bool is_task = (n == 3 && !strncmp(name, "pid", n)) ||
		       (n == 10 && !strncmp(name, "common_pid", n));

	if (!stop)
		return false;
	if (field_number(stop->numbers, name, n, value, size))
		return true;
	snprintf(value, size, "%d", stop->pid);
	return is_task && stop->pid >= 0;
}

/* Puts the fields of the stop event into a text. Returns false with the sentence in NOTE. */
static bool template_expand(const struct stop_record *stop, const char *path, bool command,
			    char *text, char *note, size_t size)
{
	size_t used = 0;

	while (*path) {
		size_t n = taken_field(path);
		char value[32] = { *path };

		if (n && !field_value(stop, path + 1, n - 2, value, sizeof(value))) {
			snprintf(note, size, "the stop has no integer field '%.*s'", (int)n - 2,
				 path + 1);
			return false;
		}
		if (n && command &&
		    *value == '-') { /* that is an option, or a group of processes */
			snprintf(note, size, "'%.*s' is negative, and not for a command",
				 (int)n - 2, path + 1);
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

static void snapshot_template(struct run *run, struct job job, const char *path)
{
	const struct stop_record *stop = stop_get(run->live->stop);
	bool command = run->taken->kind->reader == READER_OF_COMMANDS;
	char text[PATH_MAX], note[200];

	if (!stop || stop->by != STOP_CONDITION || stop->drill)
		job_pass(run, job, path, "there was no stop event");
	else if (template_expand(stop, path, command, text, note, sizeof(note)))
		queue_text(run, job, text);
	else
		job_fail(run, job, path, ENODATA, note);
}

void snapshot_begin(struct run *run, enum taken_phase phase)
{
	queue_begin(run, phase);
	for (size_t i = 0; i < run->taken->n; i++) {
		const struct taken_item *item = &run->taken->items[i];
		struct job job = { .phase = phase, .pattern = i, .glob = item->glob };

		if (!item->template)
			queue_text(run, job, item->text);
		else if (phase == TAKEN_STOP)
			snapshot_template(run, job, item->text);
	}
}

static void snapshot_match(struct run *run, struct job job, const struct reader_answer *a)
{
	struct matches found;

	if (a->error) {
		job_fail(run, job, job_text(run, job), a->error, reader_error_text(a->error));
		return;
	}
	found = names_match(&run->names, a);
	if (found.cut)
		job_fail(run, job, job_text(run, job), ENOSPC, "more paths match than can be kept");
	if (found.n == 0)
		job_fail(run, job, job_text(run, job), ENOENT, "no path matches");
	queue_matches(run, job, &found);
	free(found.numbers);
}

static int snapshot_write(struct run *run, struct job job, const struct reader_answer *a,
			  size_t size, struct err *e)
{
	autofree char *dir = NULL, *path = NULL;

	if (asprintf(&path, "%s%s", taken_phase_text[job.phase],
		     taken_place(run->taken, job_text(run, job))) < 0)
		return err_set(e, "no memory");
	dir = strndup(path, strrchr(path, '/') - path);
	if (!dir)
		return err_set(e, "no memory");
	if (io_make_dirs(run->tree, dir, e) < 0)
		return e->code;
	return io_create_file(run->tree, path, a->data, size, e);
}

static void snapshot_keep(struct run *run, struct job job, const struct reader_answer *a)
{
	struct queue *queue = &run->queues[job.phase];
	uint64_t left = taken_phase_max(run->taken) - queue->kept;
	struct taken_entry entry = { .phase = job.phase,
				     .what = job_what(run, job, a),
				     .time = a->time };
	struct err e = ERR_INIT;

	if (a->error) {
		job_note(run, entry, job_text(run, job), reader_error_text(a->error));
		return;
	}
	entry.size = a->size < left ? a->size : left;
	if (entry.size < a->size)
		entry.what |= TAKEN_TRUNCATED;
	if (snapshot_write(run, job, a, entry.size, &e) < 0)
		entry.what |= -e.code & TAKEN_ERRNO;
	else
		queue->kept += entry.size;
	job_note(run, entry, job_text(run, job), e.text);
}

void snapshot_answer(struct run *run, struct job job, const struct reader_answer *a)
{
	if (job.glob)
		snapshot_match(run, job, a);
	else
		snapshot_keep(run, job, a);
}

void snapshot_settle(struct run *run, enum taken_phase phase)
{
	struct taken_entry done = { .phase = phase, .what = TAKEN_DONE, .time = clock_boot() };
	struct queue *queue = &run->queues[phase];

	if (!queue->round || queue->done || !queue_idle(queue))
		return;
	queue->done = true;
	job_note(run, done, "", "");
}

void snapshot_give_up(struct run *run, enum taken_phase phase)
{
	struct queue *queue = &run->queues[phase];

	for (; queue->next < queue->n; queue->next++) {
		struct job job = queue->jobs[queue->next];

		job_fail(run, job, job_text(run, job), READER_TIMEOUT, "not reached in time");
	}
}
