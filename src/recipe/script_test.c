/* The tests of a recipe, in the script process: runs them on the records that are in the memory
 * shared with who has them (luatest.h). */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/auto.h"
#include "base/units.h"
#include "recipe/luatest.h"
#include "recipe/script_state.h"

#define TESTS_NAME "script.tests"
#define EV_NAME "script.ev"
#define TEST_STEPS_MAX 100000 /* instructions of the Lua machine in one call */
#define BATCH_SECONDS 5 /* CPU time that a batch may take, in one call that no hook interrupts */

/* What a test sees as `ev`: one record, as long as the call lasts. */
struct ev {
	const struct luatest_record *record; /* NULL when the call is over */
};

/* Field NUMBER of all, as our own functions read one. */
static struct field test_field(const struct luatest_shared *shared, uint32_t number)
{
	const struct luatest_field *field = &shared->fields[number];

	return (struct field) { .offset = field->offset,
				.size = field->size,
				.is_signed = field->is_signed,
				.relative = field->relative,
				.kind = (enum field_kind)field->kind };
}

static void l_push_field(lua_State *L, const struct luatest_shared *shared,
			 const struct luatest_record *record, uint32_t number)
{
	const struct field field = test_field(shared, number);
	const uint8_t *data = shared->data + record->offset;
	const char *text;
	size_t length;

	if (field.kind == FIELD_INT) {
		lua_pushinteger(L, field_int(&field, data, record->size));
	} else if (field.kind != FIELD_OTHER) {
		text = field_string(&field, data, record->size, &length);
		lua_pushlstring(L, text, length);
	} else {
		length = field.offset < record->size ? record->size - field.offset : 0;
		lua_pushlstring(L, (const char *)data + field.offset,
				length < field.size ? length : field.size);
	}
}

/* Names are looked up by who has the records: it can read what the kernel remembers. */
static int l_push_comm(lua_State *L, const struct luatest *tests, int32_t pid)
{
	char ask[5] = { LUATEST_COMM }, answer;
	struct luatest_shared *shared = tests->shared;

	memcpy(ask + 1, &pid, sizeof(pid));
	if (send(tests->script_fd, ask, sizeof(ask), MSG_NOSIGNAL) != sizeof(ask) ||
	    recv(tests->script_fd, &answer, 1, MSG_WAITALL) != 1)
		return luaL_error(L, "the engine is gone");
	lua_pushlstring(L, shared->comm, strnlen(shared->comm, sizeof(shared->comm)));
	return 1;
}

static int l_ev_unknown(lua_State *L, const struct luatest_shared *shared,
			const struct luatest_event *event)
{
	static const char *const own[] = { "time", "cpu", "pid", "comm" };
	const char *names[countof(own) + LUATEST_FIELDS], *near;
	const char *name = l_text(L, 2);
	size_t n = 0;

	for (; n < countof(own); n++)
		names[n] = own[n];
	for (uint32_t i = 0; i < event->n; i++)
		names[n++] = shared->fields[event->first + i].name;
	near = nearest_name(name, names, n);
	return l_raise(L, "the event has no field '%s'%s%s%s", name, near ? ", did you mean '" : "",
		       near ? near : "", near ? "'?" : "");
}

/* A field of the event's own comes before what every record has, as in filters. */
static int l_ev_index(lua_State *L)
{
	const struct luatest *tests = script_state(L)->child->tests;
	const struct luatest_shared *shared = tests->shared;
	const struct ev *ev = lua_touserdata(L, 1);
	const char *name;

	if (!ev->record)
		return l_raise(L, "ev is valid while the test runs, not after it");
	lua_rawgeti(L, lua_upvalueindex(1), ev->record->test + 1); /* the numbers of its fields */
	lua_pushvalue(L, 2);
	if (lua_rawget(L, -2) == LUA_TNUMBER) {
		l_push_field(L, shared, ev->record, (uint32_t)lua_tointeger(L, -1));
		return 1;
	}
	name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
	if (!strcmp(name, "time"))
		lua_pushinteger(L, (lua_Integer)ev->record->time);
	else if (!strcmp(name, "cpu"))
		lua_pushinteger(L, ev->record->cpu);
	else if (!strcmp(name, "pid"))
		lua_pushinteger(L, ev->record->pid);
	else if (!strcmp(name, "comm"))
		return l_push_comm(L, tests, ev->record->pid);
	else
		return l_ev_unknown(L, shared, &shared->events[ev->record->test]);
	return 1;
}

static int l_ev_newindex(lua_State *L)
{
	return l_raise(L, "the fields of ev cannot be changed");
}

/* Pushes a list: for each test, the number of a field by its name. */
static void l_push_fields(lua_State *L, const struct luatest_shared *shared)
{
	lua_newtable(L);
	for (uint32_t test = 0; test < LUATEST_MAX; test++) {
		const struct luatest_event *event = &shared->events[test];

		lua_newtable(L);
		for (uint32_t i = 0; i < event->n; i++) {
			lua_pushinteger(L, event->first + i);
			lua_setfield(L, -2, shared->fields[event->first + i].name);
		}
		lua_rawseti(L, -2, test + 1);
	}
}

/* The metatable of ev, once there are formats to look into. */
static void l_open_ev(lua_State *L, const struct luatest_shared *shared)
{
	if (luaL_newmetatable(L, EV_NAME)) {
		l_push_fields(L, shared);
		lua_pushcclosure(L, l_ev_index, 1);
		lua_setfield(L, -2, "__index");
		lua_pushcfunction(L, l_ev_newindex);
		lua_setfield(L, -2, "__newindex");
		lua_pushboolean(L, false);
		lua_setfield(L, -2, "__metatable");
	}
	lua_pop(L, 1);
}

int l_test(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TFUNCTION);
	lua_settop(L, 1);
	luaL_getsubtable(L, LUA_REGISTRYINDEX, TESTS_NAME);
	if (lua_rawlen(L, 2) == LUATEST_MAX)
		return l_raise(L, "a recipe has at most %d tests", LUATEST_MAX);
	lua_pushvalue(L, 1);
	lua_rawseti(L, 2, (lua_Integer)lua_rawlen(L, 2) + 1);
	lua_pushinteger(L, (lua_Integer)lua_rawlen(L, 2));
	return 1;
}

/* The stack: the tests, ev's metatable, the message handler, which all calls share. */
enum { STACK_TESTS = 1, STACK_META, STACK_HANDLER };

static int test_call(lua_State *L, const struct luatest_record *record)
{
	struct ev *ev;
	int status, answer;

	script_limit_steps(script_state(L), TEST_STEPS_MAX,
			   "the test takes more than 100,000 steps");
	lua_rawgeti(L, STACK_TESTS, record->test + 1);
	ev = lua_newuserdatauv(L, sizeof(*ev), 0);
	ev->record = record;
	lua_pushvalue(L, STACK_META);
	lua_setmetatable(L, -2);
	lua_pushvalue(L, -1);
	lua_insert(L, STACK_HANDLER + 1); /* so that it is still there after the call */
	status = lua_pcall(L, 1, 1, STACK_HANDLER);
	ev->record = NULL;
	answer = status != LUA_OK ? TEST_FAILED : lua_toboolean(L, -1) ? TEST_YES : TEST_NO;
	return answer;
}

/* Why it failed: what the handler has made of it, or where it begins if none could run. */
static void test_note_fault(lua_State *L, uint32_t test, char *text, size_t room)
{
	lua_Debug ar;

	if (lua_type(L, -1) == LUA_TSTRING && text_has_place(lua_tostring(L, -1))) {
		snprintf(text, room, "%s", lua_tostring(L, -1));
		return;
	}
	lua_rawgeti(L, STACK_TESTS, test + 1);
	lua_getinfo(L, ">S", &ar);
	snprintf(text, room, "%s:%d: the test needs more than 64M of memory, or nests too deeply",
		 ar.short_src, ar.linedefined);
}

static void test_batch(lua_State *L, struct luatest_shared *shared)
{
	uint32_t n = shared->n;

	for (uint32_t i = 0; i < n && i < LUATEST_BATCH; i++) {
		struct luatest_record *record = &shared->records[i];
		char *fault = shared->fault[record->test % LUATEST_MAX];

		lua_settop(L, STACK_HANDLER);
		record->answer = *fault ? TEST_FAILED : test_call(L, record);
		if (record->answer == TEST_FAILED && !*fault)
			test_note_fault(L, record->test, fault, sizeof(shared->fault[0]));
		__atomic_store_n(&shared->done, i + 1, __ATOMIC_RELAXED);
	}
}

/* One call of a library function that never ends ends the process. */
static void test_limit_time(int seconds)
{
	const struct itimerval time = { .it_value = { .tv_sec = seconds } };

	setitimer(ITIMER_PROF, &time, NULL);
}

static int l_tests(lua_State *L)
{
	struct script_state *state = script_state(L);
	int fd = state->child->tests->script_fd;
	char word = LUATEST_DONE;

	state->serves = true;
	luaL_getsubtable(L, LUA_REGISTRYINDEX, TESTS_NAME);
	signal(SIGPROF, SIG_DFL);
	while (recv(fd, &word, 1, MSG_WAITALL) == 1 && word == LUATEST_RUN) {
		lua_settop(L, STACK_TESTS);
		l_open_ev(L, state->child->tests->shared);
		luaL_getmetatable(L, EV_NAME);
		lua_pushcfunction(L, l_on_error);
		test_limit_time(BATCH_SECONDS);
		test_batch(L, state->child->tests->shared);
		test_limit_time(0);
		word = LUATEST_DONE;
		if (send(fd, &word, 1, MSG_NOSIGNAL) != 1)
			break;
	}
	return 0;
}

int script_serve_tests(struct script_state *state, struct err *e)
{
	lua_pushcfunction(state->L, l_tests);
	if (lua_pcall(state->L, 0, 0, 0) == LUA_OK)
		return 0;
	return err_set(e, "%s", lua_tostring(state->L, -1));
}
