#include "repeat.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auto.h"
#include "clock.h"
#include "units.h"

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

/* False if the user does not want to wait. */
static bool repeat_wait(uint64_t ns)
{
	uint64_t until = clock_boot() + ns, now;
	sigset_t ends;

	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGQUIT);
	do { /* SIGCONT, say, ends one wait */
		struct timespec time;

		now = clock_boot();
		ns = until > now ? until - now : 0;
		time = (struct timespec) { .tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S };
		if (sigtimedwait(&ends, NULL, &time) > 0)
			return false;
	} while (ns);
	return true;
}

/* The recipe is read again, and has to say the same. */
static bool repeat_prepare(const struct repeat *r, struct prepared *p,
			   const struct options *options, const char **words, int n_words,
			   struct console *console)
{
	char sha256[65];
	struct options same = *options;
	struct err e = ERR_INIT;
	struct prepared fresh;
	uint64_t now;

	snprintf(sha256, sizeof(sha256), "%s", p->plan->sha256);
	same.plan = sha256;
	same.again = true;
	if (prepare(&fresh, &same, words, n_words, &e) < 0) {
		console_error(console, "no further capture: %s", e.text);
		return false;
	}
	prepared_clear(p);
	*p = fresh;
	now = clock_boot();
	p->max_time = r->until > now ? r->until - now : 0;
	return p->max_time > 0;
}

bool repeat_again(struct repeat *r, struct prepared *p, const struct options *options,
		  const char **words, int n_words, const struct engine_result *result,
		  struct console *console)
{
	if (!result->fired || !repeat_remember(r, result->bundle) ||
	    r->made >= p->plan->max_bundles)
		return false;
	repeat_make_room(r, p->plan->max_disk, console);
	if (p->plan->cooldown)
		console_line(console, "bundle %llu of %llu; it goes on in %s",
			     (unsigned long long)r->made, (unsigned long long)p->plan->max_bundles,
			     duration_text(p->plan->cooldown).text);
	return repeat_wait(p->plan->cooldown) &&
	       repeat_prepare(r, p, options, words, n_words, console);
}

void repeat_free(struct repeat *r)
{
	for (size_t i = 0; i < r->n; i++)
		free(r->bundles[i]);
	free(r->bundles);
}
