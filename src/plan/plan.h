/* The plan: what a recipe with its arguments asks for, as plain data. */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "plan/condition.h"
#include "plan/probe.h"
#include "plan/source.h"

/* The names of the sources that keep what the conditions look at, by stream. */
extern const char *const plan_watched_names[STREAMS];

struct watched;

struct plan {
	json_t *json; /* owns all strings below */
	char *text;   /* canonical JSON */
	char sha256[65];
	const char *name;     /* the recipe's, without .lua */
	const char *question; /* its first comment line */
	struct source *sources;
	size_t n_sources; /* of `collect`, and what its conditions look at */
	struct condition *conditions;
	size_t n_conditions;
	struct selector **selectors; /* of all conditions */
	size_t n_selectors;
	struct watched *watched[STREAMS]; /* of the sources; NULL: no condition looks at that */
	struct probes probes;             /* that its events and conditions need */
	uint64_t post;                    /* ns still recorded after the event */
	uint64_t max_time;                /* ns */
	uint64_t max_bundles;             /* one after the other, 1 at least */
	uint64_t cooldown;                /* ns between two of them */
	bool fsfreeze_safe; /* from start to thaw it touches no disk, and its memory is locked */
	uint64_t max_disk;  /* bytes for all of them, 0: as many as they take */
};

/* Reads canonical JSON into a plan. *ret is the caller's. */
int plan_parse(struct plan **ret, const char *text, struct err *e);

/* Whether a source of that kind is among them. */
bool plan_has(const struct plan *plan, const struct source_ops *kind);

/* NULL is fine. */
void plan_free(struct plan *plan);
