/* t.sequence: its parts have become true one after the other, the first and the last of them within
 * a time; with a key, for the same key. */
#include <stdlib.h>

#include "base/units.h"
#include "condition/judge.h"
#include "condition/obligations.h"
#include "plan/condition.h"
#include "plan/key.h"

#define SEQUENCE_KEYS 16384 /* that wait for each part */

struct sequence {
	uint64_t within; /* 0: ever */
	size_t n_key;
	struct key_part key[CONDITION_PARTS][KEY_PARTS]; /* for each part */
};

/* For each part the keys that wait for it, with the time at which the first part was seen: the
 * latest, which leaves the most time. The first waits for nobody. */
struct sequence_state {
	struct obligations *waiting[CONDITION_PARTS];
};

static int sequence_decode_key(struct condition *c, const json_t *list, struct err *e)
{
	struct sequence *sequence = c->data;

	sequence->n_key = json_array_size(list);
	if (sequence->n_key > KEY_PARTS)
		return err_set(e, "a key has at most %d parts", KEY_PARTS);
	for (size_t i = 0; i < c->n_parts; i++)
		for (size_t k = 0; k < sequence->n_key; k++)
			if (key_part_decode(&sequence->key[i][k],
					    json_object_get(json_array_get(list, k), "on"), e) < 0)
				return e->code;
	for (size_t i = 0; sequence->n_key && i < c->n_parts; i++)
		if (c->parts[i].ops != &seen_condition)
			return err_set(e, "with a key, a sequence is one of events and packets");
	return 0;
}

static int sequence_decode(struct condition *c, struct err *e)
{
	struct sequence *sequence = c->data = calloc(1, sizeof(*sequence));

	if (!sequence)
		return err_set(e, "no memory");
	sequence->within = c->within;
	c->within = 0; /* that is for the parts, not for several hits */
	if (condition_decode_parts(c, json_object_get(c->spec, "of"), e) < 0)
		return e->code;
	return sequence_decode_key(c, json_object_get(c->spec, "key"), e);
}

static int sequence_probe(struct condition *c, struct err *e)
{
	struct sequence *sequence = c->data;

	for (size_t i = 0; i < c->n_parts; i++)
		for (size_t k = 0; k < sequence->n_key; k++)
			if (selector_find_part(&c->parts[i].selectors[0], &sequence->key[i][k], e) <
			    0)
				return e->code;
	/* twice: what the last one narrows holds for the first ones too */
	for (size_t i = 0; i < 2 * c->n_parts; i++)
		for (size_t k = 0; k < sequence->n_key; k++)
			if (key_parts_join(&sequence->key[0][k], &sequence->key[i % c->n_parts][k],
					   e) < 0)
				return e->code;
	return 0;
}

static int sequence_begin(struct condition *c, uint64_t start, struct err *e)
{
	struct sequence_state *state = c->state = calloc(1, sizeof(*state));

	(void)start;
	if (!state)
		return err_set(e, "no memory");
	for (size_t i = 1; i < c->n_parts; i++)
		if (obligations_create(&state->waiting[i], SEQUENCE_KEYS, e) < 0)
			return e->code;
	return 0;
}

static bool sequence_key(const struct condition *c, const struct condition *part,
			 const struct verdict *v, struct key *key)
{
	const struct sequence *sequence = c->data;

	*key = (struct key) { 0 };
	for (size_t k = 0; k < sequence->n_key; k++)
		if (!v->selector->ops->read(v->selector, v->record, &sequence->key[part->index][k],
					    key))
			return false;
	return true;
}

/* Waits for part NEXT since the first part's time, and no longer since an earlier one. */
static void sequence_wait(struct obligations *waiting, const struct key *key, uint64_t first,
			  bool uncertain)
{
	struct obligation *before = obligations_find(waiting, key);

	if (!before && obligations_count(waiting) == SEQUENCE_KEYS)
		before = obligations_oldest(waiting);
	if (before)
		obligations_close(waiting, before);
	obligations_open(waiting, key, first)->uncertain = uncertain;
}

static void sequence_true(struct condition *c, const struct key *key, const struct verdict *v,
			  bool uncertain)
{
	const struct sequence *sequence = c->data;
	struct verdict verdict = *v;
	char text[200] = "";

	if (!judge_hit(c, v->time))
		return;
	verdict.uncertain = uncertain;
	key_print(key, sequence->key[0], sequence->n_key, text, sizeof(text));
	snprintf(verdict.text, sizeof(verdict.text), "%s%s%.800s", text, *text ? ": " : "",
		 v->text);
	judge_fire(c, &verdict);
}

static void sequence_part(struct condition *c, const struct condition *part,
			  const struct verdict *v)
{
	const struct sequence *sequence = c->data;
	struct sequence_state *state = c->state;
	struct obligation *waiting;
	uint64_t first = v->time;
	bool uncertain = v->uncertain;
	struct key key;

	if (!sequence_key(c, part, v, &key))
		return;
	if (part->index > 0) {
		waiting = obligations_find(state->waiting[part->index], &key);
		if (!waiting)
			return;
		first = waiting->since;
		uncertain |= waiting->uncertain;
		obligations_close(state->waiting[part->index], waiting);
		if (sequence->within && v->time - first > sequence->within)
			return;
	}
	if (part->index + 1 < c->n_parts)
		sequence_wait(state->waiting[part->index + 1], &key, first, uncertain);
	else
		sequence_true(c, &key, v, uncertain);
}

static void sequence_explain(const struct condition *c, FILE *out)
{
	const struct sequence *sequence = c->data;

	fprintf(out, "%zu, one after the other", c->n_parts);
	if (sequence->within)
		fprintf(out, ", within %s", duration_text(sequence->within).text);
	for (size_t k = 0; k < sequence->n_key; k++)
		fprintf(out, "%s%s", k ? ", " : ", by ",
			sequence->key[0][k].name ? sequence->key[0][k].name
						 : "bytes of the payload");
}

static void sequence_tell(const struct condition *c, char *text, size_t room)
{
	const struct sequence_state *state = c->state;
	size_t far = 0;

	for (size_t i = 1; i < c->n_parts; i++)
		if (obligations_count(state->waiting[i]))
			far = i;
	snprintf(text, room, "%zu of %zu", far, c->n_parts);
}

static void sequence_end(struct condition *c)
{
	struct sequence_state *state = c->state;

	for (size_t i = 1; state && i < c->n_parts; i++)
		obligations_free(state->waiting[i]);
}

const struct condition_ops sequence_condition = {
	.type = "sequence",
	.why = "the kernel cannot join conditions",
	.decode = sequence_decode,
	.probe = sequence_probe,
	.begin = sequence_begin,
	.part = sequence_part,
	.explain = sequence_explain,
	.tell = sequence_tell,
	.end = sequence_end,
};
