/* The string library, without what dumps code, shows an address, or makes more than a recipe can
 * need. */
#include <string.h>

#include "base/auto.h"
#include "recipe/script_state.h"

#define REPEATED_MAX (16u << 20) /* bytes that string.rep makes, at most */

/* Patterns can take longer than anyone waits, within one call that no hook interrupts. */
static const char *const matching[] = { "find", "gsub", "match" };

static int l_gmatch(lua_State *L)
{
	l_noted(L); /* the step */
	lua_settop(L, 1);
	lua_pushvalue(L, lua_upvalueindex(2));
	lua_pushcclosure(L, l_noted, 2);
	return 1;
}

/* An empty string, repeated, takes time but no memory. */
static int l_rep(lua_State *L)
{
	size_t size, separator = 0;
	lua_Integer n;

	luaL_checklstring(L, 1, &size);
	n = luaL_checkinteger(L, 2);
	luaL_optlstring(L, 3, "", &separator);
	if (n > 0 && (uint64_t)n > REPEATED_MAX / (size + separator + 1))
		return luaL_error(L, "string.rep makes at most 16M");
	return l_noted(L);
}

/* %s never meets a value that Lua would show by its address, %p is refused. */
static int l_format(lua_State *L)
{
	const char *format = luaL_checkstring(L, 1);

	for (const char *p = strchr(format, '%'); p; p = strchr(p, '%')) {
		p += 1 + strspn(p + 1, "-+ #0123456789.");
		if (*p == 'p')
			return luaL_error(
				L, "string.format has no '%%p': addresses change from run to run");
		p += *p != '\0';
	}
	for (int i = 2; i <= lua_gettop(L); i++) {
		if (lua_type(L, i) <= LUA_TSTRING && !lua_islightuserdata(L, i))
			continue;
		l_text(L, i);
		lua_replace(L, i);
	}
	return l_noted(L);
}

/* Methods of strings are the safe functions. */
static void l_set_methods(lua_State *L)
{
	lua_pushstring(L, "");
	lua_getmetatable(L, -1); /* library "" metatable */
	lua_pushvalue(L, -3);
	lua_setfield(L, -2, "__index");
	lua_pushboolean(L, false);
	lua_setfield(L, -2, "__metatable");
	lua_pop(L, 2);
}

void l_push_string(lua_State *L)
{
	l_push_library_copy(L, LUA_STRLIBNAME, luaopen_string);
	for (size_t i = 0; i < countof(matching); i++)
		l_guard(L, LUA_STRLIBNAME, matching[i], l_noted);
	l_guard(L, LUA_STRLIBNAME, "gmatch", l_gmatch);
	l_guard(L, LUA_STRLIBNAME, "rep", l_rep);
	l_guard(L, LUA_STRLIBNAME, "format", l_format);
	lua_pushnil(L);
	lua_setfield(L, -2, "dump");
	l_set_methods(L);
}
