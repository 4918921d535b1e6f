/* Commands: each is one file behind one row of the table in main.c. */
#pragma once

#include "base/err.h"
#include "prepare/options.h"

struct command {
	const char *name;
	const char *words; /* for the help */
	const char *help;
	int min_words;
	int max_words; /* -1: any number */

	/* WORDS are what stands behind the command's name. Returns the exit code, or a negative
	 * number with an error. */
	int (*run)(const struct options *options, const char **words, int n_words, struct err *e);
};

extern const struct command record_command;
extern const struct command check_command;
extern const struct command list_command;
extern const struct command events_command;
extern const struct command status_command;
extern const struct command stop_command;
extern const struct command fire_command;
extern const struct command recover_command;
extern const struct command show_command;
extern const struct command verify_command;
extern const struct command replay_command;
