/* The stop record: a page of shared memory, written once, by whoever decides first; everyone obeys
 * it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum stop_by {
	STOP_CONDITION = 1,
	STOP_USER, /* Ctrl+C, SIGTERM, `tracer stop` */
	STOP_MAX_TIME,
	STOP_KILLED, /* found by recover */
};

struct stop_record {
	uint32_t by;        /* enum stop_by */
	uint32_t condition; /* its number in the plan's stop list, if by == STOP_CONDITION */
	uint64_t event;     /* boot clock: when it happened */
	uint64_t cut;       /* boot clock: what is later is not kept */
	uint32_t uncertain; /* there was a hole before it */
	uint32_t drill;     /* it was fired by hand */
	uint32_t cpu;       /* of the event, UINT32_MAX if it has none */
	int32_t pid;        /* of the event's task, -1 if it has none */
	char comm[16];      /* of that task; filled in later, when there is time to look it up */
	char text[1024];    /* one line: the event with its fields, or the cause */
	char numbers[1024]; /* "pid=7 sport=1 ": its integer fields, which {FIELD} stands for; never
			       from text, which others have a say in */
};

struct stop_page;

/* Makes the page in the file of that name below DIRFD, or maps that of a capture whose processes
 * are gone. */
int stop_create(struct stop_page **ret, int dirfd, struct err *e);
int stop_open(struct stop_page **ret, int dirfd, struct err *e);
void stop_close(struct stop_page *page);

/* Writes the record if none is there yet. Returns true if it was ours that came first. */
bool stop_decide(struct stop_page *page, const struct stop_record *record);

/* Moves the cut of a decided record forward to BOOT, if it is later. */
void stop_cut_short(struct stop_page *page, uint64_t boot);

/* Opens the record again if who was writing it was killed at it: for who knows that nobody else is.
 */
void stop_release(struct stop_page *page);

/* Fills in the task's name, once it is known. */
void stop_set_comm(struct stop_page *page, const char *comm);

/* The record, or NULL as long as nobody has decided. */
const struct stop_record *stop_get(const struct stop_page *page);

/* The cut, UINT64_MAX as long as nobody has decided: for use on every packet. */
uint64_t stop_cut(const struct stop_page *page);

/* "condition", "user", "max_time", "killed": the manifest's word. */
const char *stop_by_text(enum stop_by by);
