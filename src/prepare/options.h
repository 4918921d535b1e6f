/* The command line: one table of options drives the parser, the help and the completion. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "capture/about.h"

struct options {
	const char *outdir; /* NULL: the current directory, not named by the user */
	uint64_t max_time;  /* ns, 0: as the recipe says */
	uint64_t min_free;  /* bytes to be left on the output's disk */
	uint64_t memory;    /* bytes that all rings may take, 0: a quarter of what is available */
	const char *plan;   /* SHA-256 of the only plan to run */
	uint64_t measure;   /* ns of a trial, 0: none */
	const char *host;   /* the bundle that stands for the host; NULL: this one */
	enum compress compress;
	bool allow_exec;
	const char *pid_file; /* NULL: none */
	int ready_fd;         /* -1: none */
	bool detach;
	bool json;
	bool quiet;
	bool verbose;
	bool help;
	bool version;
	bool again;         /* no option: one more capture of the same run */
	const char **words; /* what is not an option, in order */
	int n_words;
};

/* Options stand anywhere, "--" ends them. What is wrong is EXIT_USAGE. */
int options_parse(struct options *ret, int argc, char **argv, struct err *e);
void options_clear(struct options *options);

/* The options, a line each. */
void options_help(FILE *out);
