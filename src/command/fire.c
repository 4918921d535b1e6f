/* tracer fire: takes a stop condition for true, for a drill. */
#include <stdio.h>
#include <unistd.h>

#include "capture/control.h"
#include "capture/state.h"
#include "command/command.h"

static int fire_run(const struct options *options, const char **words, int n_words, struct err *e)
{
	struct state_entry entry;

	(void)options;
	if (geteuid() != 0) {
		err_set(e, "only root can end a capture: run it with sudo");
		return err_exit(e, EXIT_HOST);
	}
	if (state_find(&entry, n_words > 1 ? words[1] : NULL, true, e) < 0 ||
	    control_fire(entry.path, n_words ? words[0] : "", e) < 0)
		return e->code;
	puts(entry.id);
	return 0;
}

const struct command fire_command = {
	.name = "fire",
	.words = "[CONDITION [ID]]",
	.help = "take a stop condition for true, for a drill; the bundle says so",
	.max_words = 2,
	.run = fire_run,
};
