/* tracer stop: ends a capture as Ctrl+C would. */
#include <stdio.h>
#include <unistd.h>

#include "capture/control.h"
#include "capture/state.h"
#include "command/command.h"

static int stop_run(const struct options *options, const char **words, int n_words, struct err *e)
{
	struct state_entry entry;

	(void)options;
	if (geteuid() != 0) {
		err_set(e, "only root can stop a capture: run it with sudo");
		return err_exit(e, EXIT_HOST);
	}
	if (state_find(&entry, n_words ? words[0] : NULL, true, e) < 0)
		return e->code;
	if (control_stop(entry.path, e) < 0)
		return e->code;
	puts(entry.id);
	return 0;
}

const struct command stop_command = {
	.name = "stop",
	.words = "[ID]",
	.help = "end a capture as Ctrl+C would; it leaves its bundle",
	.max_words = 1,
	.run = stop_run,
};
