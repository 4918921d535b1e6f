/* The library that recipes see, tested by recipes: each file of tests/lua ends in comments that say
 * with which arguments it is run (--[==[args, one a line) and which plan (--[==[plan, as JSON) or
 * which sentence (--[==[error) comes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/io.h"
#include "recipe/script.h"

#define DIRECTORY "tests/lua"
#define ARGS_MAX 16

/* One recipe and what is expected of it; parts that the file does not have are NULL. */
struct expected {
	char *text; /* owns the parts */
	char *args, *plan, *error;
};

/* What stands between "--[==[NAME\n" and the next "\n]==]". */
static char *part_of(char *text, const char *name)
{
	char begin[32], *at, *end;

	snprintf(begin, sizeof(begin), "--[==[%s\n", name);
	at = strstr(text, begin);
	if (!at)
		return NULL;
	at += strlen(begin);
	end = strstr(at, "\n]==]");
	assert_non_null(end);
	*end = '\0';
	return at;
}

/* From behind, since each part is cut off in place. */
static void read_expected(struct expected *x, const char *path)
{
	struct err e = ERR_INIT;
	char *plan, *error;

	if (io_read_file(AT_FDCWD, path, 1 << 20, &x->text, NULL, &e) < 0)
		fail_msg("%s", e.text);
	plan = part_of(x->text, "plan");
	error = plan ? NULL : part_of(x->text, "error");
	x->plan = plan;
	x->error = error;
	x->args = part_of(x->text, "args");
	if (!plan && !error)
		fail_msg("'%s' does not say what is expected of it", path);
}

static bool has_event(void *ctx, const char *event)
{
	(void)ctx;
	return !strcmp(event, "sched:sched_switch");
}

static void assert_plan(const char *path, const char *plan, const char *want)
{
	json_error_t where;
	autojson json_t *got = json_loads(plan, 0, NULL),
			*expected = json_loads(want, JSON_REJECT_DUPLICATES, &where);

	if (!expected)
		fail_msg("%s: line %d of its plan: %s", path, where.line, where.text);
	if (!json_equal(got, expected))
		fail_msg("%s: the plan is\n%s", path, plan);
}

/* The initial state is the path of the recipe. */
static void comes_out_as_it_says(void **state)
{
	struct expected x = { 0 };
	const char *args[ARGS_MAX];
	struct script_request rq = {
		.recipe_path = *state,
		.args = args,
		.version = "1.0",
		.kernel = "6.1.0-test",
		.n_cpus = 4,
		.has_event = has_event,
	};
	struct script_result result = { 0 };
	struct err e = ERR_INIT;
	char *rest, *arg;

	read_expected(&x, *state);
	for (rest = x.args; rest && (arg = strsep(&rest, "\n")) && rq.n_args < ARGS_MAX;)
		args[rq.n_args++] = arg;
	if (script_plan(&rq, &result, &e) == 0) {
		if (!x.plan)
			fail_msg("'%s' does not fail", rq.recipe_path);
		assert_plan(rq.recipe_path, result.plan, x.plan);
	} else {
		if (!x.error)
			fail_msg("'%s': %s", rq.recipe_path, e.text);
		assert_int_equal(e.exit, EXIT_USAGE);
		assert_string_equal(e.text, x.error);
	}
	script_result_clear(&result);
	free(x.text);
}

static int is_recipe(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return dot && !strcmp(dot, ".lua");
}

int main(void)
{
	struct dirent **entries = NULL;
	int n = scandir(DIRECTORY, &entries, is_recipe, alphasort), failed;
	autofree struct CMUnitTest *tests = calloc(n > 0 ? n : 1, sizeof(*tests));

	if (n <= 0 || !tests) {
		fprintf(stderr, "no recipes in " DIRECTORY ": run this from the top directory\n");
		return 1;
	}
	for (int i = 0; i < n; i++) {
		char *path = NULL;

		if (asprintf(&path, DIRECTORY "/%s", entries[i]->d_name) < 0)
			return 1;
		tests[i] = (struct CMUnitTest) { path, comes_out_as_it_says, NULL, NULL, path };
		free(entries[i]);
	}
	free(entries);
	failed = _cmocka_run_group_tests("lua", tests, n, NULL, NULL);
	for (int i = 0; i < n; i++)
		free(tests[i].initial_state);
	return failed;
}
