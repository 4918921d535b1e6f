/* The file systems that are frozen or being frozen, as lines of the log "freezes" tell. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "log/freezeline.h"

#define FROZEN_MAX 1024 /* that are told apart */

/* A freeze that was asked for. */
struct frozen {
	unsigned major, minor; /* 0, 0: it is not known of what */
	int pid;               /* of who asked */
	unsigned fd;
	uint64_t since; /* boot clock */
	bool done;      /* else it is still being frozen */
	bool unsure;    /* whether it was frozen, or whether it still is */
	bool told;      /* its owner's */
	char who[300];  /* "comm=fsfreeze type=ext4 mount=/mnt/data" */
};

struct frozenset {
	struct frozen list[FROZEN_MAX]; /* oldest first */
	size_t n;
	size_t strangers; /* thaws of which it is not known which one they ended */
};

/* Takes in what a line says, REST being what freezeline_read has left of it. */
void frozenset_take(struct frozenset *set, const struct freeze *freeze, const char *rest,
		    uint64_t time);
