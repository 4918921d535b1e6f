#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/units.h"
#include "prepare/options.h"

#define HASH "0123456789abcdefABCDEF0123456789abcdefABCDEF0123456789abcdef0123"

/* A command line apart by single spaces; "''" stands for an empty word. */
struct line {
	char *text;
	char *argv[32];
	int argc;
	struct options options;
	struct err e;
	int r;
};

static void line_clear(struct line *line)
{
	if (line->r == 0)
		options_clear(&line->options);
	free(line->text);
}

#define autoline __attribute__((cleanup(line_clear))) struct line

static struct line parse(const char *words)
{
	struct line line = { .text = strdup(words), .e = ERR_INIT };
	char *rest = line.text, *word;

	line.argv[line.argc++] = (char *)"tracer";
	while (*words && (word = strsep(&rest, " "))) {
		if (!strcmp(word, "''"))
			*word = '\0';
		line.argv[line.argc++] = word;
	}
	line.r = options_parse(&line.options, line.argc, line.argv, &line.e);
	return line;
}

static void assert_words(const struct line *line, const char *want)
{
	char all[400] = "";

	if (line->r < 0)
		fail_msg("%s", line->e.text);
	for (int i = 0; i < line->options.n_words; i++)
		strcat(strcat(all, i ? "|" : ""), line->options.words[i]);
	assert_string_equal(all, want);
}

static void without_options_there_are_defaults(void **state)
{
	autoline line = parse("");

	(void)state;
	assert_words(&line, "");
	assert_null(line.options.outdir);
	assert_null(line.options.plan);
	assert_int_equal(line.options.max_time, 0);
	assert_int_equal(line.options.memory, 0);
	assert_int_equal(line.options.min_free, 64 << 20);
	assert_int_equal(line.options.compress, COMPRESS_ZSTD);
	assert_false(line.options.detach || line.options.json || line.options.quiet ||
		     line.options.verbose || line.options.help || line.options.version);
}

/* Each takes its value in each form that its row allows. */
static void each_form_of_an_option_is_the_same(void **state)
{
	static const char *const lines[] = {
		"-o /x --max-time 5m --min-free 1G --memory 2G --plan " HASH
		" --compress gzip -d --json -q -v -h --version r",
		"-o/x --max-time=5m --min-free=1G --memory=2G --plan=" HASH
		" --compress=gzip --detach --json --quiet --verbose --help --version r",
		"--output /x r --version -h -v -q --json -d --compress gzip --plan " HASH
		" --memory 2G --min-free 1G --max-time 5m",
		"--output=/y --output=/x --max-time=1s --max-time=5m --min-free=1G --memory=2G "
		"--plan " HASH " --compress=none --compress=gzip -d -d --json -q -v r -h --version",
	};

	(void)state;
	for (size_t i = 0; i < countof(lines); i++) {
		autoline line = parse(lines[i]);

		assert_words(&line, "r");
		assert_string_equal(line.options.outdir, "/x");
		assert_int_equal(line.options.max_time, 300 * NS_PER_S);
		assert_int_equal(line.options.min_free, 1 << 30);
		assert_int_equal(line.options.memory, 2ull << 30);
		assert_string_equal(line.options.plan, HASH);
		assert_int_equal(line.options.compress, COMPRESS_GZIP);
		assert_true(line.options.detach && line.options.json && line.options.quiet &&
			    line.options.verbose && line.options.help && line.options.version);
	}
}

static void options_stand_anywhere_and_words_keep_their_order(void **state)
{
	static const char *const lines[][2] = {
		{ "check -v r.lua 10.0.0.5 -o /x limit=5s", "check|r.lua|10.0.0.5|limit=5s" },
		{ "r.lua -- -v --nothing -o", "r.lua|-v|--nothing|-o" },
		{ "-v -- -- r", "--|r" },
		{ "--", "" },
		{ "r -", "r|-" },
		{ "r '' x", "r||x" },
		{ "-o -- r", "r" },
	};

	(void)state;
	for (size_t i = 0; i < countof(lines); i++) {
		autoline line = parse(lines[i][0]);

		assert_words(&line, lines[i][1]);
	}
}

static void what_is_wrong_is_told_with_what_is_near(void **state)
{
	static const char *const lines[][2] = {
		{ "--verbos", "unknown option '--verbos', did you mean '--verbose'?" },
		{ "--ouptut=/x", "did you mean '--output'?" },
		{ "--max_time 5s", "did you mean '--max-time'?" },
		{ "--xyzzyplugh", "unknown option '--xyzzyplugh' (`tracer --help` lists them)" },
		{ "-x", "unknown option '-x'" },
		{ "-vq", "unknown option '-vq'" },
		{ "--json=1", "unknown option '--json=1', did you mean '--json'?" },
		{ "--json=", "unknown option '--json='" },
		{ "r -o", "--output needs a value: --output DIR" },
		{ "--max-time", "--max-time needs a value: --max-time TIME" },
		{ "--max-time 5", "--max-time: " },
		{ "--max-time=", "--max-time: " },
		{ "--max-time -5s", "--max-time: " },
		{ "--min-free lots", "--min-free: " },
		{ "--memory 99999999999999999999G", "--memory: " },
		{ "--plan 0123", "64 hexadecimal digits" },
		{ "--plan " HASH "0", "64 hexadecimal digits" },
		{ "--plan g123456789abcdefABCDEF0123456789abcdefABCDEF0123456789abcdef0123",
		  "64 hexadecimal digits" },
		{ "--compress xz", "'xz' is not zstd, gzip or none" },
		{ "--compress=", "'' is not zstd, gzip or none" },
	};

	(void)state;
	for (size_t i = 0; i < countof(lines); i++) {
		autoline line = parse(lines[i][0]);

		if (line.r == 0)
			fail_msg("taken: %s", lines[i][0]);
		assert_int_equal(line.e.exit, EXIT_USAGE);
		assert_null(line.options.words);
		if (!strstr(line.e.text, lines[i][1]))
			fail_msg("'%s' is not in '%s'", lines[i][1], line.e.text);
	}
}

/* "  -o, --output DIR   where ...": the word that begins with "--"; cut off in place. */
static char *name_in_help(char *line)
{
	char *name = strstr(line, "--");

	if (name)
		name[strcspn(name, " \n")] = '\0';
	return name;
}

static void every_option_in_the_help_is_taken(void **state)
{
	autofree char *help = NULL;
	size_t size, n = 0;
	FILE *out = open_memstream(&help, &size);
	char *rest, *line;

	(void)state;
	options_help(out);
	fclose(out);
	for (rest = help; (line = strsep(&rest, "\n")) && *line; n++) {
		autoline taken = parse(name_in_help(line));

		if (taken.r < 0 && !strstr(taken.e.text, "needs a value"))
			fail_msg("%s", taken.e.text);
	}
	assert_true(n > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_options_there_are_defaults),
		cmocka_unit_test(each_form_of_an_option_is_the_same),
		cmocka_unit_test(options_stand_anywhere_and_words_keep_their_order),
		cmocka_unit_test(what_is_wrong_is_told_with_what_is_near),
		cmocka_unit_test(every_option_in_the_help_is_taken),
	};

	return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
