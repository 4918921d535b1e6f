/* tracer stop: ends a capture as Ctrl+C would. */
#include <stdio.h>

#include "command/command.h"
#include "control.h"
#include "state.h"

static int stop_run(const struct options *options, const char **words, int n_words, struct err *e)
{
	struct state_entry entry;

	(void)options;
	if (state_find(&entry, n_words ? words[0] : NULL, true, e) < 0)
		return e->code;
	return control_stop(entry.path, e);
}

const struct command stop_command = {
	.name = "stop",
	.words = "[ID]",
	.help = "end a capture as Ctrl+C would; it leaves its bundle",
	.max_words = 1,
	.run = stop_run,
};
