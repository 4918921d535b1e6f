/* What the parts of the script process share. Functions named l_* run below a protected call and
 * may longjmp. */
#pragma once

#include <jansson.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "recipe/luatest.h"
#include "recipe/script_file.h"
#include "recipe/script_request.h"

/* The process's one state, at hand as the allocator's argument. */
struct script_state {
	const struct script_child *child;
	size_t memory; /* in use by Lua, bytes */
	lua_State *L;
	uint64_t steps, steps_max;  /* taken, and what may be */
	const char *steps_sentence; /* for who takes more */
	bool serves;                /* the plan is made: now it runs tests, and nobody answers */
	char *usage;  /* the sentence that may have several lines, once there is one */
	char *result; /* for the engine; from malloc */
};

static inline struct script_state *script_state(lua_State *L)
{
	void *state;

	lua_getallocf(L, &state);
	return state;
}

/* script_lua.c: runs the recipe, or prints the reference. Returns 0 with state->result, or a
 * sentence in *e. */
int script_run(struct script_state *state, struct err *e);

/* From here on: so many steps, from none. SENTENCE is raised by who takes more. */
void script_limit_steps(struct script_state *state, uint64_t max, const char *sentence);

/* The message handler: makes any error a sentence with a place, while the stack that it comes from
 * is still there. */
int l_on_error(lua_State *L);

/* script_test.c: runs the recipe's tests until nobody has records any more. */
int script_serve_tests(struct script_state *state, struct err *e);

/* The primitive that takes a test and gives its number, from 1. */
int l_test(lua_State *L);

/* script_code.c: remembers the text of a file that the recipe is made of; the primitive that tells
 * the SHA-256 of each by its name. */
void l_remember_code(lua_State *L, const char *name, const char *text, size_t size);
int l_code(lua_State *L);

/* script_place.c: the innermost frame of the recipe or its modules. False if there is none. */
struct script_place {
	char file[LUA_IDSIZE];
	int line;
};
bool script_place(lua_State *L, struct script_place *place);

/* Pushes TEXT behind that place. */
void l_place_sentence(lua_State *L, const char *text);

/* Raises a sentence that starts with that place. */
int l_raise(lua_State *L, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Notes for the engine that the recipe is about to be in WHAT ("string.find"). */
void script_note(lua_State *L, const char *what);

/* True if the text begins with "FILE:LINE:". */
bool text_has_place(const char *text);

/* script_base.c: puts the safe base functions into the table on top. */
void l_open_base(lua_State *L);

/* The text of the value at INDEX, never with an address; pushes it. */
const char *l_text(lua_State *L, int index);

/* script_string.c, script_table.c: push their safe library. */
void l_push_string(lua_State *L);
void l_push_table(lua_State *L);

/* Sorts the N first values of the table at INDEX, stable. BEFORE is told whether value A comes
 * before value B, both stack indices, and the index of the recipe's function, if there is one. */
typedef bool before_fn(lua_State *L, int a, int b, int compare);
void l_sort(lua_State *L, int index, lua_Integer n, before_fn *before, int compare);

/* script_guard.c: pushes a copy of a standard library. */
void l_push_library_copy(lua_State *L, const char *name, lua_CFunction open);

/* Puts GUARD, with the function and its full name as upvalues, in the place of the function NAME in
 * the library on top. l_noted is the plain one: it notes the place and calls the function. */
void l_guard(lua_State *L, const char *library, const char *name, lua_CFunction guard);
int l_noted(lua_State *L);

/* script_require.c: the function `require`. */
int l_require(lua_State *L);

/* Pushes the chunk of a file that the engine served, with the recipe's environment; raises what its
 * syntax has wrong. */
#define ENVIRONMENT_NAME "script.environment"
void l_load(lua_State *L, const char *name, const char *text, size_t size);

/* script_core.c: pushes the table of primitives that the library is built on. */
void l_push_core(lua_State *L);

/* script_json.c: the value at INDEX as canonical JSON, from malloc. Raises nothing: NULL with a
 * sentence in *e. Tables with the metatable LIST_NAME are arrays, others are objects. */
#define LIST_NAME "script.list"
char *script_json(lua_State *L, int index, struct err *e);
