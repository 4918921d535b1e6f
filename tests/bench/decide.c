/* How long a decision takes, from the event to the stop record: decide RECIPE.lua N KIND
 *
 * Arms the recipe's conditions N times as a capture does, in a process that watches, with a kernel
 * ring that it turns off before it decides, and each time makes what KIND says: "event", "events"
 * or "packet", which are setpriority(95, ...), two of them, and a datagram to port 19777 of this
 * machine.
 *
 * Prints for each the time from the event, or from the deadline, as the stop record has it, to when
 * that record was there, in us. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/ulid.h"
#include "base/units.h"
#include "capture/capture.h"
#include "prepare/prepare.h"
#include "process/worker.h"
#include "trace/instance.h"
#include "watch/watch.h"

#define WHICH 95
#define PORT 19777
#define WAIT (5 * NS_PER_S)
#define LOOK_US 10 /* how often it is looked whether it is decided: that much is added at most */

struct decision {
	struct prepared p;
	struct luatest *tests;
	struct script *script;
	struct state *state;
	struct capture c;
	struct watch *watch;
	struct worker watcher;
};

/* A kernel ring that is turned off, as t.ftrace has it. */
static int add_ring(struct decision *d, struct err *e)
{
	struct capture_name name = capture_instance(d->state, "ring");
	int fd;

	if (ledger_instance(d->c.ledger, name.text, e) < 0 ||
	    instance_create(d->c.tracing, name.text, e) < 0)
		return e->code;
	fd = instance_open(d->c.tracing, name.text, "tracing_on", O_RDWR, e);
	return fd < 0 ? e->code : capture_add_switch(&d->c, fd, true, e);
}

/* What the conditions look at is kept, as in a capture. */
static int arm_watched(struct decision *d, struct err *e)
{
	for (size_t i = 0; i < d->c.plan->n_sources; i++) {
		struct source *s = &d->c.plan->sources[i];

		s->stats = &d->c.board->sources[i];
		if (s->ops == &watched_source && s->ops->arm(s, &d->c, e) < 0)
			return e->code;
	}
	return 0;
}

static int start_watcher(struct decision *d, struct err *e)
{
	autofree int *keep = NULL;
	uint64_t until = clock_boot() + WAIT;
	struct message message;
	size_t n;

	if (watch_descriptors(d->watch, &keep, &n, e) < 0 ||
	    worker_start(&d->watcher, "watch", watch_main, d->watch, keep, n, e) < 0)
		return e->code;
	while (!d->watcher.armed && d->watcher.fd >= 0 && clock_boot() < until) {
		worker_receive(&d->watcher, &message);
		usleep(1000);
	}
	if (!d->watcher.armed)
		return err_set(e, "nobody watches: %s", d->watcher.err.text);
	snprintf(message.text, sizeof(message.text), "%llu", (unsigned long long)clock_boot());
	return message_send(d->watcher.fd, MESSAGE_START, message.text);
}

static int decision_arm(struct decision *d, const char *recipe, struct err *e)
{
	const struct options options = { 0 };
	char id[ULID_SIZE];

	ulid_make(id, anchor_take().wall_ns);
	if (prepare(&d->p, &options, &recipe, 1, e) < 0 ||
	    prepare_tests(&d->p, &recipe, 1, &d->tests, &d->script, e) < 0 ||
	    state_create(&d->state, id, e) < 0)
		return e->code;
	d->c = (struct capture) {
		.plan = d->p.plan, .state = d->state, .tracing = d->p.tracing, .tests = d->tests
	};
	if (ledger_open(&d->c.ledger, d->state->fd, e) < 0 ||
	    stop_create(&d->c.stop, d->state->fd, e) < 0 ||
	    board_create(&d->c.board, d->state->fd, e) < 0 || add_ring(d, e) < 0 ||
	    arm_watched(d, e) < 0 || watch_arm(&d->watch, &d->c, e) < 0 || start_watcher(d, e) < 0)
		return e->code;
	return watch_start(d->watch, e);
}

/* Undoes all of it, whatever there is. */
static void decision_end(struct decision *d)
{
	struct err ignored = ERR_INIT;

	worker_kill(&d->watcher);
	watch_free(d->watch);
	for (size_t i = 0; i < d->c.n_switches; i++)
		close(d->c.switches[i].fd);
	free(d->c.switches);
	if (d->c.ledger && ledger_undo(d->c.ledger, d->c.tracing, &ignored) < 0)
		fprintf(stderr, "decide: left behind: %s\n", ignored.text);
	ledger_close(d->c.ledger);
	stop_close(d->c.stop);
	board_close(d->c.board);
	if (d->state)
		state_remove(d->state, &ignored);
	script_end(d->script);
	luatest_free(d->tests);
	prepared_clear(&d->p);
}

static void make_event(void)
{
	setpriority(WHICH, 1, 0);
}

static void make_events(void)
{
	make_event();
	make_event();
}

static void make_packet(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	autoclose int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sendto(fd, "made", 4, 0, (struct sockaddr *)&to, sizeof(to));
}

static const struct kind {
	const char *name;
	void (*make)(void);
} kinds[] = { { "event", make_event }, { "events", make_events }, { "packet", make_packet } };

static const struct kind *kind_find(const char *name)
{
	for (size_t i = 0; i < countof(kinds); i++)
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	return NULL;
}

/* At any moment of what the process that watches does at a rate. */
static int decision_make(struct decision *d, const struct kind *kind, struct err *e)
{
	uint64_t until = clock_boot() + WAIT, now;
	const struct stop_record *stop;

	usleep(5000 + rand() % 5000);
	kind->make();
	while (!(stop = stop_get(d->c.stop)) && clock_boot() < until)
		usleep(LOOK_US);
	now = clock_boot();
	if (!stop || stop->by != STOP_CONDITION)
		return err_set(e, "no condition has decided");
	printf("%lld\n", ((long long)now - (long long)stop->event) / (long long)NS_PER_US);
	return 0;
}

static int decide(const char *recipe, const struct kind *kind, struct err *e)
{
	struct decision d = { .watcher = { .fd = -1 } };

	if (decision_arm(&d, recipe, e) == 0)
		decision_make(&d, kind, e);
	decision_end(&d);
	return e->code;
}

int main(int argc, char **argv)
{
	const struct kind *kind = argc == 4 ? kind_find(argv[3]) : NULL;
	struct err e = ERR_INIT;

	if (!kind)
		return fprintf(stderr, "it is called with: RECIPE.lua N KIND\n"), 2;
	prctl(PR_SET_TIMERSLACK, 1);
	for (int n = atoi(argv[2]); n > 0; n--)
		if (decide(argv[1], kind, &e) < 0)
			return fprintf(stderr, "decide: %s\n", e.text), 1;
	return 0;
}
