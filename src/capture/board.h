/* The board: the live figures of a capture, in a page that every process of it writes its own part
 * of and that `tracer status` reads. */
#pragma once

#include <stdint.h>

#include "base/err.h"

#define BOARD_SCHEMA 2 /* another one for another layout */
#define BOARD_MAX 64   /* sources, and conditions */

enum stage {
	STAGE_ARM,
	STAGE_WATCH,
	STAGE_HALT,
	STAGE_SAVE,
	STAGE_CONVERT,
	STAGE_SEAL,
	STAGE_DONE,
	STAGE_COOLDOWN, /* between two captures of a run */
	STAGE_THAW,     /* stopped, and waiting for where the output goes */
};

/* "arm", "watch", ... */
const char *stage_text(enum stage stage);

/* How near a condition is. */
struct progress {
	uint64_t seen;   /* hits */
	uint64_t last;   /* boot clock: the last of them */
	uint64_t fired;  /* of a trial: how often it would have ended the capture, */
	uint64_t first;  /* boot clock: when the first time, */
	char text[200];  /* and by what */
	char near[80];   /* what there is to tell beyond hits: "3 waiting" */
	char fault[240]; /* why nobody looks for it any more; empty while somebody does */
};

/* Live figures in shared memory, one slot a source: written by whoever runs it, read by anyone. */
struct stats {
	uint64_t records;
	uint64_t bytes;
	uint64_t overwritten;
	uint64_t lost;
	uint64_t last;    /* boot clock: newest record */
	uint64_t counted; /* the engine's: records at its last look, and how many a second came
			     before it */
	uint64_t rate;
};

struct board {
	uint32_t schema; /* BOARD_SCHEMA */
	uint32_t stage;  /* enum stage */
	int32_t pid;     /* of the engine */
	uint32_t whole;  /* every source was saved whole */
	uint64_t armed;  /* boot clock: recording since, 0 before */
	uint64_t max_time;
	struct stats sources[BOARD_MAX];
	struct progress conditions[BOARD_MAX];
};

/* Makes the board in a state directory, or maps the one that is there. */
int board_create(struct board **ret, int statedir, struct err *e);
int board_open(struct board **ret, int statedir, struct err *e);

/* NULL is fine. */
void board_close(struct board *board);
