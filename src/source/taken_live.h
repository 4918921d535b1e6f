/* Inside the own process of a source that takes something, whose loop (taken_live.c) asks the
 * reader for what is on the lists (taken_queue.c). Snapshots and samples put it there and keep the
 * answers. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reader/reader.h"
#include "source/taken.h"

/* A read that is to be done; as the reader's tag it is one integer. */
struct job {
	uint8_t phase; /* enum taken_phase */
	uint8_t glob;
	uint16_t pattern; /* which of the plan's items it is for */
	uint32_t number;  /* of the path, or of the pattern's own text */
};

_Static_assert(sizeof(struct job) == sizeof(uint64_t), "a job is a tag");

struct queue {
	struct job *jobs;
	size_t next;
	size_t n;
	size_t room;
	uint32_t round;       /* counted up from 1; 0: not begun */
	uint32_t outstanding; /* asked and not answered */
	uint64_t kept;        /* bytes of snapshots */
	bool done;            /* the index says that it is complete */
};

/* A path with its number, which is its place in the table. */
struct name {
	char *text;
	uint32_t round[TAKEN_PHASES]; /* the last one that took it */
	bool skip;                    /* known not to be a file */
	bool asked;                   /* a sample of it is under way */
};

#define NAMES_NO_NUMBER UINT32_MAX

struct names {
	int fd;
	json_t *numbers; /* by path */
	struct name *names;
	uint32_t n;
	uint32_t room;
};

/* What a pattern has matched. */
struct matches {
	uint32_t *numbers;
	size_t n;
	bool cut;      /* there are more, which cannot be kept */
	bool ever;     /* it has matched something, now or earlier */
	uint64_t time; /* boot clock, 0: never asked */
};

struct run {
	struct source *s;
	struct taken *taken;
	struct live *live;
	struct reader *reader;
	struct names names;
	struct queue queues[TAKEN_PHASES];
	struct matches *matches; /* the last ones of each of the plan's items; used by samples */
	int tree;                /* "taken-N" */
	int index;
	uint64_t next; /* boot clock: when the next round of samples is due */
};

/* What is to be read, and what became of it: taken_queue.c. */

/* The number of a path, which it gets when it is first seen; NAMES_NO_NUMBER if there are too many.
 */
uint32_t names_number(struct names *names, const char *text);

/* The numbers of the paths in the reader's answer to a pattern. They are the caller's to free. */
struct matches names_match(struct names *names, const struct reader_answer *a);

/* Begins a round, with no job yet. */
void queue_begin(struct run *run, enum taken_phase phase);

/* Puts a path of the plan or all matches of one on the list of the job's phase, each path once a
 * round, whatever number of patterns it matches. What there is no room for is noted. */
void queue_text(struct run *run, struct job job, const char *text);
void queue_matches(struct run *run, struct job job, const struct matches *m);

/* One that was given away comes back, to be done once more. */
void queue_again(struct run *run, struct job job);

/* Whether every job of the round has its answer. */
bool queue_idle(const struct queue *queue);

/* The path or pattern of a job. */
const char *job_text(const struct run *run, struct job job);

/* The errno and the TAKEN_* flags that an answer comes to. */
uint32_t job_what(const struct run *run, struct job job, const struct reader_answer *a);

/* Writes down what became of a path. A full tmpfs is told to the engine, there is nobody else. */
void job_note(struct run *run, struct taken_entry entry, const char *path, const char *note);
void job_fail(struct run *run, struct job job, const char *path, int error, const char *note);

/* The same for what need not be there. */
void job_pass(struct run *run, struct job job, const char *path, const char *note);

/* What is kept as it was at one moment: taken_snapshot.c. */

/* Begins TAKEN_START or TAKEN_STOP, where the fields in paths are those of the stop record. */
void snapshot_begin(struct run *run, enum taken_phase phase);

/* Keeps the content as taken-N/PHASE/PATH and notes it, or queues what a pattern has matched. */
void snapshot_answer(struct run *run, struct job job, const struct reader_answer *a);

/* Notes that a phase is complete, once it is. */
void snapshot_settle(struct run *run, enum taken_phase phase);

/* Notes each path that was not reached. */
void snapshot_give_up(struct run *run, enum taken_phase phase);

/* What is kept at a rate, in the ring: taken_samples.c. */

/* Begins the round that is due at NOW (boot clock), or counts it as lost if the last one has not
 * been asked for whole. Rounds that were missed are lost too. */
void samples_tick(struct run *run, uint64_t now);

/* Counts samples that were not taken between two times of the boot clock. */
void samples_lost(struct run *run, uint64_t count, uint64_t from, uint64_t to);

/* Keeps the content in the ring, unless it is from after the cut, or queues what a pattern has
 * matched. */
void samples_answer(struct run *run, struct job job, const struct reader_answer *a);

/* Writes down in the ring up to when all has been seen, once each sample has its answer. */
void samples_settle(struct run *run);

/* Notes the patterns that have never matched anything. */
void samples_unmatched(struct run *run);
