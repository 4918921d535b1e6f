/* Conditions that end a capture: each kind is one file behind one struct of operations. What a
 * condition looks for are its selectors (selector.h); judge.h hands it what they saw, in the order
 * of time, live and in a replay alike. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "plan/selector.h"
#include "trace/tracing.h"

#define CONDITION_PARTS 16 /* that one can be made of */

struct condition_ops;
struct judge;

/* What became true, and when. */
struct verdict {
	const struct condition *condition; /* of the plan's list, once it is decided */
	uint64_t time;                     /* boot clock */
	bool uncertain;                    /* there was a hole where it may have been otherwise */
	uint32_t cpu;                      /* of the record, UINT32_MAX if there is none */
	int32_t pid;                       /* of its task, -1 if there is none */
	const struct selector *selector;   /* of the record, while the verdict is told */
	const struct observation *record;  /* NULL if there is none */
	char text[1024];                   /* one line */
	char numbers[256]; /* "pid=7 sport=1 ": integer fields for {FIELD} that are not of the
			      record; "" if those of the record are meant */
};

/* One entry of the plan's `stop`. */
struct condition {
	const struct condition_ops *ops;
	const char *name;         /* owned by spec */
	const char *at;           /* "recipe.lua:7"; owned by spec */
	const json_t *spec;       /* its part of the plan */
	uint32_t index;           /* in the plan's list */
	uint64_t hits;            /* how many it takes */
	uint64_t within;          /* ns in which they must come, 0: ever */
	uint64_t arm_after;       /* ns from the start in which nothing counts */
	struct condition *parent; /* that it is a part of, NULL if it stands for itself */
	struct condition *parts;  /* of which it is made */
	size_t n_parts;
	uint32_t number; /* the judge's, among all */
	bool was_true;   /* when the capture was prepared: it has to become so again */
	struct selector *selectors;
	size_t n_selectors;
	void *data;          /* made by ops->decode, allocated; freed with C */
	struct judge *judge; /* that it is before, NULL while nobody judges */
	void *state; /* of the judging: made by ops->begin, allocated; freed with the judge */
};

struct condition_ops {
	const char *type;         /* the plan's word: "silence" */
	const char *const *roles; /* of its selectors, NULL if there is just one */
	const char *why; /* the kernel cannot decide it; NULL: that is up to its selector */

	/* Reads the spec beyond the common fields, and makes the selectors; no look at the host. */
	int (*decode)(struct condition *c, struct err *e);

	/* Asks the host what its selectors do not. NULL where that is nothing. */
	int (*probe)(struct condition *c, struct err *e);

	/* What need not be waited for: it is true already. NULL where that cannot be. */
	int (*refuse)(struct condition *c, struct err *e);

	/* Before the first record. NULL where there is no state. */
	int (*begin)(struct condition *c, uint64_t start, struct err *e);

	/* A record that one of its selectors selects. */
	void (*see)(struct condition *c, const struct selector *s, const struct observation *o);

	/* One of its parts became true. */
	void (*part)(struct condition *c, const struct condition *part, const struct verdict *v);

	/* All records of before NOW have been seen. NULL where time alone changes nothing. */
	void (*reach)(struct condition *c, uint64_t now);

	/* Up to when nothing changes without a record: reach wants to be called for a later time.
	 * UINT64_MAX: for ever. NULL with reach. */
	uint64_t (*due)(const struct condition *c);

	/* When it fires, in a few words: "not seen for 3s". NULL: when it sees its record. */
	void (*explain)(const struct condition *c, FILE *out);

	/* How near it is, in a few words. NULL: hits are all there is to tell. */
	void (*tell)(const struct condition *c, char *text, size_t room);

	/* Free what c->state, or c->data, holds beside itself; NULL and half-decoded are fine
	 * there. NULL where that is nothing. */
	void (*end)(struct condition *c);
	void (*free)(struct condition *c);
};

extern const struct condition_ops seen_condition;
extern const struct condition_ops silence_condition;
extern const struct condition_ops expect_condition;
extern const struct condition_ops rate_condition;
extern const struct condition_ops gauge_condition;
extern const struct condition_ops hung_condition;
extern const struct condition_ops exit_condition;
extern const struct condition_ops frozen_condition;
extern const struct condition_ops all_condition;
extern const struct condition_ops sequence_condition;

/* The operations for the plan's word, NULL if there are none. What a selector is called stands for
 * that it was seen. */
const struct condition_ops *condition_find(const char *type);

/* Fills C from its part of the plan. */
int condition_decode(struct condition *c, const json_t *spec, uint32_t index, struct err *e);

/* Makes N selectors for it; each is then decoded by its ops. */
int condition_make_selectors(struct condition *c, size_t n, struct err *e);

/* Decodes selector PART of C from SPEC. */
int condition_decode_selector(struct condition *c, uint32_t part, const json_t *spec,
			      struct err *e);

/* Decodes the conditions of LIST as its parts. */
int condition_decode_parts(struct condition *c, const json_t *list, struct err *e);

/* Calls VISIT for C and all that it is made of, itself first; ends at the first that is not 0. */
typedef int condition_visit(void *arg, struct condition *c);
int condition_each(struct condition *c, condition_visit *visit, void *arg);

/* Decodes its only selector from `of`, which has to be of that kind. */
int condition_decode_only(struct condition *c, const struct selector_ops *kind, struct err *e);

/* A number of the spec, LEAST at least; *ret stays as it is if there is none. */
int condition_number(const struct condition *c, const char *key, uint64_t least, uint64_t *ret,
		     struct err *e);

/* Asks the host. */
int condition_probe(struct condition *c, struct tracing *tracing, struct err *e);

/* An error if it is true already: before the first capture, not between two. */
int condition_refuse(struct condition *c, struct err *e);

/* Whether a probe that the capture makes is among what it looks for: it is asked again then. */
bool condition_has_probe(const struct condition *c);

/* Whether a test of the recipe's is among what decides it. */
bool condition_has_test(const struct condition *c);

/* When it fires, as its ops explain it. */
void condition_explain(const struct condition *c, char *text, size_t room);

/* Frees what it holds. */
void condition_free(struct condition *c);

/* 1: the kernel decides; 2: our own process does, from records that the kernel has filtered; 3: a
 * test of the recipe's does, on such records. */
int condition_tier(const struct condition *c);

/* Why it is not in a better tier; NULL if it is in the first. */
const char *condition_why(const struct condition *c);

/* The filter for the kernel event of FORMAT that passes whatever any of those selectors wants whose
 * conditions are in the tiers up to MAX_TIER: *any is false if none watches it; *text is the
 * kernel's text, NULL for every record; the caller frees it. */
int condition_join(struct selector *const *selectors, size_t n, const struct format *format,
		   int max_tier, bool *any, char **text, struct err *e);
