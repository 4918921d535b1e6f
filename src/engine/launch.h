/* From a plan that fits this host to a capture of it: its state directory, the process of its
 * tests, the engine. */
#pragma once

#include "base/err.h"
#include "capture/state.h"
#include "engine/engine.h"
#include "prepare/prepare.h"
#include "process/console.h"

struct launch {
	struct prepared *prepared;
	const struct options *options;
	const char **words; /* the recipe and its arguments */
	int n_words;
	struct console *console;
	void (*armed)(void *arg, const char *id); /* as in engine_request */
	void *armed_arg;
	struct trial *trial;
};

/* A fresh state directory for it. *ret is the caller's. */
int launch_state(struct state **ret, const struct launch *l, struct err *e);

/* One capture: one bundle, an error, or for a trial what it has measured. */
int launch_run(const struct launch *l, struct engine_result *result, struct err *e);
