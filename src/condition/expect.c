/* t.expect: what must follow has not, at the deadline. `on` opens an obligation for its key, `need`
 * with the same key meets it. */
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "condition/judge.h"
#include "condition/obligations.h"
#include "plan/condition.h"
#include "plan/key.h"

#define EXPECT_MAX 65536 /* obligations at a time */

enum { ON, NEED };

static const char *const expect_roles[] = { "on", "need" };

struct expect {
	uint64_t within;
	size_t n_parts;                      /* of the key */
	struct key_part parts[2][KEY_PARTS]; /* of `on`, of `need` */
};

static int expect_decode_key(struct expect *expect, const json_t *list, struct err *e)
{
	expect->n_parts = json_array_size(list);
	if (expect->n_parts > KEY_PARTS)
		return err_set(e, "a key has at most %d parts, not %zu", KEY_PARTS,
			       expect->n_parts);
	for (size_t i = 0; i < expect->n_parts; i++) {
		const json_t *part = json_array_get(list, i);

		if (key_part_decode(&expect->parts[ON][i], json_object_get(part, "on"), e) < 0 ||
		    key_part_decode(&expect->parts[NEED][i], json_object_get(part, "need"), e) < 0)
			return e->code;
	}
	return 0;
}

static int expect_decode(struct condition *c, struct err *e)
{
	struct expect *expect = c->data = calloc(1, sizeof(*expect));

	if (!expect)
		return err_set(e, "no memory");
	expect->within = c->within;
	c->within = 0; /* that is the deadline, not the time of several hits */
	if (!expect->within)
		return err_set(e, "`within` has to say when it must have come");
	if (expect_decode_key(expect, json_object_get(c->spec, "key"), e) < 0 ||
	    condition_make_selectors(c, 2, e) < 0 ||
	    condition_decode_selector(c, ON, json_object_get(c->spec, "on"), e) < 0)
		return e->code;
	return condition_decode_selector(c, NEED, json_object_get(c->spec, "need"), e);
}

static int expect_probe(struct condition *c, struct err *e)
{
	struct expect *expect = c->data;

	for (int side = ON; side <= NEED; side++)
		for (size_t i = 0; i < expect->n_parts; i++)
			if (selector_find_part(&c->selectors[side], &expect->parts[side][i], e) < 0)
				return e->code;
	for (size_t i = 0; i < expect->n_parts; i++)
		if (key_parts_join(&expect->parts[ON][i], &expect->parts[NEED][i], e) < 0)
			return e->code;
	return 0;
}

static int expect_begin(struct condition *c, uint64_t start, struct err *e)
{
	(void)start;
	return obligations_create((struct obligations **)&c->state, EXPECT_MAX, e);
}

/* False where the record has no such values, a packet without the payload perhaps. */
static bool expect_key(const struct condition *c, const struct selector *s,
		       const struct observation *o, struct key *key)
{
	const struct expect *expect = c->data;

	*key = (struct key) { 0 };
	for (size_t i = 0; i < expect->n_parts; i++)
		if (!s->ops->read(s, o, &expect->parts[s->part][i], key))
			return false;
	return true;
}

/* One that is owed something already stays as it is: the clock runs from the first. */
static void expect_see(struct condition *c, const struct selector *s, const struct observation *o)
{
	struct obligations *open = c->state;
	struct obligation *obligation;
	struct key key;

	if (!expect_key(c, s, o, &key))
		return;
	if (s->part == NEED) {
		obligation = obligations_find(open, &key);
		if (obligation)
			obligations_close(open, obligation);
		return;
	}
	obligation = obligations_open(open, &key, o->time);
	if (obligation) {
		obligation->cpu = o->cpu;
		obligation->pid = o->pid;
	}
}

static uint64_t expect_due(const struct condition *c)
{
	const struct expect *expect = c->data;
	const struct obligation *oldest = obligations_oldest(c->state);

	return oldest ? oldest->since + expect->within : UINT64_MAX;
}

static void expect_fire(struct condition *c, const struct obligation *owed, uint64_t deadline)
{
	const struct expect *expect = c->data;
	struct verdict verdict = { .time = deadline,
				   .cpu = owed->cpu,
				   .pid = owed->pid,
				   .uncertain = judge_missed(c, owed->since) };
	char key[400] = "";

	key_print(&owed->key, expect->parts[ON], expect->n_parts, key, sizeof(key));
	key_numbers(&owed->key, expect->parts[ON], expect->n_parts, verdict.numbers,
		    sizeof(verdict.numbers));
	snprintf(verdict.text, sizeof(verdict.text),
		 "%s%snothing has answered within %s; %u more are waiting", key, *key ? ": " : "",
		 duration_text(expect->within).text, obligations_count(c->state) - 1);
	judge_fire(c, &verdict);
}

/* An answer at the very deadline is one. */
static void expect_reach(struct condition *c, uint64_t now)
{
	uint64_t deadline;

	while ((deadline = expect_due(c)) < now) {
		struct obligation *owed = obligations_oldest(c->state);

		if (judge_hit(c, deadline))
			expect_fire(c, owed, deadline);
		obligations_close(c->state, owed);
	}
}

static void expect_explain(const struct condition *c, FILE *out)
{
	const struct expect *expect = c->data;

	fprintf(out, "nothing has answered within %s", duration_text(expect->within).text);
	for (size_t i = 0; i < expect->n_parts; i++) {
		const char *on = expect->parts[ON][i].name, *need = expect->parts[NEED][i].name;

		fprintf(out, "%s%s", i ? ", " : ", by ", on ? on : "bytes of the payload");
		if (on && need && strcmp(on, need))
			fprintf(out, " = %s", need);
	}
}

static void expect_tell(const struct condition *c, char *text, size_t room)
{
	uint64_t dropped = obligations_dropped(c->state);
	int n = snprintf(text, room, "%u waiting", obligations_count(c->state));

	if (dropped && n > 0 && (size_t)n < room)
		snprintf(text + n, room - n, ", %llu too many", (unsigned long long)dropped);
}

static void expect_end(struct condition *c)
{
	obligations_free(c->state);
	c->state = NULL;
}

const struct condition_ops expect_condition = {
	.type = "expect",
	.why = "the kernel has no trigger for what does not happen",
	.roles = expect_roles,
	.decode = expect_decode,
	.probe = expect_probe,
	.begin = expect_begin,
	.see = expect_see,
	.reach = expect_reach,
	.due = expect_due,
	.explain = expect_explain,
	.tell = expect_tell,
	.end = expect_end,
};
