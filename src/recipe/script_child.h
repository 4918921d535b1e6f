/* The script process itself. */
#pragma once

#include <stdint.h>

#include "recipe/luatest.h"
#include "recipe/script.h"

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

/* Gives up all but the socket, runs the recipe, sends the result, ends. */
_Noreturn void script_child_run(const struct script_child *child);
