/* Lua values as canonical JSON: keys sorted, no white space, integers only. */
#include <math.h>
#include <string.h>

#include "base/auto.h"
#include "recipe/script_state.h"

#define DEPTH_MAX 32
#define VALUES_MAX 200000 /* a table that is in many places is written in each of them */

struct json_walk {
	lua_State *L;
	size_t values;
	struct err *e;
};

static json_t *json_of(struct json_walk *walk, int depth);

static json_t *json_refuse(struct json_walk *walk, const char *sentence)
{
	err_set(walk->e, "the plan cannot be written: %s", sentence);
	return NULL;
}

static bool table_is_list(lua_State *L)
{
	bool ret;

	if (!lua_getmetatable(L, -1))
		return false;
	luaL_getmetatable(L, LIST_NAME);
	ret = lua_rawequal(L, -1, -2);
	lua_pop(L, 2);
	return ret;
}

/* Each takes the table on top and leaves it there. */
static json_t *json_of_list(struct json_walk *walk, int depth)
{
	autojson json_t *array = json_array();
	lua_Integer n = (lua_Integer)lua_rawlen(walk->L, -1);

	for (lua_Integer i = 1; i <= n; i++) {
		json_t *value;

		lua_rawgeti(walk->L, -1, i);
		value = json_of(walk, depth);
		lua_pop(walk->L, 1);
		if (!value || json_array_append_new(array, value) < 0)
			return NULL;
	}
	return take_ptr(array);
}

static json_t *json_of_table(struct json_walk *walk, int depth)
{
	autojson json_t *object = json_object();

	lua_pushnil(walk->L);
	while (lua_next(walk->L, -2)) {
		bool named = lua_type(walk->L, -2) == LUA_TSTRING;
		json_t *value =
			named ? json_of(walk, depth) : json_refuse(walk, "a key is not a text");
		int r = value ? json_object_set_new(object, lua_tostring(walk->L, -2), value) : -1;

		lua_pop(walk->L, 1);
		if (r < 0) {
			lua_pop(walk->L, 1);
			return NULL;
		}
	}
	return take_ptr(object);
}

static json_t *json_of_string(struct json_walk *walk)
{
	size_t size;
	const char *text = lua_tolstring(walk->L, -1, &size);
	json_t *ret = json_stringn(text, size);

	return ret ? ret : json_refuse(walk, "a text is not UTF-8");
}

/* The value on top, which stays there. */
/* A float that is whole is the same plan as the integer. */
static json_t *json_of_number(struct json_walk *walk)
{
	double number = lua_tonumber(walk->L, -1);
	int whole;
	lua_Integer integer = lua_tointegerx(walk->L, -1, &whole);

	if (whole)
		return json_integer(integer);
	if (!isfinite(number))
		return json_refuse(walk, "a number is not finite");
	return json_real(number);
}

static json_t *json_of(struct json_walk *walk, int depth)
{
	lua_State *L = walk->L;

	if (depth == DEPTH_MAX || !lua_checkstack(L, 8))
		return json_refuse(walk, "it is nested too deeply");
	if (++walk->values > VALUES_MAX)
		return json_refuse(walk, "it is too large");
	switch (lua_type(L, -1)) {
	case LUA_TBOOLEAN:
		return json_boolean(lua_toboolean(L, -1));
	case LUA_TNUMBER:
		return json_of_number(walk);
	case LUA_TSTRING:
		return json_of_string(walk);
	case LUA_TTABLE:
		return table_is_list(L) ? json_of_list(walk, depth + 1)
					: json_of_table(walk, depth + 1);
	default:
		return json_refuse(walk, "it holds a value that is not data");
	}
}

char *script_json(lua_State *L, int index, struct err *e)
{
	struct json_walk walk = { .L = L, .e = e };
	autojson json_t *json = NULL;
	char *ret;

	lua_pushvalue(L, index);
	json = json_of(&walk, 0);
	lua_pop(L, 1);
	if (!json)
		return NULL;
	ret = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
	if (!ret)
		err_set(e, "no memory for the plan");
	return ret;
}
