/* The text that a recipe's tests are made of: a plan that has tests names it by its SHA-256, so
 * that who agrees to the plan agrees to them. */
#include <sodium.h>

#include "recipe/script_state.h"

#define CODE_NAME "script.code"

void l_remember_code(lua_State *L, const char *name, const char *text, size_t size)
{
	unsigned char hash[crypto_hash_sha256_BYTES];
	char hex[2 * crypto_hash_sha256_BYTES + 1];

	crypto_hash_sha256(hash, (const unsigned char *)text, size);
	sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
	luaL_getsubtable(L, LUA_REGISTRYINDEX, CODE_NAME);
	lua_pushstring(L, hex);
	lua_setfield(L, -2, name);
	lua_pop(L, 1);
}

int l_code(lua_State *L)
{
	luaL_getsubtable(L, LUA_REGISTRYINDEX, CODE_NAME);
	return 1;
}
