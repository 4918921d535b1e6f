/* The primitives that the library (lua/) is built on. */
#include <arpa/inet.h>
#include <string.h>

#include "base/auto.h"
#include "base/units.h"
#include "recipe/script_state.h"
#include "recipe/script_wire.h"

#define NAMES_MAX 200

typedef int parse_fn(const char *text, uint64_t *value, struct err *e);

/* The number, or nil with a sentence. */
static int l_quantity(lua_State *L, parse_fn *parse)
{
	struct err e = ERR_INIT;
	uint64_t value;

	if (parse(luaL_checkstring(L, 1), &value, &e) < 0) {
		lua_pushnil(L);
		lua_pushstring(L, e.text);
		return 2;
	}
	lua_pushinteger(L, (lua_Integer)value);
	return 1;
}

static int l_duration(lua_State *L)
{
	return l_quantity(L, duration_parse);
}

static int l_size(lua_State *L)
{
	return l_quantity(L, size_parse);
}

static int l_duration_text(lua_State *L)
{
	lua_pushstring(L, duration_text((uint64_t)luaL_checkinteger(L, 1)).text);
	return 1;
}

static int l_size_text(lua_State *L)
{
	lua_pushstring(L, size_text((uint64_t)luaL_checkinteger(L, 1)).text);
	return 1;
}

static void l_push_address(lua_State *L, int family, const void *bytes)
{
	char text[INET6_ADDRSTRLEN];

	lua_newtable(L);
	lua_pushstring(L, inet_ntop(family, bytes, text, sizeof(text)));
	lua_setfield(L, -2, "text");
	lua_pushinteger(L, family);
	lua_setfield(L, -2, "family");
}

/* { text, family, u32 (of IPv4) }, or nil. */
static int l_address(lua_State *L)
{
	const char *text = luaL_checkstring(L, 1);
	struct in6_addr in6;
	struct in_addr in;

	if (inet_pton(AF_INET, text, &in) == 1) {
		l_push_address(L, AF_INET, &in);
		lua_pushinteger(L, ntohl(in.s_addr));
		lua_setfield(L, -2, "u32");
	} else if (inet_pton(AF_INET6, text, &in6) == 1) {
		l_push_address(L, AF_INET6, &in6);
	} else {
		lua_pushnil(L);
	}
	return 1;
}

/* (word, list of names): the nearest, or nil. */
static int l_nearest(lua_State *L)
{
	const char *word = luaL_checkstring(L, 1);
	const char *names[NAMES_MAX];
	size_t n;

	luaL_checktype(L, 2, LUA_TTABLE);
	lua_settop(L, 2);
	luaL_checkstack(L, NAMES_MAX, "too many names");
	for (n = 0; n < NAMES_MAX && lua_rawgeti(L, 2, (lua_Integer)n + 1) == LUA_TSTRING; n++)
		names[n] = lua_tostring(L, -1);
	lua_pushstring(L, nearest_name(word, names, n));
	return 1;
}

/* "FILE:LINE" of the recipe, or nil. */
static int l_where(lua_State *L)
{
	struct script_place place;

	if (script_place(L, &place))
		lua_pushfstring(L, "%s:%d", place.file, place.line);
	else
		lua_pushnil(L);
	return 1;
}

static int l_fail(lua_State *L)
{
	return l_raise(L, "%s", luaL_checkstring(L, 1));
}

static int l_fail_at(lua_State *L)
{
	lua_pushfstring(L, "%s: %s", luaL_checkstring(L, 1), luaL_checkstring(L, 2));
	return lua_error(L);
}

/* The one sentence that more lines may follow: what is wrong with the arguments, and the recipe's
 * usage. */
static int l_usage(lua_State *L)
{
	struct script_state *state = script_state(L);

	free(state->usage);
	state->usage = strdup(luaL_checkstring(L, 1));
	lua_settop(L, 1);
	return lua_error(L);
}

/* Is it well-formed UTF-8 without control characters? */
static int l_is_text(lua_State *L)
{
	size_t size;
	const char *text = luaL_checklstring(L, 1, &size);
	struct err e = ERR_INIT;
	bool ok = script_file_check(text, size, &e) == 0;

	for (size_t i = 0; i < size && ok; i++)
		ok = (unsigned char)text[i] >= ' ' && text[i] != 0x7f;
	lua_pushboolean(L, ok);
	return 1;
}

static int l_has(lua_State *L)
{
	int fd = script_state(L)->child->fd;
	const char *event = luaL_checkstring(L, 1);
	char *answer;
	size_t size;
	int kind;

	if (script_state(L)->serves)
		return l_raise(L, "a test cannot ask for events: ask before it");
	kind = wire_send(fd, WIRE_HAS, event, strlen(event), UINT64_MAX);
	if (kind == 0)
		kind = wire_receive(fd, &answer, &size, UINT64_MAX);
	if (kind != WIRE_YES && kind != WIRE_NO)
		return luaL_error(L, "the engine is gone");
	free(answer);
	lua_pushboolean(L, kind == WIRE_YES);
	return 1;
}

static int l_list(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	luaL_newmetatable(L, LIST_NAME);
	lua_setmetatable(L, 1);
	return 1;
}

static const luaL_Reg functions[] = {
	{ "address", l_address },   { "code", l_code },
	{ "duration", l_duration }, { "duration_text", l_duration_text },
	{ "fail", l_fail },         { "fail_at", l_fail_at },
	{ "has", l_has },           { "is_text", l_is_text },
	{ "list", l_list },         { "nearest", l_nearest },
	{ "size", l_size },         { "size_text", l_size_text },
	{ "test", l_test },         { "usage", l_usage },
	{ "where", l_where },       { NULL, NULL },
};

static void l_set_string(lua_State *L, const char *name, const char *value)
{
	lua_pushstring(L, value);
	lua_setfield(L, -2, name);
}

static void l_set_args(lua_State *L, const struct script_request *rq)
{
	lua_newtable(L);
	for (int i = 0; i < rq->n_args; i++) {
		lua_pushstring(L, rq->args[i]);
		lua_rawseti(L, -2, i + 1);
	}
	lua_setfield(L, -2, "args");
}

void l_push_core(lua_State *L)
{
	const struct script_child *child = script_state(L)->child;

	luaL_newlib(L, functions);
	if (!child->recipe)
		return;
	l_set_string(L, "recipe", child->recipe->name);
	l_set_string(L, "source", child->recipe->text);
	l_set_string(L, "kernel", child->rq->kernel);
	l_set_string(L, "version", child->rq->version);
	lua_pushinteger(L, child->rq->n_cpus);
	lua_setfield(L, -2, "cpus");
	l_set_args(L, child->rq);
}
