#include "replay/replay_choose.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "selector/packet.h"
#include "selector/reading.h"
#include "source/ftrace_plan.h"

static const char *spec_text(const json_t *spec, const char *key)
{
	const char *text = json_string_value(json_object_get(spec, key));

	return text ? text : "";
}

static int choice_add(struct replay_choice *choice, struct err *e, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* One more file, by the format of its path. */
static int choice_add(struct replay_choice *choice, struct err *e, const char *format, ...)
{
	char **grown = realloc(choice->paths, (choice->n_paths + 1) * sizeof(char *));
	va_list ap;
	int n;

	if (!grown)
		return err_set(e, "no memory");
	choice->paths = grown;
	va_start(ap, format);
	n = vasprintf(&grown[choice->n_paths], format, ap);
	va_end(ap);
	if (n < 0)
		return err_set(e, "no memory");
	choice->n_paths++;
	return 0;
}

/* What it has from the source of that name; false if that has nothing. A ring that nothing was
 * overwritten in has all from the start. */
static bool choice_window(struct replay_choice *choice, const struct recording *r,
			  const char *source)
{
	uint64_t started = recording_moment(r, "started", NULL);

	if (!recording_window(r, source, &choice->from, &choice->to))
		return false;
	if (choice->from < started)
		choice->from = started;
	return true;
}

/* Whether a condition of the recording looks for the same: */

static bool same_packet(const struct selector *a, const struct selector *b)
{
	const struct packet_selector *x = a->data, *y = b->data;

	return !strcmp(x->filter, y->filter) && !strcmp(x->interface, y->interface);
}

/* Of the same kind, with the same in each of those fields. */
static bool same_words(const struct selector *a, const struct selector *b)
{
	static const char *const keys[] = { "event", "filter", "text", "regex" };

	if (a->ops != b->ops)
		return false;
	for (size_t i = 0; i < countof(keys); i++)
		if (strcmp(spec_text(a->spec, keys[i]), spec_text(b->spec, keys[i])))
			return false;
	return true;
}

static bool same_reading(const struct selector *a, const struct selector *b)
{
	const struct reading_selector *x = a->data, *y = b->data;

	return same_words(a, b) && !strcmp(x->path, y->path) && !strcmp(x->trigger, y->trigger);
}

static bool choose_watched(struct replay_choice *choice, const struct recording *r)
{
	static bool (*const same[])(const struct selector *, const struct selector *) = {
		[STREAM_EVENTS] = same_words,
		[STREAM_PACKETS] = same_packet,
		[STREAM_READINGS] = same_reading,
	};
	const struct selector *s = choice->selector;

	for (size_t i = 0; i < r->plan->n_selectors; i++) {
		const struct selector *recorded = r->plan->selectors[i];

		if (recorded->ops->stream != s->ops->stream || !same[s->ops->stream](s, recorded))
			continue;
		choice->watched = true;
		choice->number = i;
		return choice_window(choice, r, plan_watched_names[s->ops->stream]);
	}
	return false;
}

/* Kernel events: */

static bool event_matches(const char *pattern, const char *event)
{
	return !strcmp(pattern, event) || fnmatch(pattern, event, 0) == 0;
}

/* How much of an event a t.ftrace has recorded: 0 nothing, 1 some, 2 all. */
static int ftrace_has(const struct source *s, const char *event, const char **filter)
{
	size_t i;
	json_t *entry;

	if (s->ops != &ftrace_source)
		return 0;
	json_array_foreach (json_object_get(s->spec, "events"), i, entry) {
		if (!event_matches(spec_text(entry, "event"), event))
			continue;
		*filter = spec_text(entry, "filter");
		return **filter || json_object_get(s->spec, "pids") ||
				       json_object_get(s->spec, "comm")
			       ? 1
			       : 2;
	}
	return 0;
}

static int choose_ring(struct replay_choice *choice, const struct recording *r, const char *event,
		       struct err *e)
{
	const struct source *best = NULL;
	const char *filter = "", *one = "";
	int most = 0;

	for (size_t i = 0; i < r->plan->n_sources; i++) {
		const struct source *s = &r->plan->sources[i];
		int has = ftrace_has(s, event, &one);

		if (has <= most || !choice_window(choice, r, s->name))
			continue;
		most = has;
		best = s;
		filter = one;
	}
	if (!best) {
		snprintf(choice->missing, sizeof(choice->missing),
			 "no event '%s' was recorded there", event);
		return 0;
	}
	choice_window(choice, r, best->name);
	choice->to = recording_moment(r, "stop", "cut"); /* with or without a last record */
	if (most == 1)
		snprintf(choice->remark, sizeof(choice->remark),
			 "only some of '%s' was recorded%s%s", event, *filter ? ": if " : "",
			 filter);
	return choice_add(choice, e, "%s/%s.dat", ftrace_dir(best), best->name);
}

static int choose_event(struct replay_choice *choice, const struct recording *r, struct err *e)
{
	choice->kind = REPLAY_EVENTS;
	if (choice->watched)
		return choice_add(choice, e, "watched/events.dat");
	return choose_ring(choice, r, spec_text(choice->selector->spec, "event"), e);
}

static int choose_line(struct replay_choice *choice, const struct recording *r, struct err *e)
{
	choice->kind = REPLAY_EVENTS;
	if (choice->watched)
		return choice_add(choice, e, "watched/events.dat");
	choice->kind = REPLAY_LOG;
	for (size_t i = 0; i < r->plan->n_sources; i++) {
		const struct source *s = &r->plan->sources[i];

		if (s->ops == &log_source && choice_window(choice, r, s->name))
			return choice_add(choice, e, "logs/%s.log", s->name);
	}
	snprintf(choice->missing, sizeof(choice->missing),
		 "the kernel's log was not recorded there");
	return 0;
}

/* Of several sources: what all of them have, in the time that they all do. */
static int choose_packets(struct replay_choice *choice, const struct recording *r, struct err *e)
{
	struct replay_choice all = { .from = 0, .to = UINT64_MAX };

	choice->kind = REPLAY_PACKETS;
	if (choice->watched)
		return choice_add(choice, e, "watched/packets.pcapng");
	for (size_t i = 0; i < r->plan->n_sources; i++) {
		const struct source *s = &r->plan->sources[i];

		if (s->ops != &packets_source || !choice_window(choice, r, s->name))
			continue;
		if (choice_add(choice, e, "packets/%s.pcapng", s->name) < 0)
			return e->code;
		all.from = choice->from > all.from ? choice->from : all.from;
		all.to = choice->to < all.to ? choice->to : all.to;
	}
	choice->from = all.from;
	choice->to = all.to;
	snprintf(choice->missing, sizeof(choice->missing), "no packets were recorded there");
	snprintf(choice->remark, sizeof(choice->remark),
		 "only packets that the t.packets of the recording took");
	return 0;
}

/* Readings: */

static bool files_has(const struct source *s, const char *path)
{
	size_t i;
	json_t *entry;

	if (s->ops != &files_source || !json_object_get(s->spec, "every"))
		return false;
	json_array_foreach (json_object_get(s->spec, "paths"), i, entry)
		if (fnmatch(spec_text(entry, "path"), path, FNM_PATHNAME) == 0)
			return true;
	return false;
}

/* Lines of the journal or of a file. */
static int choose_textline(struct replay_choice *choice, const struct recording *r, struct err *e)
{
	const struct reading_selector *reading = choice->selector->data;

	choice->kind = REPLAY_LOG;
	for (size_t i = 0; i < r->plan->n_sources; i++) {
		const struct source *s = &r->plan->sources[i];

		if (s->ops == &textlog_source &&
		    !strcmp(spec_text(s->spec, "log"), reading->path) &&
		    choice_window(choice, r, s->name))
			return choice_add(choice, e, "logs/%s.log", s->name);
	}
	snprintf(choice->missing, sizeof(choice->missing), "the log '%s' was not recorded there",
		 reading->path);
	return 0;
}

static int choose_reading(struct replay_choice *choice, const struct recording *r, struct err *e)
{
	const struct reading_selector *reading = choice->selector->data;

	choice->kind = REPLAY_READINGS;
	if (choice->watched)
		return choice_add(choice, e, "watched/readings.jsonl");
	if (reading->kind == READING_LINES)
		return choose_textline(choice, r, e);
	choice->kind = REPLAY_SAMPLES;
	for (size_t i = 0; reading->kind == READING_FILE && i < r->plan->n_sources; i++) {
		const struct source *s = &r->plan->sources[i];

		if (files_has(s, reading->path) && choice_window(choice, r, s->name))
			return choice_add(choice, e, "samples%s", reading->path);
	}
	snprintf(choice->missing, sizeof(choice->missing), "%s '%s' was not looked at there",
		 choice->selector->ops->type, reading->path);
	return 0;
}

int replay_choose(struct replay_choice *ret, const struct recording *r, const struct selector *s,
		  struct err *e)
{
	*ret = (struct replay_choice) { .selector = s };
	if (!choose_watched(ret, r))
		ret->watched = false;
	if (s->ops->stream == STREAM_PACKETS)
		return choose_packets(ret, r, e);
	if (s->ops->stream == STREAM_READINGS)
		return choose_reading(ret, r, e);
	return s->ops == &line_selector ? choose_line(ret, r, e) : choose_event(ret, r, e);
}

void replay_choice_clear(struct replay_choice *choice)
{
	for (size_t i = 0; i < choice->n_paths; i++)
		free(choice->paths[i]);
	free(choice->paths);
	*choice = (struct replay_choice) { 0 };
}
