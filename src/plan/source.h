/* Sources: each kind of recording is one file behind one struct of operations.
 *
 * A source lives in three processes. The engine decodes, probes, arms, starts and stops it. Its own
 * process, if it has one, runs `live` and fills a file in the state directory. A fresh process runs
 * `save`, from the state directory and the kernel alone, so that the engine, and later `tracer
 * recover`, can save what a killed process has recorded. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "capture/board.h"
#include "capture/stop_record.h"
#include "plan/selector.h"

enum outcome {
	OUTCOME_FAILED, /* pessimistic default */
	OUTCOME_OK,
	OUTCOME_PARTIAL,
	OUTCOME_TIMEOUT,
	OUTCOME_DENIED,
	OUTCOME_ABSENT,
	OUTCOME_TRUNCATED,
};

/* The manifest's word: "ok", "partial", ... */
const char *outcome_text(enum outcome outcome);

/* A hole: records that are lost, not just older than the window. */
struct hole {
	uint64_t from; /* boot clock */
	uint64_t to;
	uint64_t count; /* 0: not known */
	char what[48];  /* where: "cpu 1", "kernel drops", "seam" */
};

/* What a source says of itself; plain data, crosses process boundaries as it is. */
struct report {
	uint32_t outcome; /* enum outcome */
	uint32_t
		n_holes; /* at most countof(holes); the last one then stands for all further ones */
	uint64_t records;     /* kept */
	uint64_t bytes;       /* kept */
	uint64_t overwritten; /* older than the window: normal in a ring */
	uint64_t lost;
	uint64_t from; /* the window that is whole but for the holes, boot clock; 0, 0 if there is
			  none */
	uint64_t to;
	struct hole holes[32];
	char note[256]; /* one sentence where the outcome is not ok */
};

/* Adds a hole, counting its records as lost. */
void report_hole(struct report *report, const char *what, uint64_t from, uint64_t to,
		 uint64_t count);

/* What probe finds that it will need, for the plan's limits and the page of `tracer check`. */
struct cost {
	uint64_t ring_bytes;   /* of that: the ring with what came before the stop; 0: it goes by
				  time,   or has none */
	uint64_t kernel_bytes; /* rings in the kernel */
	uint64_t tmpfs_bytes;  /* ring files */
	uint64_t output_bytes; /* worst case in the output directory, before compression */
};

struct source_ops;
struct plan;

/* One entry of the plan's `collect`. */
struct source {
	const struct source_ops *ops;
	const char *name;   /* of its files, unique in the plan; owned by spec */
	const char *at;     /* "recipe.lua:7", for sentences; owned by spec */
	const json_t *spec; /* its part of the plan */
	uint32_t index;
	struct cost cost; /* what probe found */
	uint64_t finish; /* ns that it may take after the stop beyond what all may; set by decode */
	void *data;      /* made by ops->decode, freed by ops->free */
	struct stats *stats;
	const struct probes *probes; /* of the plan; borrowed */
	struct tracing
		*tracing; /* borrowed; NULL if nothing in the plan needs the kernel's tracing */
};

struct tracing; /* tracing.h */
struct probes;  /* probe.h */
struct state;   /* state.h */
struct capture; /* capture.h: the engine's side */

/* What a source's own process is given. */
struct live {
	int engine;   /* socket to the engine; use the functions below */
	int statedir; /* where its files are */
	const struct stop_page *stop;
	bool started;   /* the engine has said start */
	uint64_t since; /* boot clock: when that was; what came later counts, though it was said
			   late */
	bool stopping;  /* the engine has said stop, or is gone: */
	bool orphaned;
	bool fsfreeze_safe; /* the plan's */
};

/* What the saving process is given. */
struct save {
	const struct state *state; /* state.h; its directory: */
	int statedir;
	int outdir; /* the bundle's directory */
	const struct stop_record *stop;
	const struct anchor *anchors; /* oldest first, at least one */
	size_t n_anchors;
	struct report *report; /* to be filled; its outcome is FAILED until set */
};

/* The wall time of BOOT. */
static inline uint64_t save_wall(const struct save *save, uint64_t boot)
{
	return anchors_wall(save->anchors, save->n_anchors, boot);
}

struct source_ops {
	const char *type; /* the plan's word: "ftrace" */

	/* Reads the spec into s->data; no look at the host. The plan is checked text from the
	 * script: still refuse what is not well-formed. */
	int (*decode)(struct source *s, struct err *e);

	/* In its place, of the source that keeps a stream of what the conditions of PLAN look at,
	 * and that no recipe names. NULL elsewhere. */
	int (*observe)(struct source *s, const struct plan *plan, enum stream stream,
		       struct err *e);

	/* Looks whether this host can do it and what it takes; changes nothing. */
	int (*probe)(struct source *s, struct cost *cost, struct err *e);

	/* Engine, root: makes its kernel objects and its files in the state directory, each written
	 * to the ledger before. On failure the engine undoes the ledger: no clean-up here. */
	int (*arm)(struct source *s, struct capture *c, struct err *e);

	/* Engine: recording ends; may come before it has begun. NULL where `live` does it. */
	int (*stop)(struct source *s, struct capture *c, struct err *e);

	/* Its own process, from before the start until after the stop; NULL if it needs none. Set
	 * up as root, then live_armed, then record until live->stopping and all up to the cut is
	 * in. */
	int (*live)(struct source *s, struct live *live, struct err *e);

	/* Engine, once a second: brings s->stats up to date. NULL where `live` does it. */
	void (*stats)(struct source *s, struct capture *c);

	/* A fresh process: writes raw files below save->outdir from what is in the state directory
	 * or the kernel, and fills the report. Opens what it needs, then enters the tightest
	 * sandbox that it can. The files need no sync: the caller syncs all of them. */
	int (*save)(struct source *s, struct save *save, struct err *e);

	/* Frees s->data; NULL and half-decoded are fine. */
	void (*free)(struct source *s);
};

extern const struct source_ops ftrace_source;
extern const struct source_ops packets_source;
extern const struct source_ops files_source;
extern const struct source_ops tasks_source;
extern const struct source_ops sockets_source;
extern const struct source_ops exec_source;
extern const struct source_ops log_source;
extern const struct source_ops textlog_source;
extern const struct source_ops watched_source; /* in no plan: what has conditions has it */

/* The family's one table, ended by NULL. */
extern const struct source_ops *const source_table[];

/* The operations for the plan's word, NULL if there are none. */
const struct source_ops *source_find(const char *type);
