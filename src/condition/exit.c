/* t.exit by comm, exe or cgroup: a process of them ends, its last thread, or with a code. Who they
 * are is looked up again and again; what happens to them in between is seen as events. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "condition/judge.h"
#include "condition/members.h"
#include "plan/condition.h"
#include "reader/reader.h"
#include "reader/tasks.h"
#include "selector/reading.h"

#define EXIT_MAX 4096 /* threads that are watched at a time */

/* What changes is the program that it runs, or its cgroup; `code` is the call by which one ends
 * itself, and need not be there. */
enum { ENDS, BEGINS, CHANGES, LOOK, CODE, PARTS };

static const char *const exit_roles[PARTS] = { "ends", "begins", "changes", "look", "code" };

enum exit_by { BY_COMM, BY_EXE, BY_CGROUP };

struct exit_of {
	enum exit_by by;
	const char *what;
	bool code; /* it has to end itself with it */
};

struct exit_state {
	struct members *members;
	bool looked;
};

static const char *const exit_keys[] = { "comm", "exe", "cgroup" };

static int exit_decode_who(struct exit_of *exit_of, const json_t *spec, struct err *e)
{
	for (enum exit_by by = 0; by < countof(exit_keys); by++) {
		const char *what = json_string_value(json_object_get(spec, exit_keys[by]));

		if (what && exit_of->what)
			return err_set(e, "one of comm, exe and cgroup says whose end it is");
		if (what)
			*exit_of = (struct exit_of) { .by = by, .what = what };
	}
	return exit_of->what ? 0 : err_set(e, "comm, exe or cgroup has to say whose end it is");
}

static int exit_decode(struct condition *c, struct err *e)
{
	struct exit_of *exit_of = c->data = calloc(1, sizeof(*exit_of));

	if (!exit_of)
		return err_set(e, "no memory");
	if (exit_decode_who(exit_of, c->spec, e) < 0)
		return e->code;
	exit_of->code = json_object_get(c->spec, "code") != NULL;
	if (condition_make_selectors(c, exit_of->code ? PARTS : CODE, e) < 0)
		return e->code;
	for (uint32_t i = 0; i < c->n_selectors; i++)
		if (condition_decode_selector(c, i, json_object_get(c->spec, exit_roles[i]), e) < 0)
			return e->code;
	return c->selectors[LOOK].ops == &members_selector
		       ? 0
		       : err_set(e, "the plan does not say who is looked for");
}

static int exit_begin(struct condition *c, uint64_t start, struct err *e)
{
	struct exit_state *state = c->state = calloc(1, sizeof(*state));

	(void)start;
	if (!state)
		return err_set(e, "no memory");
	return members_create(&state->members, EXIT_MAX, e);
}

static int exit_number(const struct selector *s, const struct observation *o, const char *name)
{
	const struct field *field = format_field(s->format, name);

	return field ? (int)field_int(field, o->data, o->size) : 0;
}

static const char *exit_text(const struct selector *s, const struct observation *o,
			     const char *name, size_t *n)
{
	const struct field *field = format_field(s->format, name);

	*n = 0;
	return field ? field_string(field, o->data, o->size, n) : "";
}

static void exit_fire(struct condition *c, const struct selector *s, const struct observation *o,
		      int pid)
{
	const struct exit_of *exit_of = c->data;
	struct verdict verdict = {
		.time = o->time, .cpu = o->cpu, .pid = pid, .selector = s, .record = o
	};
	char text[600];

	if (!judge_hit(c, o->time))
		return;
	verdict.uncertain = judge_missed(c, 0);
	selector_describe(s, o, text, sizeof(text));
	snprintf(verdict.text, sizeof(verdict.text), "process %d of %s '%s' ended: %s", pid,
		 exit_keys[exit_of->by], exit_of->what, text);
	snprintf(verdict.numbers, sizeof(verdict.numbers), "pid=%d ", pid);
	judge_fire(c, &verdict);
}

/* By its last thread. */
static void exit_see_end(struct condition *c, const struct selector *s, const struct observation *o)
{
	const struct exit_of *exit_of = c->data;
	struct exit_state *state = c->state;
	int pid = members_remove(state->members, exit_number(s, o, "pid"), o->time);

	if (pid && !exit_of->code)
		exit_fire(c, s, o, pid);
}

static void exit_see_code(struct condition *c, const struct selector *s,
			  const struct observation *o)
{
	const struct exit_state *state = c->state;
	int pid = members_process(state->members, o->pid);

	if (pid)
		exit_fire(c, s, o, pid);
}

/* A new thread is one of its process, a new process what its parent is. */
static void exit_see_begin(struct condition *c, const struct selector *s,
			   const struct observation *o)
{
	const unsigned long long clone_thread = 0x10000;
	const struct field *flags = format_field(s->format, "clone_flags");
	struct exit_state *state = c->state;
	int parent = members_process(state->members, o->pid), tid = exit_number(s, o, "pid");

	if (!parent || !flags)
		return;
	if (!((unsigned long long)field_int(flags, o->data, o->size) & clone_thread))
		parent = tid;
	members_add(state->members, tid, parent, o->time);
}

static bool exit_is_exec_of(const struct exit_of *exit_of, const char *path, size_t n)
{
	const char *slash = memrchr(path, '/', n);
	const char *name = slash ? slash + 1 : path;
	size_t length = strlen(exit_of->what);

	if (exit_of->by == BY_EXE)
		return n == length && !memcmp(path, exit_of->what, n);
	n -= name - path;
	return (n > 15 ? 15 : n) == length && !memcmp(name, exit_of->what, length);
}

/* From here on it is another program; its other threads have ended before. */
static void exit_see_exec(struct condition *c, const struct selector *s,
			  const struct observation *o)
{
	const struct exit_of *exit_of = c->data;
	struct exit_state *state = c->state;
	int pid = exit_number(s, o, "pid");
	size_t n;
	const char *path = exit_text(s, o, "filename", &n);

	/* it leaves before it comes again: who has left at a time does not come at that time */
	members_remove_process(state->members, pid, o->time - 1);
	members_remove(state->members, exit_number(s, o, "old_pid"), o->time - 1);
	if (exit_is_exec_of(exit_of, path, n))
		members_add(state->members, pid, pid, o->time);
	else
		members_remove(state->members, pid, o->time);
}

static void exit_see_move(struct condition *c, const struct selector *s,
			  const struct observation *o)
{
	const struct exit_of *exit_of = c->data;
	struct exit_state *state = c->state;
	int tid = exit_number(s, o, "pid"), pid = members_process(state->members, tid);
	size_t n;
	const char *path = exit_text(s, o, "dst_path", &n);

	if (tasks_cgroup_is_below(path, n, exit_of->what))
		members_add(state->members, tid, pid ? pid : tid, o->time);
	else if (pid == tid) /* the kernel tells of the first thread alone */
		members_remove_process(state->members, pid, o->time);
	else
		members_remove(state->members, tid, o->time);
}

/* Whose end was lost in a hole. */
static void exit_miss(struct condition *c, int pid, uint64_t time)
{
	const struct exit_of *exit_of = c->data;
	struct verdict verdict = { .time = time, .cpu = UINT32_MAX, .pid = pid, .uncertain = true };
	uint64_t since = time > 2 * READER_DEADLINE ? time - 2 * READER_DEADLINE : 0;

	if (exit_of->code || !judge_missed(c, since) || !judge_hit(c, time))
		return;
	snprintf(verdict.text, sizeof(verdict.text), "process %d of %s '%s' is gone", pid,
		 exit_keys[exit_of->by], exit_of->what);
	judge_fire(c, &verdict);
}

/* "AT" in ns, then "PID TID", a line each; one that is cut short at the end is left out. */
static void exit_see_look(struct condition *c, const struct observation *o)
{
	struct exit_state *state = c->state;
	const char *at = (const char *)o->data, *newline;
	uint64_t began = strtoull(at, NULL, 10);
	char *rest;
	int pid;

	state->looked = true;
	for (at = strchr(at, '\n'); at && (newline = strchr(++at, '\n')); at = newline) {
		pid = strtol(at, &rest, 10);
		members_add(state->members, strtol(rest, NULL, 10), pid, began);
	}
	/* who began while it was looked is not missing from it */
	while ((pid = members_expire(state->members,
				     began > READER_DEADLINE ? began - READER_DEADLINE : 0)))
		exit_miss(c, pid, o->time);
}

static void exit_see(struct condition *c, const struct selector *s, const struct observation *o)
{
	const struct exit_of *exit_of = c->data;

	switch (s->part) {
	case ENDS:
		exit_see_end(c, s, o);
		break;
	case BEGINS:
		exit_see_begin(c, s, o);
		break;
	case CHANGES:
		if (exit_of->by == BY_CGROUP)
			exit_see_move(c, s, o);
		else
			exit_see_exec(c, s, o);
		break;
	case LOOK:
		exit_see_look(c, o);
		break;
	case CODE:
		exit_see_code(c, s, o);
		break;
	}
}

static void exit_explain(const struct condition *c, FILE *out)
{
	const struct exit_of *exit_of = c->data;

	fprintf(out, "a process of %s '%s' ends%s", exit_keys[exit_of->by], exit_of->what,
		exit_of->code ? " with that code" : "");
}

static void exit_tell(const struct condition *c, char *text, size_t room)
{
	const struct exit_state *state = c->state;
	size_t n = members_processes(state->members);

	if (!n)
		snprintf(text, room,
			 state->looked ? "there is no such process now, cannot fire"
				       : "not looked yet");
	else if (members_left_out(state->members))
		snprintf(text, room, "%zu processes there, %llu threads more than are watched", n,
			 (unsigned long long)members_left_out(state->members));
	else
		snprintf(text, room, "%zu process%s there", n, n == 1 ? "" : "es");
}

static void exit_end(struct condition *c)
{
	struct exit_state *state = c->state;

	if (state)
		free(state->members);
}

const struct condition_ops exit_condition = {
	.type = "exit",
	.roles = exit_roles,
	.why = "the kernel does not know who they are",
	.decode = exit_decode,
	.begin = exit_begin,
	.see = exit_see,
	.explain = exit_explain,
	.tell = exit_tell,
	.end = exit_end,
};
