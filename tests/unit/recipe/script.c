#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/units.h"
#include "recipe/script.h"
#include "recipe/script_wire.h"

/* A directory with one recipe in it, and what became of it. */
struct bench {
	char dir[64];
	char path[128];
	struct script_request rq;
	struct script_result result;
	struct err e;
	char asked[64]; /* the event that the recipe asked for last */
};

static bool bench_has(void *ctx, const char *event)
{
	struct bench *bench = ctx;

	snprintf(bench->asked, sizeof(bench->asked), "%s", event);
	return strcmp(event, "sched:sched_switch") == 0;
}

static int bench_open(void **state)
{
	struct bench *bench = calloc(1, sizeof(*bench));

	if (!bench)
		return -1;
	snprintf(bench->dir, sizeof(bench->dir), "/tmp/tracer-script-XXXXXX");
	if (!mkdtemp(bench->dir))
		return -1;
	bench->rq = (struct script_request) {
		.recipe_path = bench->path,
		.version = "1.0",
		.kernel = "6.1.0-test",
		.n_cpus = 4,
		.has_event = bench_has,
		.ctx = bench,
	};
	*state = bench;
	return 0;
}

static int bench_close(void **state)
{
	struct bench *bench = *state;

	script_result_clear(&bench->result);
	assert_int_equal(io_remove_tree(AT_FDCWD, bench->dir, &bench->e), 0);
	free(bench);
	return 0;
}

static void bench_write_bytes(struct bench *bench, const char *name, const char *data, size_t size)
{
	char path[192];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", bench->dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, size, f), size);
	assert_int_equal(fclose(f), 0);
}

static void bench_write(struct bench *bench, const char *name, const char *text)
{
	bench_write_bytes(bench, name, text, strlen(text));
}

static void bench_mkdir(struct bench *bench, const char *name)
{
	char path[192];

	snprintf(path, sizeof(path), "%s/%s", bench->dir, name);
	assert_int_equal(mkdir(path, 0700), 0);
}

/* Plans what is in r.lua. */
static int bench_run(struct bench *bench)
{
	script_result_clear(&bench->result);
	bench->e = (struct err)ERR_INIT;
	snprintf(bench->path, sizeof(bench->path), "%s/r.lua", bench->dir);
	return script_plan(&bench->rq, &bench->result, &bench->e);
}

static int bench_plan(struct bench *bench, const char *recipe)
{
	bench_write(bench, "r.lua", recipe);
	return bench_run(bench);
}

static void assert_plans(struct bench *bench, const char *recipe)
{
	if (bench_plan(bench, recipe) < 0)
		fail_msg("%s", bench->e.text);
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' is not in '%s'", part, text);
}

static void assert_refused(struct bench *bench, const char *part)
{
	assert_null(bench->result.plan);
	assert_int_equal(bench->result.n_files, 0);
	assert_int_equal(bench->e.exit, EXIT_USAGE);
	assert_has(bench->e.text, part);
}

/* A recipe, and the sentence that refuses it. */
struct refusal {
	const char *recipe;
	const char *sentence;
};

static void assert_all_refused(struct bench *bench, const struct refusal *refusals, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bench_plan(bench, refusals[i].recipe);
		assert_refused(bench, refusals[i].sentence);
	}
}

#define COLLECT "return { collect = { t.log \"kernel\" }, "

static void a_recipe_becomes_canonical_json(void **state)
{
	assert_plans(*state, "#!/usr/bin/tracer\n"
			     "-- Who did it?\n"
			     "return { collect = { t.log { 'kernel', keep = '1M' } } }\n");
	assert_string_equal(
		((struct bench *)*state)->result.plan,
		"{\"args\":{},\"collect\":[{\"at\":\"r.lua:3\",\"keep\":1048576,\"log\":\"kernel\","
		"\"name\":\"kernel\",\"type\":\"log\"}],\"max_time\":604800000000000,\"name\":"
		"\"r\","
		"\"question\":\"Who did it?\",\"schema\":1,\"stop\":[]}");
}

static void every_constructor_has_its_defaults(void **state)
{
	struct bench *bench = *state;

	assert_plans(bench,
		     "return { collect = { t.ftrace 'sched:*', t.packets {}, t.packets { 'udp', "
		     "keep = '30s', payload = 'all' },\n"
		     "t.files { '/proc/a', t.try '/proc/b' }, t.files { '/x', every = '1s' } },\n"
		     "stop = { t.event 'a:b', t.event { 'a:b', hits = 3, within = '1m' }, t.line { "
		     "text = 'BUG:' } }, post = '1s' }");
	assert_has(bench->result.plan, "{\"at\":\"r.lua:1\",\"events\":[{\"at\":\"r.lua:1\","
				       "\"event\":\"sched:*\",\"optional\":false}],"
				       "\"keep\":16777216,\"name\":\"events\",\"post_keep\":"
				       "4194304,\"stack\":false,\"type\":\"ftrace\"}");
	assert_has(bench->result.plan, "{\"at\":\"r.lua:1\",\"dst\":[],\"host\":[],\"interface\":"
				       "\"any\",\"keep\":67108864,"
				       "\"name\":\"packets\",\"payload\":128,\"port\":[],\"src\":[]"
				       ",\"type\":\"packets\"}");
	assert_has(bench->result.plan,
		   "\"filter\":\"udp\",\"host\":[],\"interface\":\"any\",\"keep_ns\":30000000000,"
		   "\"name\":\"packets-2\",\"payload\":0");
	assert_has(bench->result.plan,
		   "{\"at\":\"r.lua:2\",\"max\":1048576,\"name\":\"files\",\"paths\":[{\"at\":\"r."
		   "lua:2\",\"optional\":false,"
		   "\"path\":\"/proc/a\"},{\"at\":\"r.lua:2\",\"optional\":true,\"path\":\"/proc/"
		   "b\"}],\"start\":false,\"stop\":true");
	assert_has(bench->result.plan, "\"every\":1000000000,\"keep_ns\":600000000000,\"max\":"
				       "1048576,\"name\":\"files-2\"");
	assert_has(bench->result.plan, "{\"at\":\"r.lua:3\",\"event\":\"a:b\",\"hits\":1,\"name\":"
				       "\"a:b\",\"type\":\"event\"}");
	assert_has(bench->result.plan,
		   "\"hits\":3,\"name\":\"a:b-2\",\"type\":\"event\",\"within\":60000000000");
	assert_has(bench->result.plan, "\"hits\":1,\"log\":\"kernel\",\"name\":\"BUG:\",\"text\":"
				       "\"BUG:\",\"type\":\"line\"");
}

static void an_event_with_a_filter_joins_the_ring(void **state)
{
	struct bench *bench = *state;

	assert_plans(bench, "return { collect = { t.ftrace { 'a:b', t.try { 'c:d',\n t.event { "
			    "'kprobe:f', fetch = 'x=%di:u32', stack = true } },\n"
			    "t.event { 'e:f', 'e:g', filter = 'x == 1' }, pids = 12, comm = { 'a', "
			    "{ 'b' } } } } }");
	assert_has(
		bench->result.plan,
		"\"events\":[{\"at\":\"r.lua:1\",\"event\":\"a:b\",\"optional\":false},"
		"{\"at\":\"r.lua:1\",\"event\":\"c:d\",\"optional\":true},"
		"{\"at\":\"r.lua:2\",\"event\":\"kprobe:f\",\"fetch\":[\"x=%di:u32\"],\"optional\":"
		"true,\"stack\":true},"
		"{\"at\":\"r.lua:3\",\"event\":\"e:f\",\"filter\":\"x == 1\",\"optional\":false},"
		"{\"at\":\"r.lua:3\",\"event\":\"e:g\",\"filter\":\"x == 1\",\"optional\":false}]");
	assert_has(bench->result.plan, "\"comm\":[\"a\",\"b\"]");
	assert_has(bench->result.plan, "\"pids\":[12]");
}

static void the_plan_is_the_same_in_every_run(void **state)
{
	static const char recipe[] =
		"local words, seen = {}, { zeta = 1, alpha = 2, [true] = 3, [2] = 4, [1.5] = 5, "
		"[-1] = 6, [10] = 7 }\n"
		"for i = 1, 50 do seen['key' .. i * 7919 % 101] = i end\n"
		"for k, v in pairs(seen) do words[#words + 1] = tostring(k) .. '=' .. tostring(v) "
		"end\n"
		"local k, v = next(seen)\n"
		"while k ~= nil do words[#words + 1] = tostring(k); k = next(seen, k) end\n"
		"words[#words + 1] = tostring({}) .. tostring(words) "
		".. string.format('%s', pairs)\n"
		"return { collect = { t.files { '/' .. table.concat(words, ' ') } } }\n";
	struct bench *bench = *state;
	autofree char *first = NULL;

	assert_plans(bench, recipe);
	first = strdup(bench->result.plan);
	assert_has(first, "/true=3 -1=6 1.5=5 2=4 10=7 alpha=2 key");
	assert_has(first, " zeta tabletablefunction");
	assert_null(strstr(first, "0x"));
	for (int i = 0; i < 20; i++) {
		assert_plans(bench, recipe);
		assert_string_equal(bench->result.plan, first);
	}
}

static void pairs_gives_each_key_once_while_keys_are_removed(void **state)
{
	struct bench *bench = *state;

	assert_plans(bench,
		     "local t1, seen = { a = 1, b = 2, c = 3, 10, 20 }, ''\n"
		     "for k, v in pairs(t1) do seen = seen .. k .. v; t1[k] = nil; t1.c = nil end\n"
		     "return { collect = { t.files('/' .. seen) } }");
	assert_has(bench->result.plan, "\"path\":\"/110220a1b2\"");
}

static void limits_end_what_does_not_end(void **state)
{
	static const struct refusal refusals[] = {
		{ "local x = 1\nwhile true do x = x + 1 end",
		  "r.lua:2: the recipe takes more than 50 million steps" },
		{ "while true do\n pcall(function()\n while true do end\n end) end",
		  "the recipe takes more than 50 million steps" },
		{ "local function f() while true do pcall(f) end end f()", "r.lua:1: " },
		{ "local s = setmetatable({}, { __index = function(s, k) return s[k + 1] end "
		  "})\nreturn s[1]",
		  "r.lua:1: " },
		{ "for i in ipairs(setmetatable({}, { __index = function() return 1 end })) do end",
		  "50 million steps" },
		{ "table.sort({ 3, 2, 1 }, function() while true do end end)",
		  "r.lua:1: the recipe takes more than 50 million steps" },
		{ "local x <close> = setmetatable({}, { __close = function() while true do end end "
		  "})",
		  "50 million steps" },
		{ "local l = {} l[1] = l\n" COLLECT "stop = l }",
		  "the lists of stop nest too deeply" },
		{ "local l = {} l[1] = l\nreturn { collect = { t.ftrace { l } } }",
		  "r.lua:2: t.ftrace: lists nest too deeply" },
		{ "local l = 'a:b' for i = 1, 30 do l = { l, l } end\nreturn { collect = { "
		  "t.ftrace { l } } }",
		  "r.lua:2: " },
	};

	assert_all_refused(*state, refusals, countof(refusals));
}

static void memory_is_limited(void **state)
{
	static const struct refusal refusals[] = {
		{ "local l = {}\nfor i = 1, 1e6 do\nl[i] = ('x'):rep(1e6) .. i end",
		  "r.lua:3: the recipe needs more than 64M of memory" },
		{ "local s = 'x' while true do s = s .. s end",
		  "the recipe needs more than 64M of memory" },
		{ "local l = {} for i = 1, 1e9 do l[i] = i end",
		  "the recipe needs more than 64M of memory" },
		{ "local s = ('x'):rep(1e9)", "r.lua:1: string.rep makes at most 16M" },
		{ "local s = (''):rep(2e9)", "r.lua:1: string.rep makes at most 16M" },
		{ "local s = ('x'):rep(2, ('y'):rep(16000000)) .. ('x'):rep(9e18)",
		  "string.rep makes at most 16M" },
		{ "table.move({}, 1, 1e8, 2)", "r.lua:1: table.move moves at most 1000000 values" },
		{ "table.move({}, math.mininteger, math.maxinteger, 2)",
		  "table.move moves at most" },
		{ "table.unpack({}, 1, 1e8)", "too many results to unpack" },
		{ "local function f(n) return 1 + f(n + 1) end\nf(1)", "r.lua:1: stack overflow" },
		{ "local s = ('('):rep(300) .. 'x' return s:find(('('):rep(300))", "r.lua:1: " },
	};

	assert_all_refused(*state, refusals, countof(refusals));
}

static void a_pattern_that_never_ends_is_killed_with_its_line(void **state)
{
	struct bench *bench = *state;
	uint64_t before = clock_boot();

	bench->rq.timeout_ms = 300;
	bench_plan(bench, "local s = ('a'):rep(40)\nlocal function look()\nreturn "
			  "s:find('a*a*a*a*a*a*a*a*b')\nend\nlook()");
	assert_refused(
		bench,
		"r.lua:3: the recipe gave no plan within 300ms, it was last seen in string.find");
	assert_true(clock_boot() - before < 5 * NS_PER_S);
	bench_plan(bench,
		   "local s = ('a'):rep(40)\nfor x in\ns:gmatch('a*a*a*a*a*a*a*a*b') do end");
	assert_refused(bench, "it was last seen in string.gmatch");
}

static void the_watchdog_leaves_no_process(void **state)
{
	struct bench *bench = *state;

	bench->rq.timeout_ms = 100;
	bench_plan(bench, "return (('a'):rep(40)):find('a*a*a*a*a*a*a*a*b')");
	assert_refused(bench, "within 100ms");
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void what_a_recipe_must_not_have_is_not_there(void **state)
{
	static const char *const absent[] = {
		"io",       "os",         "debug",          "load",   "dofile",
		"loadfile", "loadstring", "collectgarbage", "xpcall", "print",
		"warn",     "package",    "coroutine",      "_G",     "_VERSION",
	};
	static const struct refusal refusals[] = {
		{ "math.random()", "attempt to call a nil value (field 'random')" },
		{ "string.dump(t.log)", "attempt to call a nil value (field 'dump')" },
		{ "setmetatable({}, { __gc = pairs })",
		  "r.lua:1: a recipe's metatable cannot have '__gc'" },
		{ "setmetatable({}, { __mode = 'k' })",
		  "r.lua:1: a recipe's metatable cannot have '__mode'" },
		{ "string.format('%p', {})", "r.lua:1: string.format has no '%p'" },
		{ "string.format('%%%-20p', {})", "r.lua:1: string.format has no '%p'" },
		{ "getmetatable('').__index.rep = nil", "attempt to index a boolean value" },
		{ "x = 1", "r.lua:1: 'x' is assigned to without a 'local x' before" },
		{ "for k in pairs { [{}] = 1 } do end",
		  "r.lua:1: a table with a table as a key has no fixed order" },
		{ "table.concat(setmetatable({}, { __len = function() return 1e18 end }))",
		  "table without a metatable expected" },
		{ "(nil)()", "attempt to call a nil value" },
		{ "t.log = 1", "r.lua:1: t.log cannot be assigned to" },
	};
	char recipe[64], sentence[64];

	for (size_t i = 0; i < countof(absent); i++) {
		snprintf(recipe, sizeof(recipe), "local x = %s", absent[i]);
		snprintf(sentence, sizeof(sentence), "r.lua:1: unknown name '%s'", absent[i]);
		bench_plan(*state, recipe);
		assert_refused(*state, sentence);
	}
	assert_all_refused(*state, refusals, countof(refusals));
}

static void the_safe_library_works(void **state)
{
	static const char recipe[] =
		"local l = { 5, 3, 9, 1 }\n"
		"table.sort(l) assert(table.concat(l, ',') == '1,3,5,9')\n"
		"table.sort(l, function(a, b) return a > b end) assert(table.concat(l, ',') == "
		"'9,5,3,1')\n"
		"local s = {} for i = 1, 100 do s[i] = { key = i % 3, n = i } end\n"
		"table.sort(s, function(a, b) return a.key < b.key end)\n"
		"for i = 2, 100 do assert(s[i - 1].key < s[i].key or s[i - 1].key == s[i].key and "
		"s[i - 1].n < s[i].n) end\n"
		"table.sort(l, function() return true end)\n"
		"table.sort({}) table.insert(l, 7) assert(table.remove(l) == 7) "
		"assert(#table.pack(table.unpack(l)) == 4)\n"
		"assert(#table.move({ 1, 2 }, 1, 2, 3) == 4)\n"
		"assert(('a1b22'):gsub('%d', 'x') == 'axbxx') local w = {} for d in "
		"('a1b22'):gmatch('%d+') do w[#w + 1] = d end\n"
		"assert(w[2] == '22') assert(('x'):rep(3, '-') == 'x-x-x') "
		"assert(('%5.1f|%s|%q'):format(1.25, true, 'a') == '  1.2|true|\"a\"')\n"
		"assert(utf8.len('h\\u{e9}') == 2) assert(math.max(1, 2) == 2) assert(select('#', "
		"1, nil) == 2)\n"
		"local ok, why = pcall(error, 'no') assert(not ok and why == 'no')\n"
		"assert(next({}) == nil and rawequal(l, l) and rawlen(l) == 4 and tonumber('0x10') "
		"== 16)\n"
		"assert(tostring(setmetatable({}, { __tostring = function() return 'me' end })) == "
		"'me')\n"
		"assert(t.host.kernel == '6.1.0-test' and t.host.cpus == 4)\n"
		"assert(require 't' == t)\n" COLLECT "}";

	assert_plans(*state, recipe);
}

static void errors_are_one_sentence_with_the_recipes_line(void **state)
{
	static const struct refusal refusals[] = {
		{ "\n\nlocal x = = 1", "r.lua:3: unexpected symbol near '='" },
		{ "", "r.lua:1: the recipe returns nothing" },
		{ "return", "r.lua:1: the recipe returns nothing" },
		{ "-- q\nlocal x = 1\nreturn 5",
		  "r.lua:3: the recipe returns 5, it has to return { collect" },
		{ "return 'x'", "r.lua:1: the recipe returns 'x'" },
		{ "return t.log 'kernel'", "r.lua:1: the recipe returns a table" },
		{ "return { t.log 'kernel' }", "r.lua:1: the recipe returns a list" },
		{ "return { stop = {} }", "r.lua:1: the recipe has no collect" },
		{ "return {\n collect = {} }", "r.lua:2: collect is empty" },
		{ "return { collect = 5 }", "r.lua:1: collect is a list of t.NAME{...}, not 5" },
		{ "return { collect = { 'kernel' } }",
		  "r.lua:1: collect is a list of t.NAME{...}, not 'kernel'" },
		{ COLLECT "stop = {\n x = 1 } }", "stop is a list, it has no field 'x'" },
		{ "return {\n collect = { t.log 'kernel' },\n colect = {} }",
		  "r.lua:3: unknown field 'colect', did you mean 'collect'?" },
		{ COLLECT "\n max_discs = '1G' }",
		  "r.lua:2: unknown field 'max_discs', did you mean 'max_disk'?" },
		{ COLLECT "\n max_disk = '1G' }", "r.lua:2: with one bundle there is nothing" },
		{ COLLECT "\n\n post = 5 }",
		  "r.lua:3: post: '5' has no unit, write a duration like" },
		{ COLLECT "max_time = '7M' }", "r.lua:1: max_time: '7M' is not a duration like" },
		{ COLLECT "tracer = '1.1' }", "r.lua:1: the recipe needs tracer 1.1, this is 1.0" },
		{ COLLECT "tracer = '0.9.9.9' }", "r.lua:1: tracer is the least version" },
		{ "error('this is it')", "r.lua:1: this is it" },
		{ "\nerror('this is it', 0)", "r.lua:2: this is it" },
		{ "\nerror({ code = 1 })",
		  "r.lua:2: the recipe raised an error that is not a text but a table" },
		{ "error(setmetatable({}, { __tostring = function() while true do end end }))",
		  "not a text but a table" },
		{ "error()", "r.lua:1: the recipe raised an error that is not a text but a nil" },
		{ "error('one\\ntwo\\27[2J')", "r.lua:1: one two?[2J" },
		{ "error('x\\u{9b}2Jy')", "r.lua:1: x??2Jy" },
		{ "error('x\\255y')", "r.lua:1: x?y" },
		{ "local x\nx.y = 1", "r.lua:2: attempt to index a nil value (local 'x')" },
		{ "string.rep()", "r.lua:1: bad argument #1 to 'rep'" },
		{ "\nstring.find(nil, 'x')", "r.lua:2: bad argument #1 to 'string.find'" },
		{ "t.host.has 'sched'", "r.lua:1: t.host.has takes an event like" },
		{ "t.molten {}", "r.lua:1: t.molten is not in this version of tracer (1.0)" },
		{ "t.pakets {}", "r.lua:1: t.pakets is not in this version of tracer (1.0), did "
				 "you mean t.packets?" },
	};

	assert_all_refused(*state, refusals, countof(refusals));
}

static void fields_are_checked(void **state)
{
	static const struct refusal refusals[] = {
		{ "t.ftrace { 'a:b', kep = '8M' }",
		  "r.lua:1: t.ftrace: unknown field 'kep', did you mean 'keep'?" },
		{ "t.log { 'kernel', frequency = 1 }",
		  "r.lua:1: t.log: unknown field 'frequency', there is name, keep" },
		{ "\nt.ftrace { 'a:b',\n keep = 8 }",
		  "r.lua:2: t.ftrace: keep: '8' has no unit, write a size like" },
		{ "t.ftrace { 'a:b', keep = '8s' }", "t.ftrace: keep: '8s' is not a size like" },
		{ "t.ftrace { 'a:b', keep = {} }",
		  "t.ftrace: keep must be a size like \"64K\", \"8M\" or \"2G\", not a table" },
		{ "t.ftrace { 'a:b', stack = 1 }", "t.ftrace: stack must be true or false, not 1" },
		{ "t.ftrace { 'a:b', pids = 0 }",
		  "t.ftrace: pids: 0 is not a process ID from 1 to 4194304" },
		{ "t.ftrace { 'a:b', comm = '0123456789abcdef' }",
		  "'0123456789abcdef' has 16 bytes, a command name has at most 15" },
		{ "t.ftrace {}", "r.lua:1: t.ftrace: it needs an event like SYSTEM:NAME" },
		{ "t.ftrace { 'sched_switch' }",
		  "t.ftrace: 'sched_switch' is not an event like SYSTEM:NAME" },
		{ "t.ftrace { 'kprobe:a b' }", "t.ftrace: 'kprobe:a b' is not an event" },
		{ "t.ftrace { 'uprobe:bash:x' }", "t.ftrace: 'uprobe:bash:x' is not an event" },
		{ "t.ftrace { 'a:b', nil, 'c:d' }", "t.ftrace: value 2 of the list is nil" },
		{ "t.ftrace { 'a:b', [0] = 1 }", "t.ftrace: a field has a name, [0] has none" },
		{ "t.ftrace(5)", "r.lua:1: t.ftrace: it takes a table or a text, not 5" },
		{ "t.ftrace { t.log 'kernel' }", "t.ftrace: t.log does not belong here" },
		{ "t.ftrace { t.event { 'a:b', hits = 2 } }",
		  "t.event: hits belongs in a stop condition" },
		{ "t.ftrace { t.try '/x' }", "r.lua:1: '/x' is not an event" },
		{ "t.files { t.try { t.event 'a:b' } }", "r.lua:1: t.event does not belong here" },
		{ "t.ftrace { name = 'a/b', 'a:b' }", "t.ftrace: name must be a name of letters" },
		{ "t.ftrace { name = '..', 'a:b' }", "t.ftrace: name must be a name of letters" },
		{ "t.event { 'a:b', fetch = 'x=%di' }",
		  "t.event: fetch is for kprobe: and uprobe: events" },
		{ "t.event { 'a:b', within = '1s' }", "within says in which time several hits" },
		{ "t.event { 'a:b', test = 'pairs' }", "t.event: test must be a function" },
		{ "t.event { 'a:b', filter = 'a\\27' }", "filter: it holds a control character" },
		{ "t.event { 'a:b', filter = 'a\\255' }",
		  "filter: it holds a control character, or is not UTF-8" },
		{ "t.event { 'a:b', hits = 1.5 }",
		  "hits must be a whole number from 1 to 1000000, not 1.5" },
		{ "t.packets { 'udp', 'tcp' }", "t.packets: it takes one value, not 2" },
		{ "t.packets { port = 70000 }",
		  "t.packets: port: 70000 is not a port from 1 to 65535" },
		{ "t.packets { host = 'example' }",
		  "t.packets: host: 'example' is not an IPv4 or IPv6 address" },
		{ "t.packets { tcp = 'syn' }", "t.packets: tcp must be \"rst\", not 'syn'" },
		{ "t.packets { payload = 128 }", "t.packets: payload: '128' has no unit" },
		{ "t.packets { payload = '1M' }",
		  "t.packets: payload: '1M' is not between \"1B\" and \"256K\"" },
		{ "t.packets { keep = 100 }",
		  "t.packets: keep: '100' has no unit, write \"64M\" or \"30s\"" },
		{ "t.files { 'proc/x' }", "t.files: 'proc/x' is not an absolute path" },
		{ "t.files { '/x\\0y' }", "is not an absolute path" },
		{ "t.files { '/x', keep = '1m' }",
		  "t.files: keep is the time that samples cover, so it needs every" },
		{ "t.files { '/x', every = '1us' }", "t.files: every must be 10ms or more" },
		{ "t.files { '/x', at = 'end' }",
		  "t.files: at must be \"start\" or \"stop\" or \"both\", not 'end'" },
		{ "t.files { '/proc/{pid}/maps', at = 'both' }",
		  "'/proc/{pid}/maps' names a field of the stop event" },
		{ "t.log { 'BUG:' }", "t.log: 'BUG:' is not \"kernel\"" },
		{ "t.line {}", "r.lua:1: t.line: text or regex has to say which line" },
		{ "t.log('kernel').keep = 1", "r.lua:1: t.log: it cannot be changed" },
		{ "return { collect = { t.line { text = 'x' } } }",
		  "r.lua:1: t.line does not belong in collect" },
		{ COLLECT "stop = { t.log 'kernel' } }", "r.lua:1: t.log does not belong in stop" },
		{ COLLECT "stop = { t.try 'a:b' } }", "r.lua:1: t.try does not belong in stop" },
		{ COLLECT "stop = { t.event { 'a:b', 'c:d' } } }",
		  "t.event: a stop condition has one event" },
		{ COLLECT "stop = { t.event { 'a:b', stack = true } } }",
		  "t.event: stack belongs in t.ftrace" },
		{ "return { collect = { t.event 'a:b' } }", "t.event does not belong in collect" },
		{ "return { collect = { t.try 'a:b' } }",
		  "t.try stands for events in t.ftrace or paths in t.files" },
		{ "return { collect = { t.log { name = 'a', 'kernel' },\n t.log { name = 'a', "
		  "'kernel' } } }",
		  "r.lua:2: the name 'a' is taken by r.lua:1" },
		{ "return { collect = { t.ftrace { 'a:b', post = '1M' } } }",
		  "t.ftrace: post is the ring for the time that the recipe's post names" },
	};

	assert_all_refused(*state, refusals, countof(refusals));
}

static void names_avoid_those_that_were_given(void **state)
{
	struct bench *bench = *state;

	assert_plans(bench, "local f = t.files '/x'\n"
			    "return { collect = { { f, { f } }, t.log { name = 'files', 'kernel' "
			    "}, t.log 'kernel' } }");
	assert_has(bench->result.plan, "\"name\":\"files-2\"");
	assert_has(bench->result.plan, "\"name\":\"files-3\"");
	assert_has(bench->result.plan, "\"name\":\"kernel\"");
}

#define ARGS_RECIPE                                                                              \
	"-- Why?\nlocal ip, port, limit, note = t.args { 'ip:address', 'port:port', "            \
	"'limit:duration=2s', 'note:string=' }\n"                                                \
	"return { collect = { t.packets { host = ip, port = port },\n"                           \
	"t.files { '/' .. ip .. '/' .. tostring(limit) .. '/' .. port + 1 .. '/' .. (ip.family " \
	"== 2 and ip.u32 or 0) .. note,\n"                                                       \
	"every = limit } } }"

struct call {
	int n;
	const char *args[4];
	const char *part; /* of the plan, or of the sentence */
};

static void bench_args(struct bench *bench, const struct call *call, const char *recipe)
{
	bench->rq.n_args = call->n;
	bench->rq.args = call->args;
	bench_plan(bench, recipe);
}

static void arguments_reach_the_recipe(void **state)
{
	static const struct call calls[] = {
		{ 2, { "10.0.0.5", "80" }, "\"path\":\"/10.0.0.5/2s/81/167772165\"" },
		{ 2,
		  { "10.0.0.5", "80" },
		  "\"args\":{\"ip\":\"10.0.0.5\",\"limit\":2000000000,\"note\":\"\",\"port\":80}" },
		{ 3,
		  { "limit=1500ms", "10.0.0.5", "80" },
		  "\"path\":\"/10.0.0.5/1500ms/81/167772165\"" },
		{ 3, { "limit=1500ms", "10.0.0.5", "80" }, "\"every\":1500000000" },
		{ 3, { "::0001", "80", "note=a=b" }, "\"path\":\"/::1/2s/81/0a=b\"" },
		{ 2,
		  { "port=80", "255.255.255.255" },
		  "\"path\":\"/255.255.255.255/2s/81/4294967295\"" },
	};
	struct bench *bench = *state;

	for (size_t i = 0; i < countof(calls); i++) {
		bench_args(bench, &calls[i], ARGS_RECIPE);
		if (!bench->result.plan)
			fail_msg("%s", bench->e.text);
		assert_has(bench->result.plan, calls[i].part);
	}
}

static void wrong_arguments_are_told_with_the_usage(void **state)
{
	static const struct call calls[] = {
		{ 0, { 0 }, "argument IP (an IPv4 or IPv6 address) is missing" },
		{ 1, { "10.0.0.5" }, "argument PORT (a port from 1 to 65535) is missing" },
		{ 2, { "10.0.0", "80" }, "argument 'ip': '10.0.0' is not an IPv4 or IPv6 address" },
		{ 2, { "10.0.0.5", "http" }, "argument 'port': 'http' is not a port" },
		{ 2, { "10.0.0.5", "0" }, "argument 'port': '0' is not a port" },
		{ 2, { "10.0.0.5", "65536" }, "argument 'port': '65536' is not a port" },
		{ 3, { "10.0.0.5", "80", "81" }, "'81' is one argument too many" },
		{ 3,
		  { "10.0.0.5", "80", "limt=2s" },
		  "unknown argument 'limt=', did you mean 'limit='?" },
		{ 3,
		  { "10.0.0.5", "80", "limit=2" },
		  "argument 'limit': '2' has no unit, write a duration like" },
		{ 4,
		  { "10.0.0.5", "80", "limit=2s", "limit=3s" },
		  "argument 'limit' is given twice" },
		{ 3,
		  { "10.0.0.5", "80", "note=\033[2J" },
		  "argument 'note': '?[2J' is not a text without control characters" },
	};
	struct bench *bench = *state;

	for (size_t i = 0; i < countof(calls); i++) {
		bench_args(bench, &calls[i], ARGS_RECIPE);
		assert_refused(bench, calls[i].part);
		assert_has(bench->e.text,
			   "\nusage: tracer r.lua IP PORT [limit=DURATION] [note=STRING]\nWhy?");
	}
	bench_args(bench, &(struct call) { 1, { "x" }, NULL }, COLLECT "}");
	assert_refused(bench, "'x' is one argument too many\nusage: tracer r.lua");
}

static void arguments_have_types(void **state)
{
	static const struct call calls[] = {
		{ 4,
		  { "-5", "8M", "/a b", "12" },
		  "\"args\":{\"i\":-5,\"p\":\"/a b\",\"pid\":12,\"s\":8388608}" },
		{ 4, { "0x10", "8M", "x", "12" }, "\"i\":16" },
		{ 4, { "1.5", "8M", "x", "12" }, "argument 'i': '1.5' is not a whole number" },
		{ 4,
		  { "9223372036854775808", "8M", "x", "12" },
		  "argument 'i': '9223372036854775808' is not a whole number" },
		{ 4, { "1", "8", "x", "12" }, "argument 's': '8' has no unit, write a size like" },
		{ 4, { "1", "8M", "", "12" }, "argument 'p': '' is not a path" },
		{ 4, { "1", "8M", "x", "0" }, "argument 'pid': '0' is not a process ID" },
	};
	struct bench *bench = *state;

	for (size_t i = 0; i < countof(calls); i++) {
		bench_args(bench, &calls[i],
			   "local i, s, p, pid = t.args { 'i:integer', 's:size', 'p:path', "
			   "'pid:pid' }\n"
			   "assert(s > s == false and s == s and tostring(s) == '8M')\n"
			   "return { collect = { t.ftrace { 'a:b', keep = s, pids = pid } } }");
		assert_has(bench->result.plan ? bench->result.plan : bench->e.text, calls[i].part);
	}
}

static void declarations_of_arguments_are_checked(void **state)
{
	static const struct refusal refusals[] = {
		{ "t.args { 'ip:adress' }",
		  "r.lua:1: t.args: 'ip' has the unknown type 'adress', did you mean 'address'?" },
		{ "t.args { 'ip:zzzzzzzz' }",
		  "t.args: 'ip' has the unknown type 'zzzzzzzz', there is address, duration" },
		{ "t.args { 'ip' }", "t.args: 'ip' is not \"NAME:TYPE\"" },
		{ "t.args { 5 }", "t.args: 5 is not \"NAME:TYPE\"" },
		{ "t.args { 'a:string=x', 'a:string=y' }", "t.args: 'a' is declared twice" },
		{ "t.args { 'a:port=x' }",
		  "r.lua:1: t.args: the default of 'a' is wrong: 'x' is not a port" },
		{ "t.args {} t.args {}", "t.args: it can be used once only" },
		{ "local a = t.args 'a:address=::1'\nlocal x = a.u32",
		  "r.lua:2: an IPv6 address has no u32" },
		{ "local a = t.args 'a:address=::1'\nlocal x = a.u",
		  "r.lua:2: address '::1' has no field 'u'" },
		{ "local a = t.args 'a:address=::1'\na.text = 1",
		  "r.lua:2: a value of t.args cannot be changed" },
		{ "local a, b = t.args { 'a:size=1K', 'b:duration=1s' }\nlocal x = a < b",
		  "r.lua:2: a size can only be compared with a size" },
		{ "local a = t.args 'a:size=1K'\nt.files { '/x', every = a }",
		  "r.lua:2: t.files: every must be a duration like" },
	};

	assert_all_refused(*state, refusals, countof(refusals));
}

static void addresses_and_durations_compare(void **state)
{
	assert_plans(*state, "local a, b, c, d, e = t.args { 'a:address=::1', 'b:address=0::1', "
			     "'c:duration=60s', 'd:duration=1m', 'e:duration=1s' }\n"
			     "assert(a == b and a.text == '::1' and a.family == 10 and c == d and "
			     "e < c and e <= c and c > e)\n"
			     "assert(tostring(c) == '1m' and c.ns == 60000000000 and "
			     "string.format('%s', a) == '::1')\n" COLLECT "}");
}

static void the_engine_answers_whether_an_event_exists(void **state)
{
	struct bench *bench = *state;

	assert_plans(bench, "assert(t.host.has 'sched:sched_switch' and not t.host.has "
			    "'sunrpc:xprt_transmit')\n" COLLECT "}");
	assert_string_equal(bench->asked, "sunrpc:xprt_transmit");
	bench->rq.has_event = NULL;
	assert_plans(bench, "assert(not t.host.has 'sched:sched_switch')\n" COLLECT "}");
}

static void modules_are_served_and_kept(void **state)
{
	static const char recipe[] = "local net = require 'lib.net'\nassert(require 'lib.net' == "
				     "net and require 'lib/net')\n"
				     "return { collect = { net() } }";
	struct bench *bench = *state;

	bench_mkdir(bench, "lib");
	bench_write(bench, "lib/net.lua",
		    "local host = require 'host'\nreturn function()\n return { t.packets { host = "
		    "host } }\nend");
	bench_write(bench, "host.lua", "return '10.0.0.1'");
	assert_plans(bench, recipe);
	assert_has(bench->result.plan, "\"at\":\"lib/net.lua:3\"");
	assert_int_equal(bench->result.n_files, 3);
	assert_string_equal(bench->result.files[0].name, "r.lua");
	assert_string_equal(bench->result.files[0].text, recipe);
	assert_string_equal(bench->result.files[1].name, "lib/net.lua");
	assert_string_equal(bench->result.files[2].name, "host.lua");
	assert_int_equal(bench->result.files[2].size, strlen("return '10.0.0.1'"));
}

static void an_error_in_a_module_has_the_modules_line(void **state)
{
	struct bench *bench = *state;

	bench_write(bench, "m.lua", "\nt.log { 'kernel', kep = 1 }");
	bench_plan(bench, "require 'm'");
	assert_refused(bench, "m.lua:2: t.log: unknown field 'kep'");
	bench_write(bench, "m.lua", "\n\n=");
	bench_plan(bench, "require 'm'");
	assert_refused(bench, "m.lua:3: unexpected symbol");
	bench_write(bench, "m.lua", "require 'm'");
	bench_plan(bench, "require 'm'");
	assert_refused(bench, "m.lua:1: module 'm' requires itself");
}

static void nothing_outside_the_recipes_directory_is_loaded(void **state)
{
	static const struct refusal refusals[] = {
		{ "require '../r'",
		  "'../r.lua' is not a plain path beneath the recipe's directory" },
		{ "require 'lib/../../r'", "is not a plain path beneath" },
		{ "require '..r'", "is not a plain path beneath" },
		{ "require '..'", "is not a plain path beneath" },
		{ "require '/etc/passwd'", "is not a plain path beneath" },
		{ "require 'link'", "'link.lua' is not a plain path beneath" },
		{ "require 'dirlink.x'", "'dirlink/x.lua' is not a plain path beneath" },
		{ "\nrequire 'absent'",
		  "r.lua:2: cannot load module 'absent': cannot open 'absent.lua': No such file" },
		{ "require 'fifo'", "'fifo.lua': it is not a regular file" },
		{ "require 'dir'", "'dir.lua': it is not a regular file" },
		{ "require ''", "r.lua:1: bad argument #1 to 'require'" },
		{ "require 'm\\0x'", "r.lua:1: bad argument #1 to 'require'" },
		{ "require {}", "r.lua:1: bad argument #1 to 'require'" },
	};
	struct bench *bench = *state;
	char path[192];

	bench_mkdir(bench, "lib");
	bench_mkdir(bench, "dir.lua");
	bench_write(bench, "x.lua", "return 1");
	snprintf(path, sizeof(path), "%s/link.lua", bench->dir);
	assert_int_equal(symlink("x.lua", path), 0);
	snprintf(path, sizeof(path), "%s/dirlink", bench->dir);
	assert_int_equal(symlink(".", path), 0);
	snprintf(path, sizeof(path), "%s/fifo.lua", bench->dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_all_refused(bench, refusals, countof(refusals));
}

static void the_way_without_openat2_is_as_strict(void **state)
{
	static const char *const refused[] = { "../x.lua", "lib/../x.lua", "/x.lua", "lib//x.lua",
					       "./x.lua",  "..",           ".",      "",
					       "link.lua", "dirlink/x.lua" };
	struct bench *bench = *state;
	autoclose int dir = open(bench->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	autoclose int good = -1;
	char path[192];

	bench_mkdir(bench, "lib");
	bench_write(bench, "x.lua", "");
	bench_write(bench, "lib/y.lua", "");
	snprintf(path, sizeof(path), "%s/link.lua", bench->dir);
	assert_int_equal(symlink("x.lua", path), 0);
	snprintf(path, sizeof(path), "%s/dirlink", bench->dir);
	assert_int_equal(symlink(".", path), 0);
	for (size_t i = 0; i < countof(refused); i++) {
		struct err e = ERR_INIT;

		assert_true(script_file_open_stepwise(dir, refused[i], &e) < 0);
		assert_has(e.text, "is not a plain path beneath the recipe's directory");
	}
	good = script_file_open_stepwise(dir, "lib/y.lua", &bench->e);
	assert_true(good >= 0);
	assert_true(script_file_open_stepwise(dir, "lib/z.lua", &bench->e) < 0);
	assert_has(bench->e.text, "No such file");
}

static void only_text_is_loaded(void **state)
{
	struct bench *bench = *state;
	autofree char *large = malloc(SCRIPT_FILE_MAX + 1);

	bench_write(bench, "r.lua", "\033Lua\x54");
	bench_run(bench);
	assert_refused(bench, "'r.lua': it is a compiled chunk, only Lua text is loaded");
	bench_write_bytes(bench, "r.lua", "return {}\0", 10);
	bench_run(bench);
	assert_refused(bench, "'r.lua': it is not text, it holds a NUL");
	bench_write(bench, "r.lua", "-- caf\xe9");
	bench_run(bench);
	assert_refused(bench, "'r.lua': it is not text in UTF-8");
	memset(large, ' ', SCRIPT_FILE_MAX + 1);
	bench_write_bytes(bench, "r.lua", large, SCRIPT_FILE_MAX + 1);
	bench_run(bench);
	assert_refused(bench, "'r.lua': it is larger than 1M");
	bench_write_bytes(bench, "r.lua", large, SCRIPT_FILE_MAX);
	bench_run(bench);
	assert_refused(bench, "the recipe returns nothing");
	bench_write(bench, "r.lua", "require 'm'");
	bench_write(bench, "m.lua", "\033Lua\x54");
	bench_run(bench);
	assert_refused(bench, "r.lua:1: cannot load module 'm': 'm.lua': it is a compiled chunk");
}

static void a_recipe_that_is_not_a_file_is_refused(void **state)
{
	struct bench *bench = *state;

	bench_run(bench);
	assert_refused(bench, "cannot open the recipe");
	bench_mkdir(bench, "r.lua");
	bench_run(bench);
	assert_refused(bench, "'r.lua': it is not a regular file");
}

/* Kills the script, which is our only child, in the middle of its question. */
static bool bench_kill(void *ctx, const char *event)
{
	char path[64];
	FILE *f;
	int pid = 0;

	(void)ctx;
	(void)event;
	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	f = fopen(path, "r");
	if (f && fscanf(f, "%d", &pid) == 1 && pid > 0)
		kill(pid, SIGKILL);
	if (f)
		fclose(f);
	return false;
}

static void a_script_that_dies_is_told_with_its_signal(void **state)
{
	struct bench *bench = *state;

	bench->rq.has_event = bench_kill;
	bench_plan(bench, "\n\nt.host.has 'a:b'");
	assert_refused(bench, "r.lua:3: the script process died of signal 9 (Killed)");
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void questions_have_a_limit(void **state)
{
	bench_plan(*state, "for i = 1, 20000 do t.host.has 'sched:sched_switch' end");
	assert_refused(*state, "the recipe asks for more than 10000 modules and events");
}

static void a_plan_has_a_largest_size(void **state)
{
	struct bench *bench = *state;

	bench->rq.timeout_ms = 20000;
	bench_plan(bench, "local s, l = '/' .. ('x'):rep(100000), {}\nfor i = 1, 100 do l[i] = "
			  "t.files { s } end\nreturn { collect = l }");
	assert_refused(bench, "the recipe's plan is larger than 8M");
	bench_plan(bench, "local l, e = {}, t.event 'a:b'\nfor i = 1, 60000 do l[i] = 'a:b' "
			  "end\nreturn { collect = { t.ftrace { l } } }");
	assert_refused(bench, "the plan cannot be written: it is too large");
}

static void the_reference_names_every_constructor(void **state)
{
	static const char *const parts[] = { ".SS t.event", ".SS t.ftrace", ".SS t.packets",
					     ".SS t.files", ".SS t.log",    ".SS t.line",
					     ".SS t.try",   ".B payload",   "Default: \"16M\"." };
	struct err e = ERR_INIT;
	autofree char *text = NULL;

	(void)state;
	assert_int_equal(script_reference(&text, &e), 0);
	for (size_t i = 0; i < countof(parts); i++)
		assert_has(text, parts[i]);
}

static void messages_that_are_not_well_formed_are_refused(void **state)
{
	static const uint32_t large[] = { WIRE_RESULT, WIRE_SIZE_MAX + 1 }, unknown[] = { 77, 0 },
			      cut[] = { WIRE_RESULT, 5 };
	autofree char *data = NULL;
	size_t size;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(wire_receive(pair[0], &data, &size, clock_boot() + NS_PER_MS), -ETIME);
	assert_int_equal(write(pair[1], large, sizeof(large)), sizeof(large));
	assert_int_equal(wire_receive(pair[0], &data, &size, UINT64_MAX), -EMSGSIZE);
	assert_int_equal(write(pair[1], unknown, sizeof(unknown)), sizeof(unknown));
	assert_int_equal(wire_receive(pair[0], &data, &size, UINT64_MAX), -EMSGSIZE);
	assert_int_equal(write(pair[1], cut, sizeof(cut)), sizeof(cut));
	close(pair[1]);
	assert_int_equal(wire_receive(pair[0], &data, &size, UINT64_MAX), -ECONNRESET);
	assert_int_equal(wire_send(pair[0], WIRE_NO, NULL, 0, UINT64_MAX), -ECONNRESET);
	assert_int_equal(wire_send(pair[0], WIRE_NO, "", WIRE_SIZE_MAX + 1, UINT64_MAX), -EMSGSIZE);
	assert_null(data);
	close(pair[0]);
}

#define BENCH_TEST(f) cmocka_unit_test_setup_teardown(f, bench_open, bench_close)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		BENCH_TEST(a_recipe_becomes_canonical_json),
		BENCH_TEST(every_constructor_has_its_defaults),
		BENCH_TEST(an_event_with_a_filter_joins_the_ring),
		BENCH_TEST(the_plan_is_the_same_in_every_run),
		BENCH_TEST(pairs_gives_each_key_once_while_keys_are_removed),
		BENCH_TEST(limits_end_what_does_not_end),
		BENCH_TEST(memory_is_limited),
		BENCH_TEST(a_pattern_that_never_ends_is_killed_with_its_line),
		BENCH_TEST(the_watchdog_leaves_no_process),
		BENCH_TEST(what_a_recipe_must_not_have_is_not_there),
		BENCH_TEST(the_safe_library_works),
		BENCH_TEST(errors_are_one_sentence_with_the_recipes_line),
		BENCH_TEST(fields_are_checked),
		BENCH_TEST(names_avoid_those_that_were_given),
		BENCH_TEST(arguments_reach_the_recipe),
		BENCH_TEST(wrong_arguments_are_told_with_the_usage),
		BENCH_TEST(arguments_have_types),
		BENCH_TEST(declarations_of_arguments_are_checked),
		BENCH_TEST(addresses_and_durations_compare),
		BENCH_TEST(the_engine_answers_whether_an_event_exists),
		BENCH_TEST(modules_are_served_and_kept),
		BENCH_TEST(an_error_in_a_module_has_the_modules_line),
		BENCH_TEST(nothing_outside_the_recipes_directory_is_loaded),
		BENCH_TEST(the_way_without_openat2_is_as_strict),
		BENCH_TEST(only_text_is_loaded),
		BENCH_TEST(a_recipe_that_is_not_a_file_is_refused),
		BENCH_TEST(a_script_that_dies_is_told_with_its_signal),
		BENCH_TEST(questions_have_a_limit),
		BENCH_TEST(a_plan_has_a_largest_size),
		cmocka_unit_test(the_reference_names_every_constructor),
		cmocka_unit_test(messages_that_are_not_well_formed_are_refused),
	};

	return cmocka_run_group_tests_name("script", tests, NULL, NULL);
}
