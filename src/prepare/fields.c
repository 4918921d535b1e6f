#include "prepare/fields.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/units.h"
#include "source/taken.h"

/* The names of all that can be asked for. */
struct fields {
	const char **names;
	size_t n;
	bool any; /* of a probe that is not made yet, nobody knows */
};

static void auto_fields(struct fields *f)
{
	free(f->names);
}

static int fields_add(struct fields *f, const char *name, struct err *e)
{
	const char **grown = realloc(f->names, (f->n + 1) * sizeof(*grown));

	if (!grown)
		return err_set(e, "no memory");
	f->names = grown;
	grown[f->n++] = name;
	return 0;
}

static int fields_of_selector(struct fields *f, const struct selector *s, struct err *e)
{
	f->any |= s->probe && !s->format;
	for (size_t i = 0; s->format && i < s->format->n_fields; i++)
		if (s->format->fields[i].kind == FIELD_INT &&
		    fields_add(f, s->format->fields[i].name, e) < 0)
			return e->code;
	return 0;
}

/* Of packets, what is in the key of t.expect. */
static int fields_of_key(struct fields *f, const struct condition *c, struct err *e)
{
	size_t i;
	json_t *part;

	json_array_foreach (json_object_get(c->spec, "key"), i, part) {
		const char *name = json_string_value(json_object_get(part, "on"));

		if (name && fields_add(f, name, e) < 0)
			return e->code;
	}
	return 0;
}

static int fields_collect(struct fields *f, const struct plan *plan, struct err *e)
{
	static const char *const always[] = { "pid", "common_pid" };

	for (size_t i = 0; i < countof(always); i++)
		if (fields_add(f, always[i], e) < 0)
			return e->code;
	for (size_t i = 0; i < plan->n_selectors; i++)
		if (fields_of_selector(f, plan->selectors[i], e) < 0)
			return e->code;
	for (size_t i = 0; i < plan->n_conditions; i++)
		if (fields_of_key(f, &plan->conditions[i], e) < 0)
			return e->code;
	return 0;
}

static bool fields_have(const struct fields *f, const char *name, size_t n)
{
	for (size_t i = 0; i < f->n; i++)
		if (strlen(f->names[i]) == n && !strncmp(f->names[i], name, n))
			return true;
	return false;
}

static int fields_check_text(const struct fields *f, const char *text, struct err *e)
{
	for (const char *at = text; (at = strchr(at, '{')); at++) {
		size_t n = taken_field(at);
		autofree char *name = n ? strndup(at + 1, n - 2) : NULL;
		const char *near;

		if (!name || fields_have(f, name, n - 2))
			continue;
		near = nearest_name(name, f->names, f->n);
		err_set(e, "no stop condition has an integer field '%s'%s%s%s", name,
			near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
		return err_exit(e, EXIT_USAGE);
	}
	return 0;
}

static int fields_check_source(const struct fields *f, const struct source *s, struct err *e)
{
	const struct taken *taken = s->data;

	if (s->ops->probe != taken_probe && s->ops != &exec_source)
		return 0;
	for (size_t i = 0; i < taken->n; i++)
		if (taken->items[i].template && !taken->items[i].optional &&
		    fields_check_text(f, taken->items[i].text, e) < 0)
			return err_wrap(e, "%s", s->at);
	return 0;
}

int fields_check(const struct plan *plan, struct err *e)
{
	__attribute__((cleanup(auto_fields))) struct fields f = { 0 };

	if (fields_collect(&f, plan, e) < 0)
		return e->code;
	for (size_t i = 0; !f.any && i < plan->n_sources; i++)
		if (fields_check_source(&f, &plan->sources[i], e) < 0)
			return e->code;
	return 0;
}
