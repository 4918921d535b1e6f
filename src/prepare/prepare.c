#include "prepare/prepare.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/units.h"
#include "base/version.h"
#include "log/freezes.h"
#include "prepare/conflicts.h"
#include "prepare/fields.h"
#include "prepare/fit.h"
#include "prepare/freezesafe.h"
#include "prepare/recipes.h"

static bool prepare_has_event(void *ctx, const char *event)
{
	struct prepared *p = ctx;
	struct err absent = ERR_INIT;
	char **names = NULL;
	size_t n = 0;

	if (!p->tracing && tracing_open(&p->tracing, &absent) < 0)
		return false;
	if (tracing_glob(p->tracing, event, &names, &n, &absent) < 0)
		return false;
	names_free(names);
	return n > 0;
}

static struct script_request prepare_request(struct prepared *p, const char **words, int n_words)
{
	uname(&p->uts);
	if (p->recording)
		snprintf(p->uts.release, sizeof(p->uts.release), "%s",
			 recording_kernel(p->recording));
	return (struct script_request) {
		.recipe_path = p->recipe,
		.n_args = n_words - 1,
		.args = words + 1,
		.version = TRACER_VERSION,
		.kernel = p->uts.release,
		.n_cpus =
			p->recording ? recording_cpus(p->recording) : sysconf(_SC_NPROCESSORS_ONLN),
		.has_event = prepare_has_event,
		.ctx = p,
	};
}

static int prepare_script(struct prepared *p, const char **words, int n_words, struct err *e)
{
	struct script_request rq = prepare_request(p, words, n_words);

	return script_plan(&rq, &p->script, e);
}

static bool prepare_has_tests(const struct plan *plan)
{
	for (size_t i = 0; i < plan->n_conditions; i++)
		if (condition_has_test(&plan->conditions[i]))
			return true;
	return false;
}

int prepare_tests(struct prepared *p, const char **words, int n_words, struct luatest **tests,
		  struct script **script, struct err *e)
{
	struct script_request rq = prepare_request(p, words, n_words);

	if (!prepare_has_tests(p->plan))
		return 0;
	if (luatest_create(tests, e) < 0)
		return e->code;
	rq.tests = *tests;
	rq.locked = p->plan->fsfreeze_safe;
	if (script_start_tests(script, &rq, p->script.plan, e) < 0)
		return e->code;
	close(take_fd(&(*tests)->script_fd));
	return 0;
}

static int prepare_check_hash(const struct prepared *p, const struct options *options,
			      struct err *e)
{
	if (!options->plan || !strcasecmp(options->plan, p->plan->sha256))
		return 0;
	err_set(e, "this is another plan: its SHA-256 is %s", p->plan->sha256);
	return err_exit(e, EXIT_USAGE);
}

static bool prepare_is_traced(const struct source *s)
{
	const char *log = json_string_value(json_object_get(s->spec, "log"));

	return s->ops == &ftrace_source || s->ops == &log_source ||
	       (s->ops == &textlog_source && freezes_is(log));
}

static bool prepare_needs_tracing(const struct plan *plan)
{
	for (size_t i = 0; i < plan->n_sources; i++)
		if (prepare_is_traced(&plan->sources[i]))
			return true;
	return plan->n_conditions > 0 || plan->fsfreeze_safe;
}

static int prepare_privileges(struct err *e)
{
	if (geteuid() == 0)
		return 0;
	err_set(e,
		"this needs root, to make kernel trace rings and packet sockets: run it with sudo");
	return err_exit(e, EXIT_HOST);
}

int prepare_allowed(const struct plan *plan, const struct options *options, struct err *e)
{
	for (size_t i = 0; i < plan->n_sources; i++) {
		const struct source *s = &plan->sources[i];

		if (s->ops != &exec_source || options->allow_exec)
			continue;
		err_set(e,
			"%s: the recipe runs a command as root, which has to be allowed: `tracer "
			"check` shows it, --allow-exec allows it",
			s->at);
		return err_exit(e, EXIT_USAGE);
	}
	return 0;
}

/* What is true already is an error, but between two captures: there it has to become so again. */
static int prepare_condition(struct condition *c, struct tracing *tracing, bool again,
			     struct err *e)
{
	struct err is_true = ERR_INIT;

	if (condition_probe(c, tracing, e) < 0)
		return e->code;
	if (tracing_is_recorded(tracing))
		return 0;
	c->was_true = condition_refuse(c, &is_true) < 0;
	if (!c->was_true || again)
		return 0;
	*e = is_true;
	return e->code;
}

static int prepare_probe(struct prepared *p, bool again, struct err *e)
{
	struct plan *plan = p->plan;

	if (!prepare_needs_tracing(plan) && !p->recording)
		tracing_close(take_ptr(p->tracing));
	else if (!p->tracing && tracing_open(&p->tracing, e) < 0)
		return e->code;
	for (size_t i = 0; i < plan->n_sources; i++) {
		struct source *s = &plan->sources[i];

		s->tracing = p->tracing;
		/* of the others a bundle does not tell */
		if (p->recording && s->ops != &ftrace_source && s->ops != &watched_source)
			continue;
		if (s->ops->probe(s, &s->cost, e) < 0)
			return strncmp(e->text, s->at, strlen(s->at)) ? err_wrap(e, "%s", s->at)
								      : e->code;
		p->cost.kernel_bytes += s->cost.kernel_bytes;
		p->cost.tmpfs_bytes += s->cost.tmpfs_bytes;
		p->cost.output_bytes += s->cost.output_bytes;
	}
	for (size_t i = 0; i < plan->n_conditions; i++)
		if (prepare_condition(&plan->conditions[i], p->tracing, again, e) < 0)
			return e->code;
	return fields_check(plan, e);
}

static int prepare_outdir(struct prepared *p, const struct options *options, struct err *e)
{
	const char *dir = options->outdir ? options->outdir : ".";
	struct stat st;

	p->outdir = realpath(dir, NULL);
	if (!p->outdir)
		err_sys(e, "the output directory '%s'", dir);
	else if (stat(p->outdir, &st) < 0 || !S_ISDIR(st.st_mode))
		err_set(e, "'%s' is not a directory", dir);
	else
		return 0;
	return err_exit(e, EXIT_USAGE);
}

/* Only who means to freeze something wants to know. */
static void prepare_conflicts(struct prepared *p)
{
	FILE *out;
	size_t size;

	if (!p->plan->fsfreeze_safe || !(out = open_memstream(&p->conflicts, &size)))
		return;
	conflicts_write(out, p->outdir);
	fclose(out);
}

static int prepare_steps(struct prepared *p, const struct options *options, const char **words,
			 int n_words, struct err *e)
{
	if (prepare_outdir(p, options, e) < 0 || recipes_find(&p->recipe, words[0], e) < 0 ||
	    prepare_script(p, words, n_words, e) < 0 ||
	    plan_parse(&p->plan, p->script.plan, e) < 0 || prepare_check_hash(p, options, e) < 0 ||
	    prepare_privileges(e) < 0 || prepare_probe(p, options->again, e) < 0 ||
	    freezesafe_check(p->plan, options, e) < 0 ||
	    fit_memory(&p->cost, options, &p->memory_limit, e) < 0 ||
	    fit_output(p->plan, &p->cost, options, p->outdir, e) < 0)
		return e->code;
	p->max_time = options->max_time ? options->max_time : p->plan->max_time;
	prepare_conflicts(p);
	return 0;
}

int prepare(struct prepared *ret, const struct options *options, const char **words, int n_words,
	    struct err *e)
{
	*ret = (struct prepared) { 0 };
	if (prepare_steps(ret, options, words, n_words, e) < 0) {
		prepared_clear(ret);
		if (e->exit == EXIT_FAILED)
			e->exit = EXIT_HOST; /* nothing was started */
		return e->code;
	}
	*e = (struct err)ERR_INIT; /* what fails from here on is no fault of the words */
	return 0;
}

static int prepare_desk_steps(struct prepared *p, const struct options *options, const char **words,
			      int n_words, struct err *e)
{
	p->tracing = p->recording->tracing;
	if (!p->tracing)
		return err_set(
			e, "'%s' does not have the events of its host: an older version made it",
			p->recording->name);
	if (recipes_find(&p->recipe, words[0], e) < 0 || prepare_script(p, words, n_words, e) < 0 ||
	    plan_parse(&p->plan, p->script.plan, e) < 0)
		return e->code;
	return prepare_check_hash(p, options, e);
}

int prepare_at_desk(struct prepared *ret, const struct options *options,
		    struct recording *recording, const char **words, int n_words, struct err *e)
{
	*ret = (struct prepared) { .recording = recording };
	if (prepare_desk_steps(ret, options, words, n_words, e) == 0)
		return 0;
	prepared_clear(ret);
	return e->code;
}

int prepare_for_host(struct prepared *ret, const struct options *options,
		     struct recording *recording, const char **words, int n_words, struct err *e)
{
	if (prepare_at_desk(ret, options, recording, words, n_words, e) < 0)
		return e->code;
	ret->max_time = options->max_time ? options->max_time : ret->plan->max_time;
	if (prepare_probe(ret, false, e) == 0)
		return 0;
	prepared_clear(ret);
	if (e->exit == EXIT_FAILED)
		e->exit = EXIT_HOST;
	return e->code;
}

void prepared_clear(struct prepared *p)
{
	plan_free(p->plan);
	if (!p->recording)
		tracing_close(p->tracing);
	recording_close(p->recording);
	script_result_clear(&p->script);
	free(p->recipe);
	free(p->outdir);
	free(p->conflicts);
	*p = (struct prepared) { 0 };
}

char *prepared_ends(const struct prepared *p)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	for (size_t i = 0; i < p->plan->n_conditions; i++)
		fprintf(out, "'%s', ", p->plan->conditions[i].name);
	fprintf(out, "Ctrl+C or after %s", duration_about(p->max_time).text);
	fclose(out);
	return text;
}
