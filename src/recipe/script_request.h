/* What the script process is forked with: the request, the limits, and what both sides see. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct luatest;
struct script_file;

struct script_request {
	const char *recipe_path;
	int n_args;
	const char *const *args;
	const char *version; /* of this program: "1.0" */
	const char *kernel;  /* its release: "6.1.0-18-amd64" */
	uint32_t n_cpus;
	bool (*has_event)(void *ctx, const char *event); /* "SYSTEM:NAME"; called in the engine */
	void *ctx;
	uint32_t timeout_ms;         /* the script's own time until the result; 0: 2 s */
	bool locked;                 /* the memory of a process that runs tests */
	const struct luatest *tests; /* NULL, or who wants the recipe's tests run: the process goes
					on with that behind the plan */
};

#define SCRIPT_MEMORY_MAX (64u << 20) /* of the Lua state, bytes */
#define SCRIPT_STEPS_MAX 50000000ull  /* instructions of the Lua machine */

/* Where the recipe was last seen, in memory shared with the engine, so that a kill can name it.
 * Written by the script: the engine reads it as hostile. */
struct script_note {
	char file[64];
	uint32_t line; /* 0: not seen yet */
	char what[32]; /* the library function that it called, if any */
};

/* What the process is forked with. */
struct script_child {
	const struct script_request *rq;
	const struct script_file *recipe; /* NULL: print the reference instead */
	struct script_note *note;
	const struct luatest *tests; /* NULL: nobody wants any run */
	int fd;                      /* socket to the engine */
};
