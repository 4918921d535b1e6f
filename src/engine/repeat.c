#include "engine/repeat.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/units.h"
#include "capture/board.h"
#include "capture/control.h"

#define LOOK_EVERY (200 * NS_PER_MS)

static bool repeat_remember(struct repeat *r, const char *bundle)
{
	char **grown = realloc(r->bundles, (r->n + 1) * sizeof(char *));

	if (!grown)
		return false;
	r->bundles = grown;
	grown[r->n] = strdup(bundle);
	r->made++;
	return grown[r->n++] != NULL;
}

/* Of those that are still there. */
static uint64_t repeat_size(const struct repeat *r)
{
	uint64_t size = 0;
	struct stat st;

	for (size_t i = 0; i < r->n; i++)
		if (stat(r->bundles[i], &st) == 0)
			size += st.st_size;
	return size;
}

/* The oldest of this run go until there is room for one more like the last; that one stays. */
static void repeat_make_room(struct repeat *r, uint64_t max_disk, struct console *console)
{
	struct stat last;

	if (!max_disk || stat(r->bundles[r->n - 1], &last) < 0)
		return;
	while (r->n > 1 && repeat_size(r) + last.st_size > max_disk) {
		if (unlink(r->bundles[0]) == 0)
			console_line(console, "removed '%s', to keep to max_disk", r->bundles[0]);
		free(r->bundles[0]);
		memmove(r->bundles, r->bundles + 1, --r->n * sizeof(char *));
	}
}

/* What there is of a run while it waits: `tracer status` shows it, `tracer stop` ends it. */
struct rest {
	struct state *state;
	struct board *board;
	struct control *control;
};

/* Without it, it waits all the same. */
static void rest_open(struct rest *rest, const struct launch *l)
{
	struct err e = ERR_INIT;

	if (launch_state(&rest->state, l, &e) == 0 &&
	    board_create(&rest->board, rest->state->fd, &e) == 0 &&
	    control_open(&rest->control, rest->state, &e) == 0)
		rest->board->stage = STAGE_COOLDOWN;
}

static void rest_close(struct rest *rest)
{
	struct err e = ERR_INIT;

	control_close(rest->control);
	board_close(rest->board);
	if (rest->state)
		state_remove(rest->state, &e);
}

/* Whether somebody wants it to end. */
static bool rest_is_ended(const struct rest *rest)
{
	struct wish wish;
	bool ended = false;

	while (rest->control && control_next(rest->control, &wish)) {
		ended |= wish.what == WISH_STOP;
		control_answer(rest->control,
			       wish.what == WISH_STOP
				       ? NULL
				       : "it waits for its next capture, and watches "
					 "for nothing now");
	}
	return ended;
}

/* False if the user does not want to wait. */
static bool repeat_wait(const struct launch *l, uint64_t ns)
{
	uint64_t until = clock_boot() + ns, now;
	struct rest rest = { 0 };
	bool ended = false;
	sigset_t ends;

	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGQUIT);
	if (ns)
		rest_open(&rest, l);
	while (!ended && (now = clock_boot()) < until) {
		uint64_t wait = until - now < LOOK_EVERY ? until - now : LOOK_EVERY;
		const struct timespec time = { .tv_nsec = wait };

		ended = sigtimedwait(&ends, NULL, &time) > 0 || rest_is_ended(&rest);
	}
	rest_close(&rest);
	if (ended)
		console_line(l->console, "no further capture: ended by the user");
	return !ended;
}

/* The recipe is read again, and has to say the same. */
static bool repeat_prepare(const struct repeat *r, const struct launch *l)
{
	char sha256[65];
	struct prepared *p = l->prepared;
	struct options same = *l->options;
	struct err e = ERR_INIT;
	struct prepared fresh;
	uint64_t now;

	snprintf(sha256, sizeof(sha256), "%s", p->plan->sha256);
	same.plan = sha256;
	same.again = true;
	if (prepare(&fresh, &same, l->words, l->n_words, &e) < 0) {
		console_error(l->console, "no further capture: %s", e.text);
		return false;
	}
	prepared_clear(p);
	*p = fresh;
	now = clock_boot();
	p->max_time = r->until > now ? r->until - now : 0;
	return p->max_time > 0;
}

bool repeat_again(struct repeat *r, const struct launch *l, const struct engine_result *result)
{
	const struct plan *plan = l->prepared->plan;

	if (!result->fired || !repeat_remember(r, result->bundle) || r->made >= plan->max_bundles)
		return false;
	repeat_make_room(r, plan->max_disk, l->console);
	if (plan->cooldown)
		console_line(l->console, "bundle %llu of %llu; it goes on in %s",
			     (unsigned long long)r->made, (unsigned long long)plan->max_bundles,
			     duration_text(plan->cooldown).text);
	return repeat_wait(l, plan->cooldown) && repeat_prepare(r, l);
}

void repeat_free(struct repeat *r)
{
	for (size_t i = 0; i < r->n; i++)
		free(r->bundles[i]);
	free(r->bundles);
}
