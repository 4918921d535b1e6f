#include "plan/condition.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"

static const struct condition_ops *const condition_table[] = {
	&seen_condition,  &silence_condition,  &expect_condition, &rate_condition,
	&gauge_condition, &hung_condition,     &exit_condition,   &frozen_condition,
	&all_condition,   &sequence_condition,
};

const struct condition_ops *condition_find(const char *type)
{
	if (selector_find(type))
		return &seen_condition;
	for (size_t i = 0; type && i < countof(condition_table); i++)
		if (!strcmp(condition_table[i]->type, type))
			return condition_table[i];
	return NULL;
}

int condition_number(const struct condition *c, const char *key, uint64_t least, uint64_t *ret,
		     struct err *e)
{
	const json_t *number = json_object_get(c->spec, key);

	if (!number)
		return 0;
	if (!json_is_integer(number) || json_integer_value(number) < 0)
		return err_set(e, "'%s' of a stop condition is no number", key);
	if (json_integer_value(number) > 1ll << 60)
		return err_set(e, "'%s' of a stop condition is too large", key);
	*ret = json_integer_value(number);
	if (*ret >= least)
		return 0;
	return err_set(e, "'%s' of a stop condition is less than %llu", key,
		       (unsigned long long)least);
}

int condition_make_selectors(struct condition *c, size_t n, struct err *e)
{
	c->selectors = calloc(n, sizeof(*c->selectors));
	if (!c->selectors)
		return err_set(e, "no memory");
	c->n_selectors = n;
	for (size_t i = 0; i < n; i++) {
		c->selectors[i].owner = c;
		c->selectors[i].at = c->at;
		c->selectors[i].part = i;
	}
	return 0;
}

int condition_decode_selector(struct condition *c, uint32_t part, const json_t *spec, struct err *e)
{
	return selector_decode(&c->selectors[part], spec, e);
}

int condition_decode_parts(struct condition *c, const json_t *list, struct err *e)
{
	size_t n = json_array_size(list);

	if (n < 2 || n > CONDITION_PARTS)
		return err_set(e, "it is made of 2 to %d conditions, not of %zu", CONDITION_PARTS,
			       n);
	c->parts = calloc(n, sizeof(*c->parts));
	if (!c->parts)
		return err_set(e, "no memory");
	for (c->n_parts = 0; c->n_parts < n;) {
		struct condition *part = &c->parts[c->n_parts++];

		if (condition_decode(part, json_array_get(list, c->n_parts - 1), c->n_parts - 1,
				     e) < 0)
			return e->code;
		part->parent = c;
	}
	return 0;
}

int condition_each(struct condition *c, condition_visit *visit, void *arg)
{
	int r = visit(arg, c);

	for (size_t i = 0; r == 0 && i < c->n_parts; i++)
		r = condition_each(&c->parts[i], visit, arg);
	return r;
}

int condition_decode_only(struct condition *c, const struct selector_ops *kind, struct err *e)
{
	const json_t *spec = json_object_get(c->spec, "of");
	const char *type = json_string_value(json_object_get(spec, "type"));

	if (selector_find(type) != kind)
		return err_set(e, "the plan looks for something of another type than '%s'",
			       kind->type);
	return condition_decode_selector(c, 0, spec, e);
}

static int condition_read(struct condition *c, struct err *e)
{
	c->hits = 1;
	if (condition_number(c, "hits", 1, &c->hits, e) < 0 ||
	    condition_number(c, "within", 0, &c->within, e) < 0 ||
	    condition_number(c, "arm_after", 0, &c->arm_after, e) < 0)
		return e->code;
	if (c->hits > 1000000)
		return err_set(e, "hits = %llu is more than can be counted",
			       (unsigned long long)c->hits);
	return c->ops->decode(c, e);
}

int condition_decode(struct condition *c, const json_t *spec, uint32_t index, struct err *e)
{
	const char *type = json_string_value(json_object_get(spec, "type"));

	*c = (struct condition) { .spec = spec, .index = index };
	c->name = json_string_value(json_object_get(spec, "name"));
	c->at = json_string_value(json_object_get(spec, "at"));
	c->ops = condition_find(type);
	if (!c->ops || !c->name || !c->at)
		return err_set(e, "the plan has a stop condition of unknown type '%s'",
			       type ? type : "");
	return condition_read(c, e) < 0 ? err_wrap(e, "%s", c->at) : 0;
}

int condition_probe(struct condition *c, struct tracing *tracing, struct err *e)
{
	for (size_t i = 0; i < c->n_selectors; i++)
		if (selector_probe(&c->selectors[i], tracing, e) < 0)
			return e->code;
	for (size_t i = 0; i < c->n_parts; i++)
		if (condition_probe(&c->parts[i], tracing, e) < 0)
			return e->code;
	if (c->ops->probe && c->ops->probe(c, e) < 0)
		return err_wrap(e, "%s", c->at);
	return 0;
}

int condition_refuse(struct condition *c, struct err *e)
{
	if (c->ops->refuse && c->ops->refuse(c, e) < 0)
		return err_wrap(e, "%s", c->at);
	return 0;
}

bool condition_has_probe(const struct condition *c)
{
	for (size_t i = 0; i < c->n_selectors; i++)
		if (c->selectors[i].probe)
			return true;
	for (size_t i = 0; i < c->n_parts; i++)
		if (condition_has_probe(&c->parts[i]))
			return true;
	return false;
}

bool condition_has_test(const struct condition *c)
{
	for (size_t i = 0; i < c->n_selectors; i++)
		if (c->selectors[i].test)
			return true;
	for (size_t i = 0; i < c->n_parts; i++)
		if (condition_has_test(&c->parts[i]))
			return true;
	return false;
}

void condition_explain(const struct condition *c, char *text, size_t room)
{
	FILE *out = fmemopen(text, room, "w");

	if (!out)
		return;
	c->ops->explain(c, out);
	fclose(out);
	text[room - 1] = '\0';
}

void condition_free(struct condition *c)
{
	for (size_t i = 0; i < c->n_selectors; i++)
		selector_free(&c->selectors[i]);
	free(c->selectors);
	for (size_t i = 0; i < c->n_parts; i++)
		condition_free(&c->parts[i]);
	free(c->parts);
	if (c->ops && c->ops->free)
		c->ops->free(c);
	free(c->data);
	*c = (struct condition) { 0 };
}

int condition_tier(const struct condition *c)
{
	if (condition_has_test(c))
		return 3;
	return condition_why(c) ? 2 : 1;
}

const char *condition_why(const struct condition *c)
{
	if (c->parent)
		return "the kernel cannot join conditions";
	if (c->ops->why)
		return c->ops->why;
	if (selector_why(&c->selectors[0]))
		return selector_why(&c->selectors[0]);
	if (c->arm_after)
		return "the kernel has no trigger that waits";
	if (c->hits > 1)
		return "the kernel stops at the first hit and cannot count to more";
	return NULL;
}

int condition_join(struct selector *const *selectors, size_t n, const struct format *format,
		   int max_tier, bool *any, char **text, struct err *e)
{
	size_t size, terms = 0;
	bool every = false;
	FILE *f = open_memstream(text, &size);

	if (!f)
		return err_set(e, "no memory");
	*any = false;
	for (size_t i = 0; i < n; i++) {
		const struct selector *s = selectors[i];

		if (!selector_watches(s, format->id) || condition_tier(s->owner) > max_tier)
			continue;
		*any = true;
		if (s->filter) {
			autofree char *one = filter_text(s->filter);

			fprintf(f, "%s(%s)", terms++ ? " || " : "", one);
		} else {
			every = true;
		}
	}
	fclose(f);
	if (every || !*any) {
		free(*text);
		*text = NULL;
	}
	return 0;
}
