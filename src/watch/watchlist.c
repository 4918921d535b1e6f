#include "watch/watchlist.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "trace/comm.h"

/* Who watches an event. */
struct watcher {
	struct selector *selector;
	size_t like; /* the first of them with the same filter */
	bool passes; /* of that one: the record at hand */
};

/* One event. */
struct watched {
	uint16_t id;
	const struct field *pid;
	struct watcher *watchers;
	size_t n;
	bool alike; /* they all have the same filter */
};

struct watchlist {
	struct watched *events;
	size_t n;
	int comms;
	bool all;
};

static struct watched *watchlist_find(const struct watchlist *list, uint16_t id)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->events[i].id == id)
			return &list->events[i];
	return NULL;
}

static bool watcher_is_like(const struct watcher *a, const struct watcher *b)
{
	const struct filter *x = a->selector->filter, *y = b->selector->filter;
	autofree char *one = x ? filter_text(x) : NULL, *other = y ? filter_text(y) : NULL;

	return x && y ? one && other && !strcmp(one, other) : x == y;
}

static int watchlist_add(struct watchlist *list, struct selector *s, struct err *e)
{
	struct watched *event = watchlist_find(list, s->format->id);
	struct watcher *grown;
	size_t like = 0;

	if (!event) {
		event = &list->events[list->n++];
		event->id = s->format->id;
		event->pid = format_field(s->format, "common_pid");
		event->alike = true;
	}
	grown = realloc(event->watchers, (event->n + 1) * sizeof(*grown));
	if (!grown)
		return err_set(e, "no memory");
	event->watchers = grown;
	grown[event->n] = (struct watcher) { .selector = s };
	while (!watcher_is_like(&grown[like], &grown[event->n]))
		like++;
	grown[event->n++].like = like;
	event->alike = event->alike && like == 0;
	return 0;
}

int watchlist_create(struct watchlist **ret, struct selector *const *selectors, size_t n, int comms,
		     bool all, struct err *e)
{
	struct watchlist *list = calloc(1, sizeof(*list));

	if (!list)
		return err_set(e, "no memory");
	*list = (struct watchlist) { .comms = comms, .all = all };
	list->events = calloc(n + 1, sizeof(*list->events));
	if (!list->events)
		err_set(e, "no memory");
	for (size_t i = 0; e->code == 0 && i < n; i++)
		if (selectors[i]->format)
			watchlist_add(list, selectors[i], e);
	if (e->code < 0) {
		watchlist_free(list);
		return e->code;
	}
	*ret = list;
	return 0;
}

void watchlist_free(struct watchlist *list)
{
	if (!list)
		return;
	for (size_t i = 0; i < list->n; i++)
		free(list->events[i].watchers);
	free(list->events);
	free(list);
}

/* Where all want the same of the event, the kernel's filter has said it all. */
static bool watchlist_passes(const struct watchlist *list, const struct watched *event,
			     const struct selector *s, const struct observation *o)
{
	struct filter_context context = { .cpu = o->cpu };
	char comm[COMM_SIZE];

	if (!s->filter || (event->alike && !list->all))
		return true;
	if (filter_uses_comm(s->filter)) {
		comm_recorded(comm, list->comms, o->pid);
		context.comm = comm;
	}
	return filter_match(s->filter, &context, o->data, o->size);
}

void watchlist_show(const struct watchlist *list, struct testqueue *queue, uint32_t cpu,
		    const struct ringpage_record *record)
{
	struct observation o = { .time = record->time,
				 .cpu = cpu,
				 .pid = -1,
				 .data = record->data,
				 .size = record->size };
	const struct watched *event;
	uint16_t id;

	if (record->size < 8)
		return;
	memcpy(&id, record->data, sizeof(id));
	event = watchlist_find(list, id);
	if (!event)
		return;
	if (event->pid)
		o.pid = field_int(event->pid, record->data, record->size);
	for (size_t i = 0; i < event->n; i++) {
		struct watcher *watcher = &event->watchers[i];
		const struct selector *s = watcher->selector;

		watcher->passes = watcher->like < i ? event->watchers[watcher->like].passes
						    : watchlist_passes(list, event, s, &o);
		if (watcher->passes && (!s->ops->match || s->ops->match(s, &o)))
			testqueue_see(queue, s, &o);
	}
}
