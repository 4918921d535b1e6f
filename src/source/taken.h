/* What is taken at the start, at the stop or again and again by the helpers of a reader: what the
 * sources for files, tasks, sockets and commands share. Each is one file that says what a helper is
 * asked; the way of the answer is the same.
 *
 * In the state directory:
 * taken-N.ring    the samples: kind is the item's number, aux an errno and TAKEN_* flags
 * taken-N.names   the items' texts in the order of their numbers, each ended by a NUL; appended to
 *                 as paths appear
 * taken-N.index   struct taken_entry after struct taken_entry: what became of each snapshot, and of
 *                 odd paths
 * taken-N/start/, taken-N/stop/   the snapshots' content */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ring.h"
#include "plan/source.h"
#include "reader/reader.h"

#define TAKEN_ITEMS_MAX 1000u       /* in a plan */
#define TAKEN_NAMES_MAX 65536u      /* that globs can grow them to */
#define TAKEN_MAX (16u << 20)       /* bytes of a single one that can be asked for */
#define TAKEN_ALL_MAX (64u << 20)   /* bytes of all snapshots of a source */
#define TAKEN_RING_MIN (256u << 10) /* and never less than one of `max` bytes */
#define TAKEN_RING_MAX (256u << 20)

enum taken_phase { TAKEN_START, TAKEN_STOP, TAKEN_SAMPLE, TAKEN_PHASES };

/* "start", "stop", "samples" */
extern const char *const taken_phase_text[TAKEN_PHASES];

enum {
	TAKEN_ERRNO = 0xffff,      /* the bits of aux that are the errno */
	TAKEN_TRUNCATED = 1 << 16, /* cut at `max` */
	TAKEN_OPTIONAL = 1 << 17,  /* its failure is no failure of the source */
	TAKEN_DONE = 1 << 18,      /* in the index: this phase is complete */
};

/* What sets one of those sources apart. */
struct taken_kind {
	const char *what; /* "files": for sentences */
	const char *dir;  /* of the bundle; NULL: below files/ and samples/ by their paths */
	enum reader_op op;
	enum reader_kind reader;
	unsigned int helpers;
	size_t expected; /* bytes of an answer, where it is not to be tried before the start; else 0
			  */
};

struct taken_item {
	const char *text; /* what the helper is asked: a path, or a query; owned by the spec, or as
			     `query` */
	bool optional;
	bool glob;
	bool template; /* has a {FIELD} of the stop event */
};

struct taken {
	const struct taken_kind *kind;
	struct taken_item *items;
	size_t n;
	bool start;
	bool stop;
	uint64_t every; /* ns, 0: no samples */
	uint64_t keep_ns;
	uint64_t max;
	uint64_t deadline; /* ns for each; 0: the reader's own */
	uint64_t round;    /* bytes of one round, as probe has measured it */
	char *query;
	struct ring *ring;
};

/* In the index; followed by the text, then by the note, neither with a NUL. */
struct taken_entry {
	uint32_t phase; /* enum taken_phase */
	uint32_t what;  /* errno and flags, like aux */
	uint64_t time;  /* boot clock */
	uint64_t size;  /* of the content */
	uint32_t path_size;
	uint32_t note_size;
};

struct taken_name {
	char text[64];
};

/* "taken-N" and SUFFIX. */
struct taken_name taken_name(const struct source *s, const char *suffix);

/* Reads what all kinds have in the plan (`start`, `stop`, `every`, `keep_ns`, `max`, `deadline`)
 * into s->data, without items, and s->finish. */
int taken_decode(struct source *s, const struct taken_kind *kind, struct err *e);

/* Room for N items, taken->n of which are there. */
int taken_make_items(struct taken *taken, size_t n, struct err *e);

/* Adds what is to be asked. */
int taken_add(struct taken *taken, const char *text, struct err *e);

/* A field of the spec that is part of a query. */
struct taken_word {
	const char *name;
	json_type type; /* of a list, its items are texts or whole numbers */
};

/* Adds the one query that those of the fields are which the spec has, as JSON. */
int taken_add_query(struct source *s, const struct taken_word *words, size_t n, struct err *e);

/* Why this cannot be a path below which something is kept, NULL if it can. */
const char *taken_path_fault(const char *path);

/* The length of the "{FIELD}" that TEXT begins with, 0 if it does not. */
size_t taken_field(const char *text);

/* The most bytes that the snapshots of one phase may have. */
uint64_t taken_phase_max(const struct taken *taken);

/* Where the answer is kept below a phase's directory: its path, or one that stands for a query. */
const char *taken_place(const struct taken *taken, const char *text);

/* For their reader. */
struct reader_setup taken_reader(const struct taken *taken);

/* For their source_ops. */
int taken_probe(struct source *s, struct cost *cost, struct err *e);
int taken_arm(struct source *s, struct capture *c, struct err *e);
int taken_live(struct source *s, struct live *live, struct err *e);
int taken_save(struct source *s, struct save *save, struct err *e);
void taken_free(struct source *s);
