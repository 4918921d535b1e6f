#include "plan/plan.h"

#include <errno.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"

#define PLAN_TIME_MAX (1ll << 60) /* ns, so that sums of times stay in range: 36 years */

/* Names become file names: nothing that could lead elsewhere. */
static bool plan_name_ok(const char *name)
{
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

	return name && *name && *name != '.' && strlen(name) <= 64 &&
	       name[strspn(name, allowed)] == '\0';
}

static int plan_list(const struct plan *plan, const char *key, const json_t **list, struct err *e)
{
	*list = json_object_get(plan->json, key);
	if (!json_is_array(*list))
		return err_set(e, "the plan has no list '%s'", key);
	return 0;
}

static int plan_check_name(const struct plan *plan, const struct source *s, struct err *e)
{
	if (!s->at || !plan_name_ok(s->name))
		return err_set(e, "the plan collects something without a good name");
	for (const struct source *other = plan->sources; other < s; other++)
		if (!strcmp(other->name, s->name))
			return err_set(e, "%s: the name '%s' is taken by %s", s->at, s->name,
				       other->at);
	return 0;
}

static int plan_sources(struct plan *plan, struct err *e)
{
	const json_t *list;
	size_t i;
	json_t *spec;

	if (plan_list(plan, "collect", &list, e) < 0)
		return e->code;
	plan->sources = calloc(json_array_size(list) + STREAMS, sizeof(*plan->sources));
	if (!plan->sources)
		return err_set(e, "no memory");
	json_array_foreach (list, i, spec) {
		struct source *s = &plan->sources[plan->n_sources++];
		const char *type = json_string_value(json_object_get(spec, "type"));

		s->index = i;
		s->spec = spec;
		s->name = json_string_value(json_object_get(spec, "name"));
		s->at = json_string_value(json_object_get(spec, "at"));
		s->ops = type ? source_find(type) : NULL;
		if (plan_check_name(plan, s, e) < 0)
			return e->code;
		if (!s->ops)
			return err_set(e, "the plan collects something of unknown type '%s'",
				       type ? type : "");
		if (s->ops->decode(s, e) < 0)
			return err_wrap(e, "%s", s->at);
	}
	return 0;
}

static int plan_conditions(struct plan *plan, struct err *e)
{
	const json_t *list;
	size_t i;
	json_t *spec;

	if (plan_list(plan, "stop", &list, e) < 0)
		return e->code;
	plan->conditions = calloc(json_array_size(list) + 1, sizeof(*plan->conditions));
	if (!plan->conditions)
		return err_set(e, "no memory");
	json_array_foreach (list, i, spec) {
		plan->n_conditions++;
		if (condition_decode(&plan->conditions[i], spec, i, e) < 0)
			return e->code;
	}
	return 0;
}

static int plan_add_selectors(void *arg, struct condition *c)
{
	struct plan *plan = arg;
	struct selector **grown =
		realloc(plan->selectors, (plan->n_selectors + c->n_selectors + 1) * sizeof(void *));

	if (!grown)
		return -ENOMEM;
	plan->selectors = grown;
	for (size_t i = 0; i < c->n_selectors; i++)
		grown[plan->n_selectors++] = &c->selectors[i];
	return 0;
}

/* Within a condition the last comes first: a record that two of them select ends what was waiting
 * for it before it begins something new. */
static int plan_selectors(struct plan *plan, struct err *e)
{
	for (size_t i = 0; i < plan->n_conditions; i++) {
		size_t first = plan->n_selectors;

		if (condition_each(&plan->conditions[i], plan_add_selectors, plan) < 0)
			return err_set(e, "no memory");
		for (size_t a = first, b = plan->n_selectors; a + 1 < b; a++) {
			struct selector *last = plan->selectors[--b];

			plan->selectors[b] = plan->selectors[a];
			plan->selectors[a] = last;
		}
	}
	for (size_t i = 0; i < plan->n_selectors; i++)
		plan->selectors[i]->number = i;
	return 0;
}

static bool plan_watches(const struct plan *plan, enum stream stream)
{
	for (size_t i = 0; i < plan->n_selectors; i++)
		if (plan->selectors[i]->ops->stream == stream)
			return true;
	return false;
}

bool plan_has(const struct plan *plan, const struct source_ops *kind)
{
	for (size_t i = 0; i < plan->n_sources; i++)
		if (plan->sources[i].ops == kind)
			return true;
	return false;
}

const char *const plan_watched_names[STREAMS] = {
	[STREAM_EVENTS] = "watched-events",
	[STREAM_PACKETS] = "watched-packets",
	[STREAM_READINGS] = "watched-readings",
};

/* What its conditions look at is kept as well. */
static int plan_watched(struct plan *plan, struct err *e)
{
	for (enum stream stream = 0; stream < STREAMS; stream++) {
		struct source *s = &plan->sources[plan->n_sources];

		if (!plan_watches(plan, stream))
			continue;
		*s = (struct source) { .index = plan->n_sources,
				       .ops = &watched_source,
				       .name = plan_watched_names[stream],
				       .at = plan->conditions[0].at };
		if (plan_check_name(plan, s, e) < 0 || s->ops->observe(s, plan, stream, e) < 0)
			return e->code;
		plan->watched[stream] = s->data;
		plan->n_sources++;
	}
	return 0;
}

static int plan_probes(struct plan *plan, struct err *e)
{
	if (probes_collect(&plan->probes, plan->json, e) < 0)
		return e->code;
	for (size_t i = 0; i < plan->n_sources; i++)
		plan->sources[i].probes = &plan->probes;
	for (size_t i = 0; i < plan->n_selectors; i++)
		plan->selectors[i]->probe = probes_find(&plan->probes, plan->selectors[i]->spec);
	return 0;
}

static void plan_hash(struct plan *plan)
{
	unsigned char hash[crypto_hash_sha256_BYTES];

	crypto_hash_sha256(hash, (const unsigned char *)plan->text, strlen(plan->text));
	sodium_bin2hex(plan->sha256, sizeof(plan->sha256), hash, sizeof(hash));
}

/* A time of the plan; absent is 0. */
static int plan_time(const struct plan *plan, const char *key, uint64_t *ns, struct err *e)
{
	const json_t *value = json_object_get(plan->json, key);

	if (value && (!json_is_integer(value) || json_integer_value(value) < 0 ||
		      json_integer_value(value) > PLAN_TIME_MAX))
		return err_set(e, "'%s' of the plan is no time", key);
	*ns = json_integer_value(value);
	return 0;
}

static int plan_repeats(struct plan *plan, struct err *e)
{
	json_int_t bundles = 1, disk = 0;
	int safe = 0;
	json_error_t where;

	if (json_unpack_ex(plan->json, &where, 0, "{s?I, s?I, s?b}", "max_bundles", &bundles,
			   "max_disk", &disk, "fsfreeze_safe", &safe) < 0 ||
	    bundles < 1 || disk < 0)
		return err_set(e, "the plan does not say how many bundles it may make");
	plan->max_bundles = bundles;
	plan->max_disk = disk;
	plan->fsfreeze_safe = safe;
	return 0;
}

static int plan_read(struct plan *plan, const char *text, struct err *e)
{
	json_error_t where;

	plan->text = strdup(text);
	plan->json = json_loads(text, JSON_REJECT_DUPLICATES, &where);
	if (!plan->text || !plan->json)
		return err_set(e, "the plan is no JSON: %s", where.text);
	if (json_integer_value(json_object_get(plan->json, "schema")) != 1)
		return err_set(e, "the plan has a schema that this version does not know");
	plan->name = json_string_value(json_object_get(plan->json, "name"));
	plan->question = json_string_value(json_object_get(plan->json, "question"));
	if (plan_time(plan, "post", &plan->post, e) < 0 ||
	    plan_time(plan, "max_time", &plan->max_time, e) < 0 ||
	    plan_time(plan, "cooldown", &plan->cooldown, e) < 0 || plan_repeats(plan, e) < 0)
		return e->code;
	if (json_array_size(json_object_get(plan->json, "collect")) > BOARD_MAX - STREAMS ||
	    json_array_size(json_object_get(plan->json, "stop")) > BOARD_MAX)
		return err_set(
			e, "a recipe collects at most %d things and has at most %d stop conditions",
			BOARD_MAX - STREAMS, BOARD_MAX);
	if (!plan_name_ok(plan->name) || !plan->max_time)
		return err_set(e, "the plan has no name or no time limit");
	plan_hash(plan);
	if (plan_sources(plan, e) < 0 || plan_conditions(plan, e) < 0 ||
	    plan_selectors(plan, e) < 0 || plan_watched(plan, e) < 0)
		return e->code;
	return plan_probes(plan, e);
}

int plan_parse(struct plan **ret, const char *text, struct err *e)
{
	struct plan *plan = calloc(1, sizeof(*plan));

	if (!plan)
		return err_set(e, "no memory");
	if (plan_read(plan, text, e) < 0) {
		plan_free(plan);
		return err_exit(e, EXIT_USAGE);
	}
	*ret = plan;
	return 0;
}

void plan_free(struct plan *plan)
{
	if (!plan)
		return;
	for (size_t i = 0; i < plan->n_sources; i++)
		if (plan->sources[i].ops)
			plan->sources[i].ops->free(&plan->sources[i]);
	for (size_t i = 0; i < plan->n_conditions; i++)
		condition_free(&plan->conditions[i]);
	probes_free(&plan->probes);
	free(plan->sources);
	free(plan->conditions);
	free(plan->selectors);
	json_decref(plan->json);
	free(plan->text);
	free(plan);
}
