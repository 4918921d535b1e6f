#include "convert/calls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/units.h"
#include "convert/comms.h"
#include "convert/tracetext_event.h"
#include "trace/syscalls.h"

#define WAITING_MAX 8192u    /* calls that wait for the end of the first of them */
#define TASKS_MAX (1u << 22) /* the kernel's own limit of pids */

struct call {
	uint64_t began; /* boot clock; 0: before the first record */
	uint64_t ended; /* 0: not yet */
	int pid;
	long number, result;
	uint64_t args[SYSCALL_ARGS];
	bool for_good; /* it never returns */
	bool lost;     /* its end was not recorded */
};

struct calls {
	calls_line *line;
	void *arg;
	const struct format *enter, *exit;
	struct syscalls *syscalls;
	struct comms *comms;
	struct call waiting[WAITING_MAX]; /* a circle */
	uint64_t first, next;             /* counted on; the place is the rest */
	struct call *long_ones;           /* told as going on, and not ended */
	size_t n_long;
	uint64_t *current; /* by pid: the number in `waiting` of its call, plus one */
};

static const struct format *calls_format(const struct tracedat *dat, const char *name)
{
	size_t n;
	const struct format *const *formats = tracedat_formats(dat, &n);

	for (size_t i = 0; i < n; i++)
		if (!strcmp(formats[i]->system, "raw_syscalls") && !strcmp(formats[i]->name, name))
			return formats[i];
	return NULL;
}

bool calls_are_in(const struct tracedat *dat)
{
	return calls_format(dat, "sys_enter") && calls_format(dat, "sys_exit");
}

int calls_open(struct calls **ret, const struct tracedat *dat, const struct formats *formats,
	       calls_line *line, void *arg, struct err *e)
{
	struct calls *c = calloc(1, sizeof(*c));

	if (!c || !(c->current = calloc(TASKS_MAX, sizeof(*c->current)))) {
		free(c);
		return err_set(e, "no memory for the system calls");
	}
	c->line = line;
	c->arg = arg;
	c->enter = calls_format(dat, "sys_enter");
	c->exit = calls_format(dat, "sys_exit");
	if (syscalls_create(&c->syscalls, formats, e) < 0 || comms_open(&c->comms, dat, e) < 0) {
		calls_close(c);
		return e->code;
	}
	*ret = c;
	return 0;
}

void calls_close(struct calls *c)
{
	if (!c)
		return;
	syscalls_free(c->syscalls);
	comms_free(c->comms);
	free(c->long_ones);
	free(c->current);
	free(c);
}

static void call_how_it_ended(const struct call *call, uint64_t until, FILE *out)
{
	if (call->for_good || call->lost) {
		fputs(call->lost ? " = ? <its end was not recorded>" : " = ?", out);
		return;
	}
	if (!call->ended) {
		fprintf(out, " = ? <not ended, %s so far>",
			duration_about(until - call->began).text);
		return;
	}
	fputs(" = ", out);
	syscalls_result(call->result, out);
	if (call->began)
		fprintf(out, " <%llu.%09llu>",
			(unsigned long long)((call->ended - call->began) / NS_PER_S),
			(unsigned long long)((call->ended - call->began) % NS_PER_S));
}

static bool call_is_born(const struct calls *c, const struct call *call)
{
	return call->result == 0 && syscalls_makes_task(c->syscalls, call->number);
}

/* RESUMED: the line is that of its end, and has said the begin before. */
static int call_tell(struct calls *c, const struct call *call, uint64_t until, bool resumed)
{
	autofree char *text = NULL;
	const char *name = syscalls_name(c->syscalls, call->number);
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return -1;
	fprintf(out, "%s-%d ", comms_of(c->comms, call->pid), call->pid);
	if (resumed || !call->began)
		fprintf(out, "%s %s", name ? name : "?",
			resumed                 ? "(begun above)"
			: call_is_born(c, call) ? "(returns in the new task)"
						: "(without its begin)");
	else
		syscalls_call(c->syscalls, call->number, call->args, out);
	call_how_it_ended(call, until, out);
	if (fclose(out))
		return -1;
	return c->line(c->arg, call->began && !resumed ? call->began : call->ended, text);
}

static struct call *calls_at(struct calls *c, uint64_t number)
{
	return &c->waiting[number % WAITING_MAX];
}

static int calls_keep_long(struct calls *c, const struct call *call)
{
	struct call *grown = realloc(c->long_ones, (c->n_long + 1) * sizeof(*grown));

	if (!grown)
		return -1;
	c->long_ones = grown;
	grown[c->n_long++] = *call;
	return 0;
}

/* Tells the first ones as far as they have ended; with FORCE the very first in any case. */
static int calls_flush(struct calls *c, bool force, uint64_t now)
{
	int r = 0;

	for (; r == 0 && c->first < c->next && (force || calls_at(c, c->first)->ended);
	     c->first++, force = false) {
		struct call *call = calls_at(c, c->first);

		r = call_tell(c, call, now, false);
		if (r == 0 && !call->ended) {
			if (c->current[call->pid] == c->first + 1)
				c->current[call->pid] = 0;
			r = calls_keep_long(c, call);
		}
	}
	return r;
}

static int calls_push(struct calls *c, const struct call *call)
{
	int r = 0;

	if (c->next - c->first == WAITING_MAX)
		r = calls_flush(c, true, call->began ? call->began : call->ended);
	*calls_at(c, c->next) = *call;
	if (!call->ended)
		c->current[call->pid] = c->next + 1;
	c->next++;
	return r;
}

/* The call of that task that was told as going on, NULL if there is none. */
static struct call *calls_long_one(struct calls *c, int pid)
{
	for (size_t i = 0; i < c->n_long; i++)
		if (c->long_ones[i].pid == pid)
			return &c->long_ones[i];
	return NULL;
}

/* Tells its end at TIME. */
static int calls_end_long(struct calls *c, struct call *ended, uint64_t time)
{
	struct call call = *ended;

	call.ended = time;
	*ended = c->long_ones[--c->n_long];
	return call_tell(c, &call, time, true);
}

static struct call *calls_open_one(struct calls *c, int pid)
{
	struct call *call = c->current[pid] ? calls_at(c, c->current[pid] - 1) : NULL;

	return call && call->pid == pid && !call->ended ? call : NULL;
}

/* What this task was in has ended, since it does something else at TIME: nobody has seen how. */
static int calls_lose(struct calls *c, int pid, uint64_t time)
{
	struct call *open = calls_open_one(c, pid), *long_one = calls_long_one(c, pid);

	c->current[pid] = 0;
	if (open) {
		open->lost = true;
		open->ended = open->began;
	}
	if (!long_one)
		return 0;
	long_one->lost = true;
	return calls_end_long(c, long_one, time);
}

static int64_t calls_field(const struct format *format, const char *name,
			   const struct tracedat_record *r)
{
	const struct field *field = format_field(format, name);

	return field ? field_int(field, r->data, r->size) : 0;
}

static int calls_begin(struct calls *c, const struct tracedat_record *r, int pid)
{
	const struct field *args = format_field(c->enter, "args");
	struct call call = { .began = r->time,
			     .pid = pid,
			     .number = calls_field(c->enter, "id", r) };

	if (args && args->offset + sizeof(call.args) <= r->size)
		memcpy(call.args, (const uint8_t *)r->data + args->offset, sizeof(call.args));
	call.for_good = syscalls_ends_task(c->syscalls, call.number);
	call.ended = call.for_good ? call.began : 0;
	return calls_lose(c, pid, r->time) < 0 ? -1 : calls_push(c, &call);
}

/* Returning from a signal has no number of its own. */
static bool call_is_of(const struct call *call, long number)
{
	return number < 0 || call->number == number;
}

static int calls_end(struct calls *c, const struct tracedat_record *r, int pid)
{
	long number = calls_field(c->exit, "id", r), result = calls_field(c->exit, "ret", r);
	struct call *open = calls_open_one(c, pid), *long_one = calls_long_one(c, pid);
	struct call call = { .ended = r->time, .pid = pid, .number = number, .result = result };

	if (open && call_is_of(open, number)) {
		open->ended = r->time;
		open->result = result;
		c->current[pid] = 0;
		return calls_flush(c, false, r->time);
	}
	if (!open && long_one && call_is_of(long_one, number)) {
		long_one->result = result;
		return calls_end_long(c, long_one, r->time);
	}
	return calls_lose(c, pid, r->time) < 0 ? -1 : calls_push(c, &call);
}

int calls_take(struct calls *c, const struct tracedat_record *r)
{
	uint16_t id = event_id(r);
	int pid;

	if (!c->enter || !c->exit || (id != c->enter->id && id != c->exit->id))
		return 0;
	pid = (int)calls_field(c->enter, "common_pid", r);
	if (pid < 0 || (unsigned)pid >= TASKS_MAX)
		return 0;
	return id == c->enter->id ? calls_begin(c, r, pid) : calls_end(c, r, pid);
}

int calls_finish(struct calls *c, uint64_t until)
{
	int r = 0;

	for (; r == 0 && c->first < c->next; c->first++)
		r = call_tell(c, calls_at(c, c->first), until, false);
	for (size_t i = 0; r == 0 && i < c->n_long; i++)
		r = call_tell(c, &c->long_ones[i], until, false);
	c->n_long = 0;
	return r;
}
