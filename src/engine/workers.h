/* The processes of a capture: the engine starts them here, and waits on them, on signals and on
 * other commands. */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "capture/capture.h"
#include "capture/control.h"
#include "engine/thaw.h"
#include "plan/source.h"
#include "process/console.h"
#include "process/worker.h"
#include "watch/watch.h"

/* What the user has asked for, by how often. */
enum interrupts { GO_ON, END_EARLY, SKIP_CONVERSION, LEAVE_IT };

/* Of a process that gets successors. */
struct revival {
	uint64_t started; /* boot clock: when it last got one, 0 if never */
	uint64_t least;   /* ns from then to the next one */
};

struct workers {
	struct capture *capture;
	struct console *console;
	struct control *control; /* NULL: other commands cannot reach it */
	struct watch *watch;     /* NULL before it is armed */
	struct worker watcher;
	struct thaw *thaw;    /* NULL: nobody has to wait for the output */
	struct worker thawer; /* waits for it */
	struct revival thawer_revival;
	struct revival watcher_revival;
	struct worker *of_sources; /* one for each source */
	int signals;
	unsigned interrupts; /* enum interrupts */
};

/* Takes the signals over from here on. The rest is filled in by its owner. */
int workers_open(struct workers *workers, struct capture *capture, struct console *console,
		 struct err *e);

/* Kills who is still there, closes what it holds. */
void workers_close(struct workers *workers);

/* Starts the process of one source, the one that watches, or the one that will wait for the output.
 */
int workers_start_worker(struct workers *workers, struct source *s, struct err *e);
int workers_start_watcher(struct workers *workers, struct err *e);
int workers_start_thawer(struct workers *workers, struct err *e);

/* Waits until all are armed; an error if one cannot, or if the user does not want to any more. */
int workers_await_armed(struct workers *workers, struct err *e);

/* Says "start" to all; what came since SINCE (boot clock) counts. */
void workers_start(struct workers *workers, uint64_t since);

/* Waits until something happens, at most until UNTIL on the boot clock, and takes all of it in. */
void workers_wait(struct workers *workers, uint64_t until);

/* Takes in only what the user wants, by signals or by other commands: for who waits for something
 * else. */
void workers_take_wishes(struct workers *workers);

/* From here on the signals of a capture wait until the engine takes them. */
void workers_block_signals(void);

/* Gives the watch process, or the one that waits for the thaw, a successor if it was killed. */
void workers_check_watcher(struct workers *workers);
void workers_check_thawer(struct workers *workers);

/* Lets who waits for the output end, until UNTIL at most. Returns 0, or why it cannot be written.
 */
int workers_await_thaw(struct workers *workers, uint64_t until, struct err *e);

/* Says "stop" to all and waits for the sources; who does not end in time is killed, and its source
 * says so. */
void workers_stop(struct workers *workers);

/* Kills all at once. */
void workers_kill(struct workers *workers);
