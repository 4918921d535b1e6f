#include "engine/launch.h"

#include "base/auto.h"
#include "base/clock.h"
#include "capture/state.h"

static int launch_engine(const struct launch *l, const struct about *about, struct state *state,
			 struct luatest *tests, struct engine_result *result, struct err *e)
{
	autofree char *ends = prepared_ends(l->prepared);
	struct engine_request rq = {
		.plan = l->prepared->plan,
		.tracing = l->prepared->tracing,
		.state = state,
		.about = about,
		.tests = tests,
		.console = l->console,
		.max_time = l->prepared->max_time,
		.ends = ends ? ends : "",
		.conflicts = l->prepared->conflicts,
		.armed = l->armed,
		.armed_arg = l->armed_arg,
		.trial = l->trial,
	};

	return engine_run(&rq, result, e);
}

int launch_state(struct state **ret, const struct launch *l, struct err *e)
{
	const struct prepared *p = l->prepared;
	char id[ULID_SIZE];

	ulid_make(id, anchor_take().wall_ns);
	if (state_create(ret, id, e) < 0)
		return e->code;
	if (about_write((*ret)->fd, p->outdir, compress_text(l->options->compress), p->recipe,
			l->n_words - 1, l->words + 1, p->script.plan, p->script.files,
			p->script.n_files, e) < 0) {
		struct err ignored = ERR_INIT;

		state_remove(take_ptr(*ret), &ignored);
		return e->code;
	}
	return 0;
}

static int launch_tested(const struct launch *l, struct luatest *tests,
			 struct engine_result *result, struct err *e)
{
	struct state *state = NULL;
	struct about about;
	int r;

	if (launch_state(&state, l, e) < 0 || about_read(&about, state->fd, e) < 0)
		return e->code;
	r = launch_engine(l, &about, state, tests, result, e);
	about_clear(&about);
	return r;
}

int launch_run(const struct launch *l, struct engine_result *result, struct err *e)
{
	struct luatest *tests = NULL;
	struct script *script = NULL;
	int r = prepare_tests(l->prepared, l->words, l->n_words, &tests, &script, e);

	if (r == 0)
		r = launch_tested(l, tests, result, e);
	script_end(script);
	luatest_free(tests);
	return r;
}
