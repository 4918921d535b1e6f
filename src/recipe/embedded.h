/* The Lua library, which the build puts into the binary (lua/embed.sh). */
#pragma once

#include <stddef.h>

struct embedded {
	const char *name; /* "t.args.lua" */
	const char *text; /* ends in a NUL that size does not count */
	size_t size;
};

/* Ends with an entry whose name is NULL. */
extern const struct embedded embedded_lua[];
