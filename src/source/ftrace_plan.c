#include "source/ftrace_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/units.h"
#include "trace/filter.h"
#include "trace/format.h"
#include "trace/tracing.h"

const char *ftrace_dir(const struct source *s)
{
	return json_is_true(json_object_get(s->spec, "calls")) ? "syscalls" : "trace";
}

static bool ftrace_is_list_of(const json_t *list, json_type type)
{
	size_t i;
	json_t *item;

	json_array_foreach (list, i, item)
		if (json_typeof(item) != type)
			return false;
	return !list || json_is_array(list);
}

/* A list of tasks that cannot be read would record those of all. */
static int ftrace_check(const json_t *spec, struct err *e)
{
	const json_t *stack = json_object_get(spec, "stack"),
		     *post = json_object_get(spec, "post_keep");

	if (!ftrace_is_list_of(json_object_get(spec, "pids"), JSON_INTEGER) ||
	    !ftrace_is_list_of(json_object_get(spec, "comm"), JSON_STRING) ||
	    !ftrace_is_list_of(json_object_get(spec, "events"), JSON_OBJECT))
		return err_set(e, "'pids', 'comm' or 'events' of t.ftrace is not well-formed");
	if ((stack && !json_is_boolean(stack)) ||
	    (post && (!json_is_integer(post) || json_integer_value(post) < 0 ||
		      json_integer_value(post) > 1ll << 40)))
		return err_set(e, "'stack' or 'post_keep' of t.ftrace is not well-formed");
	return 0;
}

int ftrace_decode(struct source *s, struct err *e)
{
	struct ftrace *f = calloc(1, sizeof(*f));

	s->data = f;
	if (!f)
		return err_set(e, "no memory");
	if (ftrace_check(s->spec, e) < 0)
		return e->code;
	f->keep = json_integer_value(json_object_get(s->spec, "keep"));
	f->post_keep = json_integer_value(json_object_get(s->spec, "post_keep"));
	f->stack = json_is_true(json_object_get(s->spec, "stack"));
	if (f->keep < 4096 || f->keep > 1ull << 40)
		return err_set(e, "t.ftrace: keep = \"%s\" is not between 4K and 1T",
			       size_text(f->keep).text);
	if (!json_array_size(json_object_get(s->spec, "events")))
		return err_set(e, "t.ftrace has no events");
	return 0;
}

static void ftrace_clear_events(struct ftrace *f)
{
	for (size_t i = 0; i < f->n_events; i++) {
		free(f->events[i].system);
		free(f->events[i].name);
		free(f->events[i].filter);
	}
	free(f->events);
	f->events = NULL;
	f->n_events = 0;
}

void ftrace_free(struct source *s)
{
	struct ftrace *f = s->data;

	if (!f)
		return;
	ftrace_clear_events(f);
	free(f);
	s->data = NULL;
}

/* The recipe's filter and its command names as one text for the kernel; NULL where neither is
 * given. */
static char *ftrace_filter_text(const struct source *s, const char *filter)
{
	const json_t *comms = json_object_get(s->spec, "comm");
	char *text = NULL;
	size_t i, size;
	json_t *comm;
	FILE *out;

	if (!filter && !json_array_size(comms))
		return NULL;
	out = open_memstream(&text, &size);
	if (!out)
		return NULL;
	if (filter)
		fprintf(out, "(%s)%s", filter, json_array_size(comms) ? " && (" : "");
	json_array_foreach (comms, i, comm)
		fprintf(out, "%sCOMM == \"%s\"", i ? " || " : "", json_string_value(comm));
	if (filter && json_array_size(comms))
		fputc(')', out);
	fclose(out);
	return text;
}

/* The filter as our own parser understood it, so that a bracket cannot get lost on the way to the
 * kernel. */
static int ftrace_parse_filter(const struct source *s, const struct format *format,
			       const char *filter, char **ret, struct err *e)
{
	autofree char *text = ftrace_filter_text(s, filter);
	struct filter *parsed;

	*ret = NULL;
	if (!text)
		return 0;
	if (filter_parse(&parsed, text, format, e) < 0) {
		err_wrap(e, "filter of '%s:%s'", format->system, format->name);
		return err_exit(e, EXIT_USAGE);
	}
	*ret = filter_text(parsed);
	filter_free(parsed);
	return *ret ? 0 : err_set(e, "no memory");
}

static struct ftrace_event *ftrace_find(struct ftrace *f, const struct format *format)
{
	for (size_t i = 0; i < f->n_events; i++)
		if (!strcmp(f->events[i].system, format->system) &&
		    !strcmp(f->events[i].name, format->name))
			return &f->events[i];
	return NULL;
}

static struct ftrace_event *ftrace_append(struct ftrace *f, const char *system, const char *name)
{
	struct ftrace_event *grown = realloc(f->events, (f->n_events + 1) * sizeof(*grown));

	if (!grown)
		return NULL;
	f->events = grown;
	grown[f->n_events] =
		(struct ftrace_event) { .system = strdup(system), .name = strdup(name) };
	return &grown[f->n_events++];
}

/* Adds one event. Where it is named twice, the literal name wins over the glob. */
static int ftrace_add(struct source *s, const json_t *spec, const struct format *format,
		      bool literal, struct err *e)
{
	struct ftrace *f = s->data;
	const char *filter = json_string_value(json_object_get(spec, "filter"));
	struct ftrace_event *event = ftrace_find(f, format);
	autofree char *text = NULL;

	if (event && event->literal && literal)
		return err_set(e, "event '%s:%s' is named twice in ring '%s'", format->system,
			       format->name, s->name);
	if (event && !literal)
		return 0;
	if (ftrace_parse_filter(s, format, filter, &text, e) < 0)
		return e->code;
	if (!event)
		event = ftrace_append(f, format->system, format->name);
	if (!event || !event->system || !event->name)
		return err_set(e, "no memory");
	free(event->filter);
	event->filter = take_ptr(text);
	event->literal = literal;
	event->stack = f->stack || json_is_true(json_object_get(spec, "stack"));
	return 0;
}

static int ftrace_add_named(struct source *s, const json_t *spec, const char *name, bool literal,
			    struct err *e)
{
	const char *colon = strchr(name, ':');
	autofree char *system = strndup(name, colon ? (size_t)(colon - name) : 0);
	struct format *format;
	int r;

	if (!colon || !system)
		return err_set(e, "'%s' is no event: it is written SYSTEM:NAME", name);
	if (tracing_format(s->tracing, system, colon + 1, &format, e) < 0)
		return e->code;
	r = ftrace_add(s, spec, format, literal, e);
	format_free(format);
	return r;
}

/* Its filter waits until there is a format to read it by. */
static int ftrace_add_unmade(struct source *s, const json_t *spec, const struct probe *probe,
			     struct err *e)
{
	const char *what = strchr(probe->event, ':') + 1;
	autofree char *kind = strndup(probe->event, what - 1 - probe->event);
	struct ftrace *f = s->data;
	struct ftrace_event *event;

	for (size_t i = 0; i < f->n_events; i++)
		if (f->events[i].probe == probe)
			return err_set(e, "event '%s' is named twice in ring '%s'", probe->event,
				       s->name);
	event = kind ? ftrace_append(f, kind, what) : NULL;
	if (!event || !event->system || !event->name)
		return err_set(e, "no memory");
	event->probe = probe;
	event->filter = ftrace_filter_text(s, json_string_value(json_object_get(spec, "filter")));
	event->stack = f->stack || json_is_true(json_object_get(spec, "stack"));
	return 0;
}

static int ftrace_add_probe(struct source *s, const json_t *spec, struct err *e)
{
	struct probe *probe = probes_find(s->probes, spec);
	struct format *format;
	int r;

	if (probe_format(probe, s->tracing, &format, e) < 0)
		return e->code;
	r = format ? ftrace_add(s, spec, format, true, e) : ftrace_add_unmade(s, spec, probe, e);
	format_free(format);
	return r;
}

static int ftrace_add_glob(struct source *s, const json_t *spec, const char *glob, struct err *e)
{
	char **names;
	int r = 0;
	size_t n;

	if (tracing_glob(s->tracing, glob, &names, &n, e) < 0)
		return e->code;
	for (size_t i = 0; i < n && !r; i++)
		r = ftrace_add_named(s, spec, names[i], false, e);
	names_free(names);
	if (!r && !n) {
		err_set(e, "no event of this host matches '%s'", glob);
		return err_exit(e, EXIT_HOST);
	}
	return r;
}

static int ftrace_add_spec(struct source *s, const json_t *spec, struct err *e)
{
	const char *event = json_string_value(json_object_get(spec, "event"));
	const char *at = json_string_value(json_object_get(spec, "at"));
	int r;

	if (!event ||
	    (json_object_get(spec, "filter") && !json_is_string(json_object_get(spec, "filter"))))
		return err_set(
			e,
			"the plan has an event without a name, or with a filter that is no text");
	if (probe_is(event))
		r = ftrace_add_probe(s, spec, e);
	else if (strpbrk(event, "*?["))
		r = ftrace_add_glob(s, spec, event, e);
	else
		r = ftrace_add_named(s, spec, event, true, e);
	if (r < 0 && e->exit == EXIT_HOST && json_is_true(json_object_get(spec, "optional")))
		return 0;
	return r < 0 ? err_wrap(e, "%s", at ? at : s->at) : 0;
}

int ftrace_expand(struct source *s, struct err *e)
{
	struct ftrace *f = s->data;
	size_t i;
	json_t *spec;

	ftrace_clear_events(f);
	json_array_foreach (json_object_get(s->spec, "events"), i, spec) {
		*e = (struct err)ERR_INIT;
		if (ftrace_add_spec(s, spec, e) < 0)
			return e->code;
	}
	*e = (struct err)ERR_INIT;
	return 0;
}
