/* `require`: the library lies in the program, the rest is asked for from the engine. */
#include <stdlib.h>
#include <string.h>

#include "recipe/embedded.h"
#include "recipe/script_state.h"
#include "recipe/script_wire.h"

#define LOADED_NAME "script.loaded"

/* An owner for a block of malloc: whatever is raised, it is freed. */
static int l_block_gc(lua_State *L)
{
	void **block = lua_touserdata(L, 1);

	free(*block);
	*block = NULL;
	return 0;
}

static char **l_push_block(lua_State *L)
{
	char **block = lua_newuserdatauv(L, sizeof(*block), 0);

	*block = NULL;
	if (luaL_newmetatable(L, "script.block")) {
		lua_pushcfunction(L, l_block_gc);
		lua_setfield(L, -2, "__gc");
	}
	lua_setmetatable(L, -2);
	return block;
}

/* A first line that starts with # is for the shell; its newline stays, so that lines keep their
 * numbers. */
static size_t shebang_length(const char *text)
{
	return text[0] == '#' ? strcspn(text, "\n") : 0;
}

void l_load(lua_State *L, const char *name, const char *text, size_t size)
{
	size_t skip = shebang_length(text);

	l_remember_code(L, name, text, size);
	lua_pushfstring(L, "@%s", name);
	if (luaL_loadbufferx(L, text + skip, size - skip, lua_tostring(L, -1), "t"))
		lua_error(L);
	lua_getfield(L, LUA_REGISTRYINDEX, ENVIRONMENT_NAME);
	lua_setupvalue(L, -2, 1); /* name chunk */
	lua_remove(L, -2);
}

static const struct embedded *library_find(const char *name)
{
	size_t length = strlen(name);

	for (const struct embedded *file = embedded_lua; file->name; file++)
		if (strncmp(file->name, name, length) == 0 &&
		    strcmp(file->name + length, ".lua") == 0)
			return file;
	return NULL;
}

static void l_load_library(lua_State *L, const struct embedded *file)
{
	lua_pushfstring(L, "=[%s]", file->name);
	if (luaL_loadbufferx(L, file->text, file->size, lua_tostring(L, -1), "t"))
		lua_error(L);
	lua_remove(L, -2); /* chunk */
}

/* Loads a file that the engine sends: its name, a NUL, its text. */
static void l_load_served(lua_State *L, const char *name)
{
	int fd = script_state(L)->child->fd;
	char **block = l_push_block(L);
	size_t size, length;
	int kind;

	if (script_state(L)->serves)
		l_raise(L, "a test cannot load module '%s': load it before", name);
	if (wire_send(fd, WIRE_REQUIRE, name, strlen(name), UINT64_MAX) < 0)
		luaL_error(L, "the engine is gone");
	kind = wire_receive(fd, block, &size, UINT64_MAX);
	if (kind == WIRE_REFUSED)
		l_raise(L, "cannot load module '%s': %s", name, *block);
	length = kind == WIRE_MODULE ? strlen(*block) : 0;
	if (kind != WIRE_MODULE || length == size)
		luaL_error(L, "the engine is gone");
	l_load(L, *block, *block + length + 1, size - length - 1); /* block chunk */
	lua_remove(L, -2);
}

static void l_load_module(lua_State *L, const char *name)
{
	const struct embedded *file = library_find(name);

	if (file)
		l_load_library(L, file);
	else
		l_load_served(L, name);
}

/* A module that is still being loaded is marked by false. */
static void l_push_module(lua_State *L, int loaded, const char *name)
{
	lua_pushboolean(L, false);
	lua_setfield(L, loaded, name);
	if (strcmp(name, "t.core") == 0) {
		l_push_core(L);
	} else {
		l_load_module(L, name);
		lua_pushstring(L, name);
		lua_call(L, 1, 1); /* value */
	}
	if (lua_isnil(L, -1)) {
		lua_pop(L, 1);
		lua_pushboolean(L, true);
	}
	lua_pushvalue(L, -1);
	lua_setfield(L, loaded, name);
}

int l_require(lua_State *L)
{
	size_t size;
	const char *name = luaL_checklstring(L, 1, &size);

	luaL_argcheck(L, size && strlen(name) == size, 1, "the name of a module expected");
	lua_settop(L, 1);
	luaL_getsubtable(L, LUA_REGISTRYINDEX, LOADED_NAME);
	lua_getfield(L, 2, name); /* name loaded value */
	if (lua_type(L, 3) == LUA_TBOOLEAN && !lua_toboolean(L, 3))
		return l_raise(L, "module '%s' requires itself, or could not be loaded before",
			       name);
	if (lua_isnil(L, 3))
		l_push_module(L, 2, name);
	return 1;
}
