/* Where in the recipe something is. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "recipe/script_state.h"

/* Files that the engine served are named "@FILE", the library "=[FILE]". */
bool script_place(lua_State *L, struct script_place *place)
{
	lua_Debug ar;

	for (int level = 0; lua_getstack(L, level, &ar); level++) {
		lua_getinfo(L, "Sl", &ar);
		if (ar.source[0] == '@' && ar.currentline > 0) {
			memcpy(place->file, ar.short_src, sizeof(place->file));
			place->line = ar.currentline;
			return true;
		}
	}
	return false;
}

void script_note(lua_State *L, const char *what)
{
	struct script_note *note = script_state(L)->child->note;
	struct script_place place;

	if (!script_place(L, &place))
		return;
	memcpy(note->file, place.file, sizeof(place.file));
	note->line = (uint32_t)place.line;
	snprintf(note->what, sizeof(note->what), "%s", what);
}

bool text_has_place(const char *text)
{
	const char *colon = strchr(text, ':');
	const char *end;

	if (!colon || colon == text || text[0] == '[' || !isdigit((unsigned char)colon[1]))
		return false;
	for (end = colon + 1; isdigit((unsigned char)*end); end++)
		;
	return *end == ':';
}

void l_place_sentence(lua_State *L, const char *text)
{
	const struct script_file *recipe = script_state(L)->child->recipe;
	struct script_place place;

	if (script_place(L, &place))
		lua_pushfstring(L, "%s:%d: %s", place.file, place.line, text);
	else
		lua_pushfstring(L, "%s: %s", recipe ? recipe->name : "the library", text);
}

int l_raise(lua_State *L, const char *format, ...)
{
	char text[900];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	l_place_sentence(L, text);
	return lua_error(L);
}
