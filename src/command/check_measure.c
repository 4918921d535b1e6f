/* tracer check --measure: a trial of the plan, and what it has shown. */
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/units.h"
#include "command/check.h"
#include "engine/launch.h"
#include "engine/trial.h"

static double measure_rate(const struct trial *trial, uint64_t count)
{
	return trial->took ? (double)count * NS_PER_S / trial->took : 0;
}

/* What would be seen of the time before an event that is decided LATE. */
static void measure_reach(FILE *out, uint64_t reach, uint64_t late)
{
	if (reach == UINT64_MAX)
		fputs("all from the start", out);
	else if (reach <= late)
		fputs("NOTHING from before the event", out);
	else
		fputs(duration_about(reach - late).text, out);
}

static void measure_source(FILE *out, const struct trial *trial, const struct source *s)
{
	const struct stats *stats = &trial->board.sources[s->index];
	uint64_t reach = trial_reach(trial, s);

	fprintf(out, "  %-16s %.1f records/s", s->name, measure_rate(trial, stats->records));
	if (reach) {
		fprintf(out, "; its %s hold ", size_about(s->cost.ring_bytes).text);
		measure_reach(out, reach, 0);
	}
	if (stats->lost)
		fprintf(out, "; LOST %llu", (unsigned long long)stats->lost);
	fputc('\n', out);
}

/* The shortest of the rings, but for what the conditions look at. */
static uint64_t measure_shortest(const struct trial *trial, const struct plan *plan)
{
	uint64_t shortest = UINT64_MAX;

	for (size_t i = 0; i < plan->n_sources; i++) {
		uint64_t reach = trial_reach(trial, &plan->sources[i]);

		if (plan->sources[i].ops != &watched_source && reach && reach < shortest)
			shortest = reach;
	}
	return shortest;
}

static void measure_condition(FILE *out, const struct trial *trial, const struct plan *plan,
			      const struct condition *c)
{
	const struct progress *progress = &trial->board.conditions[c->index];
	uint64_t late = condition_tier(c) == 1 ? 0 : check_lateness(plan, c);

	fprintf(out, "  '%s' ", c->name);
	if (progress->fired)
		fprintf(out, "WOULD HAVE FIRED %llu time%s, first after %s: %s\n",
			(unsigned long long)progress->fired, progress->fired == 1 ? "" : "s",
			duration_about(progress->first - trial->board.armed).text, progress->text);
	else if (*progress->fault)
		fprintf(out, "is OFF: %s\n", progress->fault);
	else
		fprintf(out, "would not have fired%s%s\n", *progress->near ? "; " : "",
			progress->near);
	fputs("      how far the rings reach back when it is decided: ", out);
	measure_reach(out, measure_shortest(trial, plan), late);
	fputc('\n', out);
}

static uint64_t measure_events(const struct trial *trial, const struct plan *plan)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < plan->n_sources; i++)
		if (plan->sources[i].ops == &ftrace_source)
			sum += trial->board.sources[i].records;
	return sum;
}

static void measure_page(FILE *out, const struct trial *trial, const struct plan *plan)
{
	double events = measure_rate(trial, measure_events(trial, plan));

	fprintf(out, "\nWhat %s of it have shown\n", duration_about(trial->took).text);
	for (size_t i = 0; i < plan->n_sources; i++)
		measure_source(out, trial, &plan->sources[i]);
	for (size_t i = 0; i < plan->n_conditions; i++)
		measure_condition(out, trial, plan, &plan->conditions[i]);
	if (trial->event_ns)
		fprintf(out,
			"  an event costs about %llu ns here where it happens: %.2f %% of a CPU at "
			"that rate, without those that filters\n  reject; ",
			(unsigned long long)trial->event_ns, events * trial->event_ns / 1e7);
	else
		fputs("  ", out);
	fprintf(out, "tracer's own processes took %.2f %% of a CPU\n",
		100.0 * trial->cpu_ns / (trial->took ? trial->took : 1));
}

static json_t *measure_reach_json(uint64_t reach)
{
	return reach && reach < UINT64_MAX ? json_integer(reach) : json_null();
}

static char *measure_json(const struct trial *trial, const struct plan *plan)
{
	json_t *sources = json_array(), *conditions = json_array();
	autojson json_t *all = NULL;

	for (size_t i = 0; i < plan->n_sources; i++) {
		const struct source *s = &plan->sources[i];
		const struct stats *stats = &trial->board.sources[i];

		json_array_append_new(sources,
				      json_pack("{s:s, s:f, s:I, s:o}", "name", s->name, "per_s",
						measure_rate(trial, stats->records), "lost",
						(json_int_t)stats->lost, "reach",
						measure_reach_json(trial_reach(trial, s))));
	}
	for (size_t i = 0; i < plan->n_conditions; i++) {
		const struct condition *c = &plan->conditions[i];
		const struct progress *progress = &trial->board.conditions[i];

		json_array_append_new(
			conditions,
			json_pack(
				"{s:s, s:i, s:I, s:I, s:s}", "name", c->name, "tier",
				condition_tier(c), "late",
				(json_int_t)(condition_tier(c) == 1 ? 0 : check_lateness(plan, c)),
				"fired", (json_int_t)progress->fired, "near", progress->near));
	}
	all = json_pack("{s:o, s:o, s:I, s:I, s:I}", "sources", sources, "conditions", conditions,
			"took", (json_int_t)trial->took, "cpu", (json_int_t)trial->cpu_ns,
			"event_cost", (json_int_t)trial->event_ns);
	return all ? json_dumps(all, JSON_COMPACT) : NULL;
}

static void measure_tell(FILE *out, const struct trial *trial, const struct plan *plan, bool json)
{
	autofree char *text = json ? measure_json(trial, plan) : NULL;

	if (text)
		fprintf(out, "%s\n", text);
	else
		measure_page(out, trial, plan);
}

int check_measure(struct prepared *p, const struct options *options, const char **words,
		  int n_words, struct err *e)
{
	autofree struct trial *trial = calloc(1, sizeof(*trial));
	autofclose FILE *out = fdopen(dup(STDOUT_FILENO), "w"); /* the console takes the other */
	struct engine_result result;
	struct launch launch = { .prepared = p,
				 .options = options,
				 .words = words,
				 .n_words = n_words,
				 .trial = trial };
	int r;

	if (!trial || !out)
		return err_set(e, "no memory");
	trial->length = options->measure;
	workers_block_signals();
	if (console_start(&launch.console, options->quiet ? CONSOLE_QUIET : CONSOLE_NORMAL, e) < 0)
		return e->code;
	r = launch_run(&launch, &result, e);
	if (r < 0)
		console_error(launch.console, "tracer: %s", e->text);
	console_end(launch.console);
	if (r == 0)
		measure_tell(out, trial, p->plan, options->json);
	return r == 0 ? 0 : (int)e->exit;
}
