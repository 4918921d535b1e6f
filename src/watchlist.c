#include "watchlist.h"

#include <stdlib.h>
#include <string.h>

#include "comm.h"

/* One event, and who watches it. */
struct watched {
	uint16_t id;
	const struct field *pid;
	struct selector **selectors;
	size_t n;
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

static int watchlist_add(struct watchlist *list, struct selector *s, struct err *e)
{
	struct watched *event = watchlist_find(list, s->format->id);
	struct selector **grown;

	if (!event) {
		event = &list->events[list->n++];
		event->id = s->format->id;
		event->pid = format_field(s->format, "common_pid");
	}
	grown = realloc(event->selectors, (event->n + 1) * sizeof(void *));
	if (!grown)
		return err_set(e, "no memory");
	event->selectors = grown;
	grown[event->n++] = s;
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
		free(list->events[i].selectors);
	free(list->events);
	free(list);
}

/* Where only one selector watches the event, the kernel's filter has said it all. */
static bool watchlist_passes(const struct watchlist *list, const struct watched *event,
			     const struct selector *s, const struct observation *o)
{
	struct filter_context context = { .cpu = o->cpu };
	char comm[COMM_SIZE];

	if (!s->filter || (event->n == 1 && !list->all))
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
		const struct selector *s = event->selectors[i];

		if (watchlist_passes(list, event, s, &o) &&
		    (!s->ops->match || s->ops->match(s, &o)))
			testqueue_see(queue, s, &o);
	}
}
