/* The tests of a recipe: Lua functions that a record has to pass. They run in the script process
 * (script_test.c); who has the records hands them over in memory that both share, a batch at a
 * time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "trace/format.h"

#define LUATEST_MAX 64          /* tests in a recipe */
#define LUATEST_FIELDS 1024     /* of all their events */
#define LUATEST_BATCH 256       /* records at a time */
#define LUATEST_DATA (1u << 20) /* bytes of them */

/* What a test says of a record; one that raised says nothing any more. */
enum luatest_answer { TEST_NO, TEST_YES, TEST_FAILED };

/* A field of a test's event, as struct field without what lies in another process. */
struct luatest_field {
	char name[64];
	uint32_t offset;
	uint32_t size;
	uint32_t kind; /* enum field_kind */
	bool is_signed;
	bool relative;
};

struct luatest_event {
	uint32_t first, n; /* of the fields */
};

struct luatest_record {
	uint64_t time; /* boot clock */
	uint32_t test; /* from 0 */
	uint32_t cpu;
	int32_t pid;
	uint32_t offset, size; /* of its data */
	uint32_t answer;       /* enum luatest_answer; from the script */
};

/* What both sides see. What the script writes is read as hostile. */
struct luatest_shared {
	struct luatest_event events[LUATEST_MAX];
	struct luatest_field fields[LUATEST_FIELDS];
	uint32_t n_fields;
	uint32_t n;                   /* records in the batch */
	uint32_t done;                /* from the script: how many of them it has answered */
	char comm[16];                /* of the task that the script asked for */
	char fault[LUATEST_MAX][240]; /* from the script: what a test raised, with its place */
	struct luatest_record records[LUATEST_BATCH];
	uint8_t data[LUATEST_DATA];
};

/* What the two say over a stream socket, a byte each. */
enum luatest_word {
	LUATEST_RUN = 'R',  /* to the script: there is a batch */
	LUATEST_DONE = 'D', /* from it: all are answered */
	LUATEST_COMM = 'C', /* from it, a pid behind it: what is that task called? and the answer */
};

struct luatest {
	struct luatest_shared *shared;
	int fd;        /* of who has the records */
	int script_fd; /* of the script, -1 once that has been started */
	uint32_t used; /* bytes of data */
	bool gone;     /* nobody answers any more */
};

/* Before the script is started, which inherits it. *ret is the caller's. */
int luatest_create(struct luatest **ret, struct err *e);

/* NULL is fine. */
void luatest_free(struct luatest *t);

/* Tells the script what the records of TEST look like. */
int luatest_learn(struct luatest *t, uint32_t test, const struct format *format, struct err *e);

/* Puts a record into the batch; its answer will be that of this number. False if there is no room:
 * run the batch first. One without a pid has -1. */
bool luatest_add(struct luatest *t, const struct luatest_record *head, const void *data,
		 uint32_t *number);

/* Runs the batch and empties it: from here on luatest_answer tells the answers. COMMS is
 * saved_cmdlines, -1 if there is none. An error if the script does not answer, or is gone: for
 * good. */
int luatest_run(struct luatest *t, int comms, struct err *e);
enum luatest_answer luatest_answer(const struct luatest *t, uint32_t number);

/* Why a test has failed, one line, for who had TEST_FAILED. */
void luatest_fault(const struct luatest *t, uint32_t test, char *text, size_t room);
