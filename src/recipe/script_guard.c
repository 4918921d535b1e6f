/* Library functions that note where the recipe is before they start, so that a kill can name it. */
#include "recipe/script_state.h"

int l_noted(lua_State *L)
{
	script_note(L, lua_tostring(L, lua_upvalueindex(2)));
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
	script_state(L)->child->note->what[0] = '\0';
	return lua_gettop(L);
}

void l_guard(lua_State *L, const char *library, const char *name, lua_CFunction guard)
{
	lua_getfield(L, -1, name);
	lua_pushfstring(L, "%s.%s", library, name);
	lua_pushcclosure(L, guard, 2);
	lua_setfield(L, -2, name);
}

/* The original stays where luaL_argerror looks for the names of functions. */
void l_push_library_copy(lua_State *L, const char *name, lua_CFunction open)
{
	luaL_requiref(L, name, open, false);
	lua_newtable(L);
	lua_pushnil(L); /* original copy key */
	while (lua_next(L, -3)) {
		lua_pushvalue(L, -2);
		lua_insert(L, -2);
		lua_rawset(L, -4);
	}
	lua_remove(L, -2);
}
