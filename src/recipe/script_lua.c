/* The Lua state: its limits, its one protected call. */
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "recipe/script_state.h"

#define STEPS_AT_ONCE 1000

/* A block's old size counts only if there is a block: without one it is the type of what is made.
 */
static void *lua_allocate(void *arg, void *block, size_t old, size_t new)
{
	struct script_state *state = arg;
	size_t before = block ? old : 0;
	void *ret;

	if (new == 0) {
		free(block);
		state->memory -= before;
		return NULL;
	}
	if (new > before &&new - before > SCRIPT_MEMORY_MAX - state->memory)
		return NULL;
	ret = realloc(block, new);
	if (ret)
		state->memory += new - before;
	return ret;
}

/* Once the steps are used up it stays armed on every line, so that pcall cannot swallow it. */
static void l_hook(lua_State *L, lua_Debug *ar)
{
	struct script_state *state = script_state(L);

	(void)ar;
	state->steps += STEPS_AT_ONCE;
	if (state->steps <= state->steps_max) {
		script_note(L, "");
		return;
	}
	lua_sethook(L, l_hook, LUA_MASKCOUNT | LUA_MASKLINE, 1);
	l_raise(L, "%s", state->steps_sentence);
}

void script_limit_steps(struct script_state *state, uint64_t max, const char *sentence)
{
	if (!state->steps_sentence || state->steps > state->steps_max)
		lua_sethook(state->L, l_hook, LUA_MASKCOUNT, STEPS_AT_ONCE);
	state->steps = 0;
	state->steps_max = max;
	state->steps_sentence = sentence;
}

static int l_unknown_name(lua_State *L)
{
	return l_raise(L, "unknown name '%s'", l_text(L, 2));
}

static int l_new_name(lua_State *L)
{
	return l_raise(L, "'%s' is assigned to without a 'local %s' before", l_text(L, 2),
		       l_text(L, 2));
}

/* Pushes a table whose metatable has METHOD. */
static void l_push_guarded(lua_State *L, const char *event, lua_CFunction method)
{
	lua_newtable(L);
	lua_newtable(L);
	lua_pushcfunction(L, method);
	lua_setfield(L, -2, event);
	lua_pushboolean(L, false);
	lua_setfield(L, -2, "__metatable");
	lua_setmetatable(L, -2); /* guarded */
}

/* The globals of the library; the recipe's are the same, but it cannot add to them. */
static void l_open_globals(lua_State *L)
{
	l_push_guarded(L, "__index", l_unknown_name);
	lua_pushvalue(L, -1);
	lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
	l_open_base(L);
	luaL_requiref(L, LUA_MATHLIBNAME, luaopen_math, false);
	lua_pushnil(L);
	lua_setfield(L, -2, "random");
	lua_pushnil(L);
	lua_setfield(L, -2, "randomseed");
	lua_setfield(L, -2, LUA_MATHLIBNAME);
	luaL_requiref(L, LUA_UTF8LIBNAME, luaopen_utf8, false);
	lua_setfield(L, -2, LUA_UTF8LIBNAME);
	l_push_string(L);
	lua_setfield(L, -2, LUA_STRLIBNAME);
	l_push_table(L);
	lua_setfield(L, -2, LUA_TABLIBNAME);
	lua_pushcfunction(L, l_require);
	lua_setfield(L, -2, "require");
	lua_pop(L, 1);
}

/* Pushes what the library's module gives. */
static void l_push_library(lua_State *L, const char *name)
{
	lua_pushcfunction(L, l_require);
	lua_pushstring(L, name);
	lua_call(L, 1, 1);
}

/* Leaves the recipe's environment in the registry, for the recipe and its modules. */
static void l_open_environment(lua_State *L)
{
	lua_pushglobaltable(L);
	l_push_library(L, "t");
	lua_setfield(L, -2, "t");
	l_push_guarded(L, "__newindex", l_new_name); /* globals environment */
	lua_getmetatable(L, -1);
	lua_pushvalue(L, -3);
	lua_setfield(L, -2, "__index");
	lua_pop(L, 1);
	lua_setfield(L, LUA_REGISTRYINDEX, ENVIRONMENT_NAME);
	lua_pop(L, 1);
}

static int l_plan(lua_State *L)
{
	struct script_state *state = script_state(L);
	const struct script_file *recipe = state->child->recipe;
	struct err e = ERR_INIT;

	l_open_globals(L);
	l_open_environment(L);
	l_push_library(L, "t.recipe");
	l_load(L, recipe->name, recipe->text, recipe->size);
	lua_call(L, 0, 1);
	lua_call(L, 1, 1); /* plan */
	state->result = script_json(L, -1, &e);
	return state->result ? 0 : l_raise(L, "%s", e.text);
}

static int l_reference(lua_State *L)
{
	struct script_state *state = script_state(L);

	l_open_globals(L);
	l_push_library(L, "t.reference");
	lua_call(L, 0, 1); /* text */
	state->result = strdup(luaL_checkstring(L, -1));
	return 0;
}

/* One line, but for a usage. */
static const char *l_sentence(lua_State *L, const char *text)
{
	if (script_state(L)->usage && strcmp(text, script_state(L)->usage) == 0)
		return text;
	text = luaL_gsub(L, text, "\n", " ");
	if (text_has_place(text))
		return text;
	l_place_sentence(L, text);
	return lua_tostring(L, -1);
}

int l_on_error(lua_State *L)
{
	if (lua_type(L, 1) == LUA_TSTRING)
		lua_pushstring(L, l_sentence(L, lua_tostring(L, 1)));
	else
		l_place_sentence(
			L,
			lua_pushfstring(L, "the recipe raised an error that is not a text but a %s",
					luaL_typename(L, 1)));
	return 1;
}

/* Errors that reach no handler: Lua has no memory, or no stack, left to run one. */
static int script_exhausted(const struct script_state *state, int status, struct err *e)
{
	const struct script_note *note = state->child->note;
	const char *what = status == LUA_ERRMEM ? "the recipe needs more than 64M of memory"
						: "the recipe nests its calls too deeply";

	if (note->line)
		return err_set(e, "%s:%u: %s", note->file, note->line, what);
	return err_set(e, "%s: %s",
		       state->child->recipe ? state->child->recipe->name : "the library", what);
}

static int script_call(lua_State *L, struct script_state *state, struct err *e)
{
	int status;

	lua_pushcfunction(L, l_on_error);
	lua_pushcfunction(L, state->child->recipe ? l_plan : l_reference);
	status = lua_pcall(L, 0, 0, 1);
	if (status == LUA_OK)
		return 0;
	err_exit(e, EXIT_USAGE);
	if (status != LUA_ERRRUN)
		return script_exhausted(state, status, e);
	return err_set(e, "%s", lua_tostring(L, -1));
}

int script_run(struct script_state *state, struct err *e)
{
	lua_State *L = lua_newstate(lua_allocate, state);
	int r;

	if (!L)
		return err_set(e, "no memory for Lua");
	/* numbers and the order of strings must not depend on who runs us */
	setlocale(LC_ALL, "C");
	state->L = L;
	script_limit_steps(state, SCRIPT_STEPS_MAX, "the recipe takes more than 50 million steps");
	r = script_call(L, state, e);
	return !r && !state->result ? err_set(e, "no memory for the plan") : r;
}
