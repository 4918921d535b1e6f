#include "condition.h"

#include <stdio.h>
#include <string.h>

#include "auto.h"

const struct condition_ops *const condition_table[] = { &event_condition, &line_condition, NULL };

static const struct condition_ops *condition_find(const char *type)
{
	for (const struct condition_ops *const *ops = condition_table; *ops; ops++)
		if (!strcmp((*ops)->type, type))
			return *ops;
	return NULL;
}

/* What is left out has its default; what is there and of another type would silently mean something
 * else. */
static int condition_check(const json_t *spec, struct err *e)
{
	static const char *const texts[] = { "filter", "text", "regex" }, *const numbers[] = {
		"hits", "within"
	};

	for (size_t i = 0; i < countof(texts); i++)
		if (json_object_get(spec, texts[i]) &&
		    !json_is_string(json_object_get(spec, texts[i])))
			return err_set(e, "'%s' of a stop condition is no text", texts[i]);
	for (size_t i = 0; i < countof(numbers); i++) {
		const json_t *number = json_object_get(spec, numbers[i]);

		if (number && (!json_is_integer(number) || json_integer_value(number) < 0))
			return err_set(e, "'%s' of a stop condition is no number", numbers[i]);
	}
	return 0;
}

int condition_decode(struct condition *c, const json_t *spec, uint32_t index, struct err *e)
{
	const char *type = json_string_value(json_object_get(spec, "type"));
	json_int_t hits = json_integer_value(json_object_get(spec, "hits"));

	*c = (struct condition) { .spec = spec, .index = index };
	c->name = json_string_value(json_object_get(spec, "name"));
	c->at = json_string_value(json_object_get(spec, "at"));
	c->within = json_integer_value(json_object_get(spec, "within"));
	c->hits = hits > 0 ? hits : 1;
	c->ops = type ? condition_find(type) : NULL;
	if (!c->ops || !c->name || !c->at)
		return err_set(e, "the plan has a stop condition of unknown type '%s'",
			       type ? type : "");
	if (condition_check(spec, e) < 0)
		return err_wrap(e, "%s", c->at);
	if (c->hits > 1000000)
		return err_set(e, "%s: hits = %lld is more than can be counted", c->at,
			       (long long)hits);
	if (c->ops->decode && c->ops->decode(c, e) < 0)
		return err_wrap(e, "%s", c->at);
	return 0;
}

int condition_probe(struct condition *c, struct tracing *tracing, struct err *e)
{
	if (c->ops->probe(c, tracing, e) < 0)
		return err_wrap(e, "%s", c->at);
	return 0;
}

void condition_free(struct condition *c)
{
	if (c->ops && c->ops->free)
		c->ops->free(c);
	format_free(c->format);
	filter_free(c->filter);
	*c = (struct condition) { 0 };
}

int condition_tier(const struct condition *c)
{
	return condition_why(c) ? 2 : 1;
}

const char *condition_why(const struct condition *c)
{
	if (c->ops->match && c->data)
		return "the kernel cannot match this text";
	if (c->hits > 1)
		return "the kernel stops at the first hit and cannot count to more";
	return NULL;
}

int condition_join(const struct condition *conditions, size_t n, const struct format *event,
		   int max_tier, bool *any, char **text, struct err *e)
{
	size_t size, terms = 0;
	bool every = false;
	FILE *f = open_memstream(text, &size);

	if (!f)
		return err_set(e, "no memory");
	*any = false;
	for (const struct condition *c = conditions; c < conditions + n; c++) {
		if (!c->format || c->format->id != event->id || condition_tier(c) > max_tier)
			continue;
		*any = true;
		if (c->filter) {
			autofree char *one = filter_text(c->filter);

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
