/* From the words of the command line to a plan that this host can run; nothing is started. */
#pragma once

#include <sys/utsname.h>

#include "base/err.h"
#include "capture/about.h"
#include "plan/plan.h"
#include "prepare/options.h"
#include "recipe/luatest.h"
#include "recipe/script.h"
#include "replay/recording.h"
#include "trace/tracing.h"

struct prepared {
	char *recipe; /* the path of the recipe */
	char *outdir; /* absolute */
	struct utsname uts;
	struct script_result script;
	struct plan *plan;
	struct tracing *tracing;     /* NULL if the plan needs none */
	struct recording *recording; /* at a desk: stands for the host; owns tracing then */
	uint64_t max_time;
	struct cost cost;      /* of all sources */
	uint64_t memory_limit; /* bytes that the rings may take */
	char *conflicts; /* who could hold up a freeze, a sentence a line; NULL: nobody asks */
};

/* Runs the recipe and checks the plan. What the recipe has wrong is EXIT_USAGE, what this host
 * lacks EXIT_HOST. */
int prepare(struct prepared *ret, const struct options *options, const char **words, int n_words,
	    struct err *e);

/* Whether what the plan runs has been allowed; an error that names the first command that has not.
 * `check` shows them without. */
int prepare_allowed(const struct plan *plan, const struct options *options, struct err *e);

/* The same at a desk, as far as the formats in a bundle can tell: nothing is asked of this host,
 * and nobody has to be root. `prepare_at_desk` stops at the plan, for who wants no more; the other
 * one looks for its events too. The recording goes with PREPARED. */
int prepare_at_desk(struct prepared *ret, const struct options *options,
		    struct recording *recording, const char **words, int n_words, struct err *e);
int prepare_for_host(struct prepared *ret, const struct options *options,
		     struct recording *recording, const char **words, int n_words, struct err *e);
void prepared_clear(struct prepared *prepared);

/* The tests of the recipe and the process that runs them, for one capture; both stay NULL if it has
 * none, and are the caller's. */
int prepare_tests(struct prepared *prepared, const char **words, int n_words,
		  struct luatest **tests, struct script **script, struct err *e);

/* "'client lost', Ctrl+C or after 7d": the caller frees it. */
char *prepared_ends(const struct prepared *prepared);
