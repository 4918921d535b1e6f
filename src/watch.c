#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "auto.h"
#include "clock.h"
#include "comm.h"
#include "instance.h"
#include "live.h"
#include "message.h"
#include "units.h"

#define WATCH_BUFFER_KB "64" /* of each CPU: it holds only what the kernel has filtered */

struct watch {
	struct plan *plan;
	struct stop_page *stop;
	struct board *board;
	const struct ring_switch *switches;
	size_t n_switches;
	struct ringpage_layout layout;
	unsigned n_cpus;
	int *raw; /* trace_pipe_raw of each CPU, -1 where it has none */
	int comms;
	int tracing_on; /* of the watch instance itself; -1 if there is none */
	uint8_t *page;
	bool hole; /* the watch instance has lost records */
	struct tally
		*tallies; /* one for each condition; shared, so that a successor goes on counting */
	size_t tallies_size;
};

/* The times of the hits that still count. */
struct tally {
	uint64_t *times; /* the last `hits` of them, as a ring; only if there is `within` */
	uint64_t count;
};

/* A record that a condition matched. */
struct match {
	uint64_t time;
	const struct condition *condition;
	uint32_t cpu;
	uint32_t size;
	uint8_t *data;
};

/* What one round over all CPUs found. */
struct round {
	struct match *matches;
	size_t n;
};

/* The tallies, and behind them the times of those that need them. */
static int watch_share_tallies(struct watch *w, struct err *e)
{
	const struct plan *plan = w->plan;
	uint64_t *times;
	void *map;

	w->tallies_size = (plan->n_conditions + 1) * sizeof(*w->tallies);
	for (size_t i = 0; i < plan->n_conditions; i++)
		if (plan->conditions[i].within)
			w->tallies_size += plan->conditions[i].hits * sizeof(*times);
	map = mmap(NULL, w->tallies_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		   0);
	if (map == MAP_FAILED)
		return err_sys(e, "no memory to count hits");
	w->tallies = map;
	times = (uint64_t *)(w->tallies + plan->n_conditions + 1);
	for (size_t i = 0; i < plan->n_conditions; i++) {
		if (!plan->conditions[i].within)
			continue;
		w->tallies[i].times = times;
		times += plan->conditions[i].hits;
	}
	return 0;
}

static int watch_allocate(struct watch *w, struct capture *c, struct err *e)
{
	w->plan = c->plan;
	w->stop = c->stop;
	w->board = c->board;
	w->switches = c->switches;
	w->n_switches = c->n_switches;
	w->comms = w->tracing_on = -1;
	return watch_share_tallies(w, e);
}

static int watch_enable(struct capture *c, const char *name, const struct format *event,
			struct err *e)
{
	autofree char *filter = NULL;
	char file[300];
	bool any;

	if (condition_join(c->plan->conditions, c->plan->n_conditions, event, 2, &any, &filter, e) <
	    0)
		return e->code;
	snprintf(file, sizeof(file), "events/%s/%s/filter", event->system, event->name);
	if (filter && instance_write(c->tracing, name, file, filter, e) < 0)
		return e->code;
	snprintf(file, sizeof(file), "events/%s/%s/enable", event->system, event->name);
	return instance_write(c->tracing, name, file, "1", e);
}

/* The same event may serve several conditions: enabling it again changes nothing. */
static int watch_setup_instance(struct capture *c, const char *name, struct err *e)
{
	static const char *const settings[][2] = {
		{ "tracing_on", "0" },
		{ "trace_clock", "boot" },
		{ "buffer_size_kb", WATCH_BUFFER_KB },
		{ "buffer_percent", "0" },
	};

	for (size_t i = 0; i < countof(settings); i++)
		if (instance_write(c->tracing, name, settings[i][0], settings[i][1], e) < 0)
			return e->code;
	for (size_t i = 0; i < c->plan->n_conditions; i++)
		if (watch_enable(c, name, c->plan->conditions[i].format, e) < 0)
			return err_wrap(e, "%s", c->plan->conditions[i].at);
	return 0;
}

static int watch_open(struct watch *w, struct capture *c, const char *name, struct err *e)
{
	if (instance_layout(c->tracing, name, &w->layout, e) < 0 ||
	    instance_cpus(c->tracing, name, &w->n_cpus, e) < 0)
		return e->code;
	w->page = malloc(w->layout.page_size);
	w->raw = malloc(w->n_cpus * sizeof(*w->raw));
	if (!w->page || !w->raw) {
		w->n_cpus = 0;
		return err_set(e, "no memory");
	}
	for (unsigned cpu = 0; cpu < w->n_cpus; cpu++) {
		struct err absent = ERR_INIT;

		w->raw[cpu] = instance_open_cpu(c->tracing, name, cpu, "trace_pipe_raw", &absent);
	}
	w->comms = openat(tracing_fd(c->tracing), "saved_cmdlines", O_RDONLY | O_CLOEXEC);
	w->tracing_on = instance_open(c->tracing, name, "tracing_on", O_RDWR, e);
	return w->tracing_on < 0 ? e->code : 0;
}

static int watch_arm_instance(struct watch *w, struct capture *c, struct err *e)
{
	struct capture_name name = capture_instance(c->state, ".watch");

	if (watch_allocate(w, c, e) < 0)
		return e->code;
	if (!c->plan->n_conditions)
		return 0;
	if (ledger_instance(c->ledger, name.text, e) < 0 ||
	    instance_create(c->tracing, name.text, e) < 0 ||
	    watch_setup_instance(c, name.text, e) < 0)
		return e->code;
	return watch_open(w, c, name.text, e);
}

int watch_arm(struct watch **ret, struct capture *c, struct err *e)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (!w)
		return err_set(e, "no memory");
	if (watch_arm_instance(w, c, e) < 0) {
		watch_free(w);
		return err_wrap(e, "the stop conditions");
	}
	*ret = w;
	return 0;
}

int watch_start(struct watch *w, struct err *e)
{
	if (w->tracing_on >= 0 && pwrite(w->tracing_on, "1", 1, 0) != 1)
		return err_sys(e, "cannot turn the watch instance on");
	return 0;
}

void watch_restarted(struct watch *w)
{
	w->hole = true;
}

void watch_free(struct watch *w)
{
	if (!w)
		return;
	for (unsigned cpu = 0; cpu < w->n_cpus; cpu++)
		if (w->raw[cpu] >= 0)
			close(w->raw[cpu]);
	if (w->comms >= 0)
		close(w->comms);
	if (w->tracing_on >= 0)
		close(w->tracing_on);
	if (w->tallies)
		munmap(w->tallies, w->tallies_size);
	free(w->raw);
	free(w->page);
	free(w);
}

int watch_descriptors(const struct watch *w, int **fds, size_t *n, struct err *e)
{
	int *list = malloc((w->n_cpus + w->n_switches + 2) * sizeof(*list));

	if (!list)
		return err_set(e, "no memory");
	*n = 0;
	for (unsigned cpu = 0; cpu < w->n_cpus; cpu++)
		list[(*n)++] = w->raw[cpu];
	for (size_t i = 0; i < w->n_switches; i++)
		list[(*n)++] = w->switches[i].fd;
	list[(*n)++] = w->comms;
	list[(*n)++] = w->tracing_on;
	*fds = list;
	return 0;
}

static void watch_field(FILE *f, const struct field *field, const void *record, size_t size)
{
	const char *text;
	size_t length;

	if (field->kind == FIELD_INT && (field->is_signed || field->size < 8)) {
		fprintf(f, " %s=%lld", field->name, (long long)field_int(field, record, size));
	} else if (field->kind == FIELD_INT) {
		fprintf(f, " %s=%llu", field->name,
			(unsigned long long)field_int(field, record, size));
	} else if (field->kind != FIELD_OTHER) {
		text = field_string(field, record, size, &length);
		while (length && text[length - 1] == '\n')
			length--;
		fprintf(f, " %s=%.*s", field->name, (int)length, text);
	}
}

/* "sched:sched_switch prev_comm=... prev_pid=...": the event with its own fields, in one line. */
static void watch_describe(const struct condition *c, const void *record, size_t size, char *text,
			   size_t room)
{
	const struct format *format = c->format;
	FILE *f = fmemopen(text, room, "w");

	if (!f)
		return;
	if (c->probe)
		fputs(c->probe->event, f);
	else
		fprintf(f, "%s:%s", format->system, format->name);
	for (size_t i = 0; i < format->n_fields; i++)
		if (strncmp(format->fields[i].name, "common_", 7) &&
		    strncmp(format->fields[i].name, "__", 2))
			watch_field(f, &format->fields[i], record, size);
	fclose(f);
	text[room - 1] = '\0';
}

static void watch_fire(struct watch *w, const struct match *match)
{
	const struct condition *c = match->condition;
	const struct field *pid = format_field(c->format, "common_pid");
	struct stop_record record = {
		.by = STOP_CONDITION,
		.condition = c->index,
		.event = match->time,
		.cut = match->time + w->plan->post,
		.uncertain = w->hole,
		.cpu = match->cpu,
		.pid = pid ? field_int(pid, match->data, match->size) : -1,
	};
	struct err ignored = ERR_INIT;

	if (!w->plan->post) /* first of all, before anything is looked up or told */
		switches_off(w->switches, w->n_switches, &ignored);
	watch_describe(c, match->data, match->size, record.text, sizeof(record.text));
	stop_decide(w->stop, &record);
}

/* Counts a hit; true if it is the one that fires. */
static bool watch_tally(struct watch *w, const struct match *match)
{
	const struct condition *c = match->condition;
	struct tally *tally = &w->tallies[c->index];
	uint64_t *slot;

	w->board->conditions[c->index].seen++;
	w->board->conditions[c->index].last = match->time;
	tally->count++;
	if (!tally->times)
		return tally->count >= c->hits;
	slot = &tally->times[tally->count % c->hits];
	*slot = match->time;
	if (tally->count < c->hits)
		return false;
	/* signed: what came on another CPU may be a little older than what was read before it */
	return (int64_t)(match->time - tally->times[(tally->count + 1) % c->hits]) <=
	       (int64_t)c->within;
}

static void watch_keep(struct watch *w, struct round *round, const struct condition *c,
		       uint32_t cpu, const struct ringpage_record *record)
{
	struct match *grown = realloc(round->matches, (round->n + 1) * sizeof(*grown));
	uint8_t *data = malloc(record->size);

	if (grown)
		round->matches = grown;
	if (!grown || !data) {
		free(data);
		w->hole = true;
		return;
	}
	memcpy(data, record->data, record->size);
	grown[round->n++] = (struct match) {
		.time = record->time, .condition = c, .cpu = cpu, .size = record->size, .data = data
	};
}

/* Where only one condition watches the event, the kernel's filter has said it all. */
static bool watch_passes(const struct watch *w, const struct condition *c, uint32_t cpu,
			 const struct ringpage_record *record)
{
	const struct field *pid = format_field(c->format, "common_pid");
	struct filter_context context = { .cpu = cpu };
	char comm[COMM_SIZE];
	size_t sharing = 0;

	for (size_t i = 0; i < w->plan->n_conditions; i++)
		sharing += w->plan->conditions[i].format->id == c->format->id;
	if (sharing == 1 || !c->filter)
		return true;
	if (filter_uses_comm(c->filter)) {
		comm_recorded(comm, w->comms,
			      pid ? field_int(pid, record->data, record->size) : -1);
		context.comm = comm;
	}
	return filter_match(c->filter, &context, record->data, record->size);
}

/* Which conditions a record of the watch instance is for. */
static void watch_record(struct watch *w, struct round *round, uint32_t cpu,
			 const struct ringpage_record *record)
{
	uint16_t id;

	if (record->size < 8)
		return;
	memcpy(&id, record->data, sizeof(id));
	for (size_t i = 0; i < w->plan->n_conditions; i++) {
		const struct condition *c = &w->plan->conditions[i];

		if (c->format->id != id)
			continue;
		if (!watch_passes(w, c, cpu, record))
			continue;
		if (!c->ops->match || c->ops->match(c, record->data, record->size))
			watch_keep(w, round, c, cpu, record);
	}
}

static void watch_read_cpu(struct watch *w, struct round *round, unsigned cpu)
{
	struct ringpage_record record;
	struct ringpage walk;

	/* a flood must not keep us from deciding: at most what the ring holds */
	for (int pages = 0; pages < 16; pages++) {
		if (read(w->raw[cpu], w->page, w->layout.page_size) <= 0)
			return;
		ringpage_open(&walk, &w->layout, w->page);
		w->hole |= walk.missed;
		while (ringpage_next(&walk, &record) > 0)
			watch_record(w, round, cpu, &record);
	}
}

static int match_order(const void *a, const void *b)
{
	const struct match *x = a, *y = b;

	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	return x->condition->index < y->condition->index ? -1 : 1;
}

/* All that is readable now, in the order of time. */
static void watch_round(struct watch *w)
{
	struct round round = { 0 };

	for (unsigned cpu = 0; cpu < w->n_cpus; cpu++)
		if (w->raw[cpu] >= 0)
			watch_read_cpu(w, &round, cpu);
	if (round.n)
		qsort(round.matches, round.n, sizeof(*round.matches), match_order);
	for (size_t i = 0; i < round.n; i++) {
		if (!stop_get(w->stop) && watch_tally(w, &round.matches[i]))
			watch_fire(w, &round.matches[i]);
		free(round.matches[i].data);
	}
	free(round.matches);
}

/* Fills the set to wait on: the engine first, which is left out once it has spoken its last word.
 */
static void watch_pollfds(const struct watch *w, const struct live *live, struct pollfd *fds)
{
	fds[0] = (struct pollfd) { .fd = live->stopping ? -1 : live->engine, .events = POLLIN };
	for (unsigned cpu = 0; cpu < w->n_cpus; cpu++)
		fds[cpu + 1] = (struct pollfd) { .fd = w->raw[cpu], .events = POLLIN };
}

static void watch_until_decided(struct watch *w, struct live *live)
{
	autofree struct pollfd *fds = calloc(w->n_cpus + 1, sizeof(*fds));

	while (fds && !stop_get(w->stop)) {
		watch_pollfds(w, live, fds);
		poll(fds, w->n_cpus + 1, 1000);
		watch_round(w);
		if (fds[0].revents)
			live_wait(live, -1, 0);
		if (!live->stopping || stop_get(w->stop))
			continue;
		/* the engine is gone: what was recorded up to now is what can be saved */
		struct stop_record record = {
			.by = STOP_KILLED,
			.cpu = UINT32_MAX,
			.pid = -1,
			.event = clock_boot(),
			.cut = clock_boot(),
			.text = "the capture's main process was ended from outside"
		};
		stop_decide(w->stop, &record);
	}
}

int watch_main(void *arg, int engine, struct err *e)
{
	struct watch *w = arg;
	struct live live = { .engine = engine, .stop = w->stop };

	if (live_armed(&live, SANDBOX_HELD, e) < 0)
		return e->code == 0 ? -ECANCELED : e->code;
	watch_until_decided(w, &live);
	message_send(engine, MESSAGE_HIT, "");
	while (clock_boot() < stop_cut(w->stop) && !live.stopping)
		live_wait(&live, -1, stop_cut(w->stop));
	if (w->tracing_on >= 0 && pwrite(w->tracing_on, "0", 1, 0) != 1)
		return err_sys(e, "cannot turn the watch instance off");
	return switches_off(w->switches, w->n_switches, e);
}
