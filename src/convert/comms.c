#include "convert/comms.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "trace/comm.h"

#define PIDS_MAX (1u << 22) /* the kernel's own limit */
#define COMM_BLOCK 256u

/* The comms of a stretch of pids. */
struct comm_block {
	char comms[COMM_BLOCK][COMM_SIZE];
};

struct comms {
	struct comm_block *blocks[PIDS_MAX / COMM_BLOCK];
};

static char *comm_slot(struct comms *comms, int pid)
{
	struct comm_block **block;

	if (pid <= 0 || (unsigned)pid >= PIDS_MAX)
		return NULL;
	block = &comms->blocks[pid / COMM_BLOCK];
	if (!*block)
		*block = calloc(1, sizeof(**block));
	return *block ? (*block)->comms[pid % COMM_BLOCK] : NULL;
}

void comms_learn(struct comms *comms, int pid, const char *comm, size_t length)
{
	char *slot = comm_slot(comms, pid);

	if (!slot || *slot)
		return;
	if (length >= COMM_SIZE)
		length = COMM_SIZE - 1;
	memcpy(slot, comm, length);
}

const char *comms_of(const struct comms *comms, int pid)
{
	const struct comm_block *block;

	if (pid == 0)
		return "<idle>";
	if (pid < 0)
		return "<XXX>";
	block = (uint32_t)pid < PIDS_MAX ? comms->blocks[(uint32_t)pid / COMM_BLOCK] : NULL;
	if (!block || !block->comms[(uint32_t)pid % COMM_BLOCK][0])
		return "<...>";
	return block->comms[(uint32_t)pid % COMM_BLOCK];
}

/* "123 comm" on each line. */
static void comms_read(struct comms *comms, char *cmdlines)
{
	char *line;

	while ((line = strsep(&cmdlines, "\n"))) {
		char *comm;
		long pid = strtol(line, &comm, 10);

		if (comm != line && *comm == ' ')
			comms_learn(comms, (int)pid, comm + 1, strlen(comm + 1));
	}
}

int comms_open(struct comms **ret, const struct tracedat *dat, struct err *e)
{
	struct tracedat_text saved = tracedat_texts(dat)->saved_cmdlines;
	autofree char *cmdlines = strndup(saved.at, saved.size);
	struct comms *comms = calloc(1, sizeof(*comms));

	if (!cmdlines || !comms) {
		free(comms);
		return err_set(e, "out of memory for the names of tasks");
	}
	comms_read(comms, cmdlines);
	*ret = comms;
	return 0;
}

void comms_free(struct comms *comms)
{
	for (size_t i = 0; comms && i < countof(comms->blocks); i++)
		free(comms->blocks[i]);
	free(comms);
}
