/* The table library: on plain tables only, with a sort that is stable and always ends. */
#include "base/auto.h"
#include "recipe/script_state.h"

#define MOVED_MAX 1000000

/* A length or an index that a metamethod makes up could keep these busy for ever. */
static const char *const plain[] = { "concat", "insert", "remove", "unpack" };
static const char *const pretending[] = { "__index", "__newindex", "__len" };

static void l_check_plain(lua_State *L, int arg)
{
	luaL_checktype(L, arg, LUA_TTABLE);
	for (size_t i = 0; i < countof(pretending); i++)
		if (luaL_getmetafield(L, arg, pretending[i]))
			luaL_argerror(L, arg, "table without a metatable expected");
}

static int l_plain(lua_State *L)
{
	l_check_plain(L, 1);
	return l_noted(L);
}

static int l_move(lua_State *L)
{
	lua_Integer first = luaL_checkinteger(L, 2), last = luaL_checkinteger(L, 3), n;

	l_check_plain(L, 1);
	if (!lua_isnoneornil(L, 5))
		l_check_plain(L, 5);
	if (last >= first && (__builtin_sub_overflow(last, first, &n) || n >= MOVED_MAX))
		return luaL_error(L, "table.move moves at most %d values", MOVED_MAX);
	return l_noted(L);
}

struct order {
	before_fn *before;
	int compare;
};

/* True if value J of the table at FROM comes before value I. */
static bool l_value_before(lua_State *L, int from, lua_Integer j, lua_Integer i,
			   const struct order *order)
{
	bool ret;

	lua_rawgeti(L, from, j);
	lua_rawgeti(L, from, i);
	ret = order->before(L, lua_absindex(L, -2), lua_absindex(L, -1), order->compare);
	lua_pop(L, 2);
	return ret;
}

/* Two sorted runs, [first, middle) and [middle, end), to one. */
static void l_merge(lua_State *L, int from, int to, const lua_Integer run[3],
		    const struct order *order)
{
	lua_Integer i = run[0], j = run[1];

	for (lua_Integer k = run[0]; k < run[2]; k++) {
		bool right = i == run[1] || (j < run[2] && l_value_before(L, from, j, i, order));

		lua_rawgeti(L, from, right ? j++ : i++);
		lua_rawseti(L, to, k);
	}
}

static lua_Integer at_most(lua_Integer a, lua_Integer max)
{
	return a < max ? a : max;
}

static void l_copy(lua_State *L, int from, int to, lua_Integer n)
{
	for (lua_Integer i = 1; i <= n; i++) {
		lua_rawgeti(L, from, i);
		lua_rawseti(L, to, i);
	}
}

void l_sort(lua_State *L, int index, lua_Integer n, before_fn *before, int compare)
{
	const struct order order = { before, compare };
	int from = lua_absindex(L, index), to;

	luaL_checkstack(L, 10, "to sort");
	lua_newtable(L);
	to = lua_gettop(L);
	for (lua_Integer width = 1; width < n; width *= 2) {
		int sorted = to;

		for (lua_Integer first = 1; first <= n; first += 2 * width)
			l_merge(L, from, to,
				(lua_Integer[]) { first, at_most(first + width, n + 1),
						  at_most(first + 2 * width, n + 1) },
				&order);
		to = from;
		from = sorted;
	}
	if (from != lua_absindex(L, index))
		l_copy(L, from, to, n);
	lua_settop(L, from > to ? from - 1 : to - 1);
}

static bool l_before(lua_State *L, int a, int b, int compare)
{
	bool ret;

	if (!compare)
		return lua_compare(L, a, b, LUA_OPLT);
	lua_pushvalue(L, compare);
	lua_pushvalue(L, a);
	lua_pushvalue(L, b);
	lua_call(L, 2, 1);
	ret = lua_toboolean(L, -1);
	lua_pop(L, 1);
	return ret;
}

static int l_table_sort(lua_State *L)
{
	l_check_plain(L, 1);
	if (!lua_isnoneornil(L, 2))
		luaL_checktype(L, 2, LUA_TFUNCTION);
	lua_settop(L, 2);
	script_note(L, "table.sort");
	luaL_argcheck(L, lua_rawlen(L, 1) <= MOVED_MAX, 1, "at most 1000000 values can be sorted");
	l_sort(L, 1, (lua_Integer)lua_rawlen(L, 1), l_before, lua_isnil(L, 2) ? 0 : 2);
	return 0;
}

void l_push_table(lua_State *L)
{
	l_push_library_copy(L, LUA_TABLIBNAME, luaopen_table);
	for (size_t i = 0; i < countof(plain); i++)
		l_guard(L, LUA_TABLIBNAME, plain[i], l_plain);
	l_guard(L, LUA_TABLIBNAME, "move", l_move);
	lua_pushcfunction(L, l_table_sort);
	lua_setfield(L, -2, "sort");
}
