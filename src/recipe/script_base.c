/* The base functions that recipes have. What is not here, they do not have. */
#include <string.h>

#include "base/auto.h"
#include "recipe/script_state.h"

static const char *const kept[] = {
	"assert", "error",  "getmetatable", "ipairs", "pcall",    "rawequal",
	"rawget", "rawlen", "rawset",       "select", "tonumber", "type",
};

/* Finalizers run outside of the step limit, weak tables show when memory is collected. */
static const char *const refused_events[] = { "__gc", "__mode" };

const char *l_text(lua_State *L, int index)
{
	index = lua_absindex(L, index);
	if (luaL_callmeta(L, index, "__tostring")) {
		if (!lua_isstring(L, -1))
			luaL_error(L, "'__tostring' must return a string");
	} else if (lua_type(L, index) == LUA_TNUMBER || lua_type(L, index) == LUA_TSTRING) {
		lua_pushvalue(L, index);
	} else if (lua_isboolean(L, index)) {
		lua_pushstring(L, lua_toboolean(L, index) ? "true" : "false");
	} else {
		lua_pushstring(L, luaL_typename(L, index));
	}
	return lua_tostring(L, -1);
}

static int l_tostring(lua_State *L)
{
	luaL_checkany(L, 1);
	l_text(L, 1);
	return 1;
}

static int l_setmetatable(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_argexpected(L, lua_istable(L, 2) || lua_isnil(L, 2), 2, "nil or table");
	if (luaL_getmetafield(L, 1, "__metatable"))
		return luaL_error(L, "cannot change a protected metatable");
	for (size_t i = 0; lua_istable(L, 2) && i < countof(refused_events); i++) {
		lua_pushstring(L, refused_events[i]);
		if (lua_rawget(L, 2) != LUA_TNIL)
			return luaL_error(L, "a recipe's metatable cannot have '%s'",
					  refused_events[i]);
		lua_pop(L, 1);
	}
	lua_settop(L, 2);
	lua_setmetatable(L, 1);
	return 1;
}

/* The place of a key's type in the order of keys. */
static int l_key_rank(lua_State *L, int index)
{
	switch (lua_type(L, index)) {
	case LUA_TBOOLEAN:
		return 0;
	case LUA_TNUMBER:
		return 1;
	case LUA_TSTRING:
		return 2;
	default:
		return luaL_error(L, "a table with a %s as a key has no fixed order",
				  luaL_typename(L, index));
	}
}

static bool string_before(lua_State *L, int a, int b)
{
	size_t a_size, b_size;
	const char *a_text = lua_tolstring(L, a, &a_size);
	const char *b_text = lua_tolstring(L, b, &b_size);
	int order = memcmp(a_text, b_text, a_size < b_size ? a_size : b_size);

	return order ? order < 0 : a_size < b_size;
}

static bool l_key_before(lua_State *L, int a, int b, int unused)
{
	int a_rank = l_key_rank(L, a), b_rank = l_key_rank(L, b);

	(void)unused;
	if (a_rank != b_rank)
		return a_rank < b_rank;
	if (a_rank == 0)
		return lua_toboolean(L, a) < lua_toboolean(L, b);
	return a_rank == 1 ? lua_compare(L, a, b, LUA_OPLT) : string_before(L, a, b);
}

/* The least key that comes after the given one: each step is a look at the whole table, without a
 * snapshot. */
static int l_next(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	script_note(L, "next");
	lua_settop(L, 2);
	lua_pushnil(L);
	lua_pushnil(L); /* table after best key */
	while (lua_next(L, 1)) {
		lua_pop(L, 1);
		if ((lua_isnil(L, 2) || l_key_before(L, 2, 4, 0)) &&
		    (lua_isnil(L, 3) || l_key_before(L, 4, 3, 0))) {
			l_key_rank(L, 4);
			lua_pushvalue(L, 4);
			lua_replace(L, 3);
		}
	}
	if (lua_isnil(L, 3))
		return 1;
	lua_pushvalue(L, 3);
	lua_rawget(L, 1);
	return 2;
}

/* Upvalues: the sorted keys, the number of the last one that was given. */
static int l_pairs_step(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	for (lua_Integer i = lua_tointeger(L, lua_upvalueindex(2)) + 1;; i++) {
		if (lua_rawgeti(L, lua_upvalueindex(1), i) == LUA_TNIL)
			return 1;
		lua_pushvalue(L, -1);
		if (lua_rawget(L, 1) != LUA_TNIL) { /* key value */
			lua_pushinteger(L, i);
			lua_replace(L, lua_upvalueindex(2));
			return 2;
		}
		lua_pop(L, 2);
	}
}

static int l_pairs(lua_State *L)
{
	lua_Integer n = 0;

	luaL_checktype(L, 1, LUA_TTABLE);
	script_note(L, "pairs");
	lua_settop(L, 1);
	lua_newtable(L);
	lua_pushnil(L); /* table keys key */
	while (lua_next(L, 1)) {
		lua_pop(L, 1);
		l_key_rank(L, 3);
		lua_pushvalue(L, 3);
		lua_rawseti(L, 2, ++n);
	}
	l_sort(L, 2, n, l_key_before, 0);
	lua_pushinteger(L, 0);
	lua_pushcclosure(L, l_pairs_step, 2); /* table step */
	lua_insert(L, 1);
	lua_pushnil(L);
	return 3;
}

static const luaL_Reg own[] = {
	{ "next", l_next },         { "pairs", l_pairs }, { "setmetatable", l_setmetatable },
	{ "tostring", l_tostring }, { NULL, NULL },
};

/* luaopen_base fills the globals: let that be a table that nobody sees. */
static void l_push_base(lua_State *L)
{
	lua_pushglobaltable(L);
	lua_newtable(L);
	lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
	luaL_requiref(L, LUA_GNAME, luaopen_base, false); /* globals base */
	lua_insert(L, -2);
	lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
}

void l_open_base(lua_State *L)
{
	l_push_base(L);
	for (size_t i = 0; i < countof(kept); i++) {
		lua_getfield(L, -1, kept[i]);
		lua_setfield(L, -3, kept[i]);
	}
	lua_pop(L, 1);
	luaL_setfuncs(L, own, 0);
}
