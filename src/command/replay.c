/* tracer replay: when each stop condition of a recipe would have fired over what a bundle recorded.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/text.h"
#include "base/units.h"
#include "bundle/manifest.h"
#include "command/command.h"
#include "prepare/prepare.h"
#include "process/sandbox.h"
#include "replay/replay_judge.h"

struct replaying {
	const struct options *options;
	struct prepared p;
	struct luatest *tests;
	struct script *script;
	struct replay *replay;
	json_t *list;    /* the answer as JSON */
	bool is_missing; /* something that a condition needs */
};

/* "12.345 s before the stop of the recording" */
static void replay_when(const struct recording *r, uint64_t time)
{
	uint64_t stop = recording_moment(r, "stop", "event");
	uint64_t apart = time < stop ? stop - time : time - stop;

	if (time == stop)
		fputs("at the stop of the recording", stdout);
	else
		printf("%llu.%06llu s %s the stop of the recording",
		       (unsigned long long)(apart / NS_PER_S),
		       (unsigned long long)(apart % NS_PER_S / 1000),
		       time < stop ? "before" : "after");
}

static void replay_print_verdict(const struct recording *r, const struct verdict *verdict)
{
	printf("  %s, ", clock_utc(anchors_wall(r->anchors, r->n_anchors, verdict->time)).text);
	replay_when(r, verdict->time);
	printf("%s\n      %s\n", verdict->uncertain ? " (UNCERTAIN: records were lost)" : "",
	       verdict->text);
}

static void replay_print_fired(const struct replaying *v, const struct replayed *result)
{
	size_t shown = result->n < REPLAY_SHOWN ? result->n : REPLAY_SHOWN;

	if (!v->options->verbose && shown > 3)
		shown = 3;
	printf("would have fired%s\n", result->n > 1 ? ":" : "");
	for (size_t i = 0; i < shown; i++)
		replay_print_verdict(v->p.recording, &result->fired[i]);
	if (result->n > shown)
		printf("  and %llu times more\n", (unsigned long long)(result->n - shown));
}

static void replay_print(const struct replaying *v, const struct condition *c,
			 const struct replayed *result)
{
	const char *line;

	printf("'%s' (%s): ", c->name, c->at);
	if (*result->missing) {
		printf("the bundle does not have what it needs: %s\n", result->missing);
		return;
	}
	if (*result->fault)
		printf("cannot be told: %s\n", result->fault);
	else if (result->n)
		replay_print_fired(v, result);
	else
		printf("would not have fired%s%s\n", *result->near ? "; at the end " : "",
		       result->near);
	printf("  over %s", duration_about(result->to - result->from).text);
	for (line = result->of; line && *line; line += strcspn(line, "\n") + 1)
		printf(", %.*s", (int)strcspn(line, "\n"), line);
	putchar('\n');
}

static json_t *replay_fired_json(const struct replaying *v, const struct replayed *result)
{
	const struct recording *r = v->p.recording;
	json_t *list = json_array();

	for (size_t i = 0; i < result->n && i < REPLAY_SHOWN; i++) {
		const struct verdict *verdict = &result->fired[i];
		autofree char *text = text_json(verdict->text);
		uint64_t wall = anchors_wall(r->anchors, r->n_anchors, verdict->time);

		json_array_append_new(
			list, json_pack("{s:I, s:s, s:s, s:b}", "boot", (json_int_t)verdict->time,
					"utc", clock_utc(wall).text, "text", text ? text : "",
					"certain", !verdict->uncertain));
	}
	return list;
}

static json_t *replay_json(const struct replaying *v, const struct condition *c,
			   const struct replayed *result)
{
	json_t *json = json_pack("{s:s, s:s, s:I, s:o}", "name", c->name, "at", c->at, "times",
				 (json_int_t)result->n, "fired", replay_fired_json(v, result));

	if (*result->missing)
		json_object_set_new(json, "missing", json_string(result->missing));
	else
		json_object_set_new(json, "window",
				    json_pack("{s:I, s:I}", "from", (json_int_t)result->from, "to",
					      (json_int_t)result->to));
	if (*result->fault)
		json_object_set_new(json, "fault", json_string(result->fault));
	if (result->of)
		json_object_set_new(json, "of", json_string(result->of));
	return json;
}

static int replay_one(struct replaying *v, uint32_t index, struct err *e)
{
	const struct condition *c = &v->p.plan->conditions[index];
	struct replayed result;
	int r = replay_condition(v->replay, index, &result, e);

	if (r == 0 && v->options->json)
		json_array_append_new(v->list, replay_json(v, c, &result));
	else if (r == 0)
		replay_print(v, c, &result);
	v->is_missing |= *result.missing != '\0';
	replayed_clear(&result);
	return r;
}

static int replay_all(struct replaying *v, struct err *e)
{
	autofree char *text = NULL;

	if (sandbox_enter(SANDBOX_HELD, e) < 0)
		return e->code;
	for (size_t i = 0; i < v->p.plan->n_conditions; i++)
		if (replay_one(v, i, e) < 0)
			return e->code;
	text = v->options->json ? json_dumps(v->list, JSON_INDENT(2)) : NULL;
	if (text)
		puts(text);
	return v->is_missing ? EXIT_HOST : 0;
}

static int replay_steps(struct replaying *v, const char **words, int n_words, struct err *e)
{
	struct recording *recording;

	if (recording_open(&recording, words[0], e) < 0 ||
	    prepare_at_desk(&v->p, v->options, recording, words + 1, n_words - 1, e) < 0)
		return e->code;
	if (!v->p.plan->n_conditions) {
		err_set(e, "the recipe has no stop condition: there is nothing to replay");
		return err_exit(e, EXIT_USAGE);
	}
	probes_adopt(&v->p.plan->probes, manifest_text(recording->manifest, "id"), v->p.tracing);
	if (prepare_tests(&v->p, words + 1, n_words - 1, &v->tests, &v->script, e) < 0 ||
	    replay_open(&v->replay, recording, v->p.plan, v->tests, e) < 0)
		return e->code;
	return replay_all(v, e);
}

static int replay_run(const struct options *options, const char **words, int n_words, struct err *e)
{
	struct replaying v = { .options = options, .list = json_array() };
	int r = replay_steps(&v, words, n_words, e);

	replay_close(v.replay);
	script_end(v.script);
	luatest_free(v.tests);
	prepared_clear(&v.p);
	json_decref(v.list);
	return r;
}

const struct command replay_command = {
	.name = "replay",
	.words = "BUNDLE RECIPE [ARG...]",
	.help = "when a recipe's conditions would have fired over a recording",
	.min_words = 2,
	.max_words = -1,
	.run = replay_run,
};
