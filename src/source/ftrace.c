/* t.ftrace: a kernel ring of its own, in overwrite mode, that the stop event turns off; with
 * `post`, a second ring that the same event turns on. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/io.h"
#include "capture/capture.h"
#include "plan/plan.h"
#include "source/ftrace_plan.h"
#include "source/ftrace_save.h"
#include "trace/instance.h"

/* With `post`, the kernel can only go on recording after a condition that it decides itself. */
static bool ftrace_has_post(const struct plan *plan)
{
	for (size_t i = 0; plan->post && i < plan->n_conditions; i++)
		if (condition_tier(&plan->conditions[i]) == 1)
			return true;
	return false;
}

static int ftrace_find_pids(const struct source *s, struct err *e)
{
	char path[48];
	size_t i;
	json_t *pid;

	json_array_foreach (json_object_get(s->spec, "pids"), i, pid) {
		snprintf(path, sizeof(path), "/proc/%lld", (long long)json_integer_value(pid));
		if (access(path, F_OK) == 0)
			continue;
		err_set(e, "there is no process %lld", (long long)json_integer_value(pid));
		return err_exit(e, EXIT_HOST);
	}
	return 0;
}

static int ftrace_probe(struct source *s, struct cost *cost, struct err *e)
{
	struct ftrace *f = s->data;

	if (ftrace_expand(s, e) < 0 || ftrace_find_pids(s, e) < 0)
		return e->code;
	cost->ring_bytes = f->keep;
	cost->kernel_bytes = f->keep + f->post_keep;
	cost->output_bytes = f->keep + f->post_keep + (8 << 20);
	return 0;
}

static int ftrace_set(struct capture *c, const char *instance, const struct ftrace_event *event,
		      const char *file, const char *value, struct err *e)
{
	char path[400];

	snprintf(path, sizeof(path), "events/%s/%s/%s", event->system, event->name, file);
	return instance_append(c->tracing, instance, path, value, e);
}

/* A trigger knows nothing of the event's own filter. */
static int ftrace_stack(struct capture *c, const char *instance, const struct ftrace_event *event,
			struct err *e)
{
	autofree char *text = NULL;

	if (asprintf(&text, "stacktrace%s%s", event->filter ? " if " : "",
		     event->filter ? event->filter : "") < 0)
		return err_set(e, "no memory");
	return ftrace_set(c, instance, event, "trigger", text, e);
}

static int ftrace_enable(struct capture *c, const char *instance, const struct ftrace_event *event,
			 struct err *e)
{
	if (event->filter && ftrace_set(c, instance, event, "filter", event->filter, e) < 0)
		return e->code;
	if (event->stack && ftrace_stack(c, instance, event, e) < 0)
		return e->code;
	return ftrace_set(c, instance, event, "enable", "1", e);
}

static int ftrace_size(struct capture *c, const char *instance, uint64_t keep, struct err *e)
{
	char kb[32];
	unsigned cpus;

	if (instance_cpus(c->tracing, instance, &cpus, e) < 0)
		return e->code;
	snprintf(kb, sizeof(kb), "%llu",
		 (unsigned long long)(keep / cpus / 1024 > 8 ? keep / cpus / 1024 : 8));
	return instance_write(c->tracing, instance, "buffer_size_kb", kb, e);
}

static int ftrace_pid(struct capture *c, const char *instance, const char *tid, struct err *e)
{
	return instance_append(c->tracing, instance, "set_event_pid", tid, e);
}

/* The kernel goes by threads: all that the process has now; what they fork from here on follows by
 * itself. */
static int ftrace_threads(struct capture *c, const char *instance, json_int_t pid, struct err *e)
{
	char path[48];
	autoclosedir DIR *dir = NULL;
	struct dirent *entry;

	snprintf(path, sizeof(path), "/proc/%lld/task", (long long)pid);
	dir = opendir(path);
	if (!dir) {
		err_set(e, "there is no process %lld", (long long)pid);
		return err_exit(e, EXIT_HOST);
	}
	while ((entry = readdir(dir)))
		if (*entry->d_name != '.' && ftrace_pid(c, instance, entry->d_name, e) < 0)
			return e->code;
	return 0;
}

/* Forks are followed first, so that no thread slips through between the list and its use. */
static int ftrace_pids(struct source *s, struct capture *c, const char *instance, struct err *e)
{
	const json_t *pids = json_object_get(s->spec, "pids");
	size_t i;
	json_t *pid;

	if (json_array_size(pids) &&
	    instance_write(c->tracing, instance, "options/event-fork", "1", e) < 0)
		return e->code;
	json_array_foreach (pids, i, pid)
		if (ftrace_threads(c, instance, json_integer_value(pid), e) < 0)
			return e->code;
	return 0;
}

/* Arms "traceoff" or "traceon" on the event of each condition that the kernel can decide. */
static int ftrace_trigger(struct capture *c, const char *instance, const struct format *format,
			  const char *what, struct err *e)
{
	struct ftrace_event event = { .system = format->system, .name = format->name };
	autofree char *filter = NULL, *text = NULL;
	bool any;

	if (condition_join(c->plan->selectors, c->plan->n_selectors, format, 1, &any, &filter, e) <
	    0)
		return e->code;
	if (asprintf(&text, "%s:1%s%s", what, filter ? " if " : "", filter ? filter : "") < 0)
		return err_set(e, "no memory");
	return ftrace_set(c, instance, &event, "trigger", text, e);
}

/* One trigger an event: conditions on the same event share it. */
static bool ftrace_is_first_on_event(const struct plan *plan, size_t i)
{
	const struct selector *s = plan->selectors[i];

	if (condition_tier(s->owner) != 1)
		return false;
	for (size_t j = 0; j < i; j++)
		if (condition_tier(plan->selectors[j]->owner) == 1 &&
		    selector_watches(plan->selectors[j], s->format->id))
			return false;
	return true;
}

static int ftrace_arm_triggers(struct capture *c, const char *instance, const char *what,
			       struct err *e)
{
	for (size_t i = 0; i < c->plan->n_selectors; i++) {
		const struct selector *s = c->plan->selectors[i];

		if (ftrace_is_first_on_event(c->plan, i) &&
		    ftrace_trigger(c, instance, s->format, what, e) < 0)
			return err_wrap(e, "%s", s->at);
	}
	return 0;
}

static int ftrace_make(struct source *s, struct capture *c, const char *instance, enum side side,
		       struct err *e)
{
	const struct ftrace *f = s->data;

	if (ledger_instance(c->ledger, instance, e) < 0 ||
	    instance_create(c->tracing, instance, e) < 0 ||
	    instance_write(c->tracing, instance, "tracing_on", "0", e) < 0 ||
	    instance_write(c->tracing, instance, "trace_clock", "boot", e) < 0 ||
	    instance_write(c->tracing, instance, "options/overwrite", side == BEFORE ? "1" : "0",
			   e) < 0 ||
	    instance_write(c->tracing, instance, "options/markers", "0", e) < 0 ||
	    ftrace_size(c, instance, side == BEFORE ? f->keep : f->post_keep, e) < 0 ||
	    ftrace_pids(s, c, instance, e) < 0)
		return e->code;
	/* nothing ends a trial;
	 * the kernel runs an event's triggers newest first: the stop event's stack, then the end */
	if (!c->trial &&
	    ftrace_arm_triggers(c, instance, side == BEFORE ? "traceoff" : "traceon", e) < 0)
		return e->code;
	for (size_t i = 0; i < f->n_events; i++)
		if (ftrace_enable(c, instance, &f->events[i], e) < 0)
			return e->code;
	return 0;
}

static int ftrace_make_ring(struct source *s, struct capture *c, enum side side, struct err *e)
{
	struct capture_name instance = ftrace_instance(c->state, s, side);
	int fd;

	if (ftrace_make(s, c, instance.text, side, e) < 0)
		return e->code;
	fd = instance_open(c->tracing, instance.text, "tracing_on", O_RDWR, e);
	if (fd < 0)
		return fd;
	return capture_add_switch(c, fd, side == BEFORE, e);
}

/* For who has only the ledger to go by: turns off whatever of its rings is there. */
static int ftrace_stop(struct source *s, struct capture *c, struct err *e)
{
	for (enum side side = BEFORE; side <= AFTER; side++) {
		struct capture_name instance = ftrace_instance(c->state, s, side);
		struct err one = ERR_INIT;

		if (instance_write(c->tracing, instance.text, "tracing_on", "0", &one) < 0 &&
		    one.code != -ENOENT)
			*e = one;
	}
	return e->code;
}

static int ftrace_arm(struct source *s, struct capture *c, struct err *e)
{
	const struct ftrace *f = s->data;

	/* what its probes are called, and what their filters mean, is known since they were made */
	if (s->probes->n && ftrace_expand(s, e) < 0)
		return e->code;
	/* the ring after the event is armed last: an early hit would use its trigger up */
	if (ftrace_make_ring(s, c, BEFORE, e) < 0)
		return e->code;
	return f->post_keep && ftrace_has_post(c->plan) ? ftrace_make_ring(s, c, AFTER, e) : 0;
}

const struct source_ops ftrace_source = {
	.type = "ftrace",
	.decode = ftrace_decode,
	.probe = ftrace_probe,
	.arm = ftrace_arm,
	.stop = ftrace_stop,
	.stats = ftrace_stats,
	.save = ftrace_save,
	.free = ftrace_free,
};
