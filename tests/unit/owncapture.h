/* A capture of a test's own, as the engine holds it: a state directory on tmpfs, the plan, the
 * ledger, and kernel objects whose names nobody else has. */
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/io.h"
#include "capture/capture.h"
#include "plan/plan.h"
#include "scratch.h"

#define OWN_EVENT                                                                      \
	"syscalls:sys_enter_setpriority" /* nobody else calls it with what we look for \
					  */

struct owncapture {
	struct scratch dir; /* with `state` and `out` */
	struct state state;
	int out;
	struct capture c;
};

/* JSON without the quotes' noise: ' stands for ". The caller frees it. */
static inline char *own_json(const char *text)
{
	char *quoted = strdup(text);

	for (char *c = quoted; *c; c++)
		if (*c == '\'')
			*c = '"';
	return quoted;
}

/* Everything but the sources and conditions, which are only decoded and probed. PLAN is in
 * own_json's words. */
static inline void owncapture_open(struct owncapture *own, const char *plan)
{
	static unsigned count;
	autofree char *json = own_json(plan);
	struct err e = ERR_INIT;

	*own = (struct owncapture) { .state = { .lock = -1 } };
	own->c.state = &own->state;
	scratch_open(&own->dir);
	snprintf(own->state.id, sizeof(own->state.id), "unit%dx%u", getpid(), count++);
	snprintf(own->state.path, sizeof(own->state.path), "%s/state", own->dir.path);
	own->state.fd = scratch_dir(&own->dir, "state");
	own->out = scratch_dir(&own->dir, "out");
	if (tracing_open(&own->c.tracing, &e) < 0 || plan_parse(&own->c.plan, json, &e) < 0 ||
	    ledger_open(&own->c.ledger, own->state.fd, &e) < 0 ||
	    stop_create(&own->c.stop, own->state.fd, &e) < 0 ||
	    board_create(&own->c.board, own->state.fd, &e) < 0)
		fail_msg("%s", e.text);
	own->c.kernel_log = plan_has(own->c.plan, &log_source);
	for (size_t i = 0; i < own->c.plan->n_sources; i++) {
		own->c.plan->sources[i].stats = &own->c.board->sources[i];
		own->c.plan->sources[i].tracing = own->c.tracing;
	}
	for (size_t i = 0; i < own->c.plan->n_conditions; i++)
		if (condition_probe(&own->c.plan->conditions[i], own->c.tracing, &e) < 0)
			fail_msg("%s", e.text);
}

static inline void own_let_go(struct owncapture *own)
{
	for (size_t i = 0; i < own->c.n_switches; i++)
		close(own->c.switches[i].fd);
	free(take_ptr(own->c.switches));
	own->c.n_switches = 0;
}

static inline void owncapture_close(struct owncapture *own)
{
	struct err e = ERR_INIT;
	int r;

	own_let_go(own);
	r = ledger_undo(own->c.ledger, own->c.tracing, &e);
	ledger_close(own->c.ledger);
	plan_free(own->c.plan);
	stop_close(own->c.stop);
	board_close(own->c.board);
	tracing_close(own->c.tracing);
	close(own->state.fd);
	close(own->out);
	scratch_close(&own->dir);
	if (r < 0)
		fail_msg("%s", e.text);
}

/* Fixtures for tests that need no source and no condition: their state is the capture. */
static inline int owncapture_setup(void **state)
{
	*state = calloc(1, sizeof(struct owncapture));
	owncapture_open(*state, "{'schema':1,'name':'unit','max_time':1,'collect':[],'stop':[]}");
	return 0;
}

static inline int owncapture_teardown(void **state)
{
	owncapture_close(*state);
	free(*state);
	return 0;
}

/* How many of the kernel's trace instances have TEXT in their name. */
static inline size_t own_instances(const struct owncapture *own, const char *text)
{
	autoclosedir DIR *dir = fdopendir(openat(own->c.tracing ? tracing_fd(own->c.tracing) : -1,
						 "instances", O_RDONLY | O_DIRECTORY));
	struct dirent *entry;
	size_t n = 0;

	while ((entry = readdir(dir)))
		n += strstr(entry->d_name, text) != NULL;
	return n;
}
