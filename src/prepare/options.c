#include "prepare/options.h"

#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/units.h"

enum option_kind {
	OPTION_FLAG,
	OPTION_TEXT,
	OPTION_DURATION,
	OPTION_SIZE,
	OPTION_COMPRESS,
	OPTION_DESCRIPTOR,
	OPTION_HASH
};

static const struct option_row {
	const char *name;
	char letter;
	enum option_kind kind;
	const char *value; /* its name in the help */
	size_t at;         /* where it goes in struct options */
	const char *help;
} option_rows[] = {
	{ "output", 'o', OPTION_TEXT, "DIR", offsetof(struct options, outdir),
	  "where the bundle goes (the current directory)" },
	{ "max-time", 0, OPTION_DURATION, "TIME", offsetof(struct options, max_time),
	  "end after that long at the latest (the recipe's, or 7d)" },
	{ "min-free", 0, OPTION_SIZE, "SIZE", offsetof(struct options, min_free),
	  "leave that much free on the output's disk (64M)" },
	{ "memory", 0, OPTION_SIZE, "SIZE", offsetof(struct options, memory),
	  "let all rings together take that much (a quarter of what is available)" },
	{ "plan", 0, OPTION_HASH, "SHA256", offsetof(struct options, plan),
	  "run only this plan, as `tracer check` printed it" },
	{ "measure", 0, OPTION_DURATION, "TIME", offsetof(struct options, measure),
	  "arm it for that long, and tell rates, costs and what would have fired" },
	{ "host", 0, OPTION_TEXT, "BUNDLE", offsetof(struct options, host),
	  "check against the host that this bundle is from" },
	{ "allow-exec", 0, OPTION_FLAG, NULL, offsetof(struct options, allow_exec),
	  "let the recipe run its commands, as root" },
	{ "compress", 0, OPTION_COMPRESS, "HOW", offsetof(struct options, compress),
	  "zstd, gzip or none (zstd)" },
	{ "detach", 'd', OPTION_FLAG, NULL, offsetof(struct options, detach),
	  "return when it records, print its ID" },
	{ "pid-file", 0, OPTION_TEXT, "FILE", offsetof(struct options, pid_file),
	  "keep the process ID there as long as it runs" },
	{ "ready-fd", 0, OPTION_DESCRIPTOR, "N", offsetof(struct options, ready_fd),
	  "write its ID to this descriptor when it records, and close that" },
	{ "json", 0, OPTION_FLAG, NULL, offsetof(struct options, json), "the answer as JSON" },
	{ "quiet", 'q', OPTION_FLAG, NULL, offsetof(struct options, quiet),
	  "only results and errors" },
	{ "verbose", 'v', OPTION_FLAG, NULL, offsetof(struct options, verbose), "more of it" },
	{ "version", 0, OPTION_FLAG, NULL, offsetof(struct options, version), "print the version" },
	{ "help", 'h', OPTION_FLAG, NULL, offsetof(struct options, help), "print this" },
};

void options_help(FILE *out)
{
	for (size_t i = 0; i < countof(option_rows); i++) {
		const struct option_row *row = &option_rows[i];
		char left[40];

		snprintf(left, sizeof(left), "%c%c%c --%s%s%s", row->letter ? '-' : ' ',
			 row->letter ? row->letter : ' ', row->letter ? ',' : ' ', row->name,
			 row->value ? " " : "", row->value ? row->value : "");
		fprintf(out, "  %-24s %s\n", left, row->help);
	}
}

static const struct option_row *option_by_name(const char *name, size_t length)
{
	for (size_t i = 0; i < countof(option_rows); i++)
		if (strlen(option_rows[i].name) == length &&
		    !strncmp(option_rows[i].name, name, length))
			return &option_rows[i];
	return NULL;
}

static const struct option_row *option_by_letter(char letter)
{
	for (size_t i = 0; i < countof(option_rows); i++)
		if (letter && option_rows[i].letter == letter)
			return &option_rows[i];
	return NULL;
}

static int option_unknown(const char *word, struct err *e)
{
	autofree char *bare = strndup(word, strcspn(word, "="));
	const char *names[countof(option_rows)], *near;

	for (size_t i = 0; i < countof(option_rows); i++)
		names[i] = option_rows[i].name;
	near = !bare || strncmp(bare, "--", 2) ? NULL
					       : nearest_name(bare + 2, names, countof(names));
	return near ? err_set(e, "unknown option '%s', did you mean '--%s'?", word, near)
		    : err_set(e, "unknown option '%s' (`tracer --help` lists them)", word);
}

static bool option_is_hash(const char *text)
{
	for (const char *p = text; *p; p++)
		if (!isxdigit((unsigned char)*p))
			return false;
	return strlen(text) == 64;
}

/* One that is open, and no standard stream. */
static int option_descriptor(const char *value, int *fd, struct err *e)
{
	char *end;
	long number = strtol(value, &end, 10);

	if (!isdigit((unsigned char)*value) || *end || number <= STDERR_FILENO || number > INT_MAX)
		return err_set(e, "'%s' is not the number of a descriptor from 3 on", value);
	if (fcntl((int)number, F_GETFD) < 0)
		return err_set(e, "descriptor %ld is not open", number);
	*fd = (int)number;
	return 0;
}

static int option_set(struct options *options, const struct option_row *row, const char *value,
		      struct err *e)
{
	void *at = (char *)options + row->at;
	int compress;

	switch (row->kind) {
	case OPTION_FLAG:
		*(bool *)at = true;
		return 0;
	case OPTION_HASH:
		if (!option_is_hash(value))
			return err_set(e, "'%s' is no SHA-256: it has 64 hexadecimal digits",
				       value);
		/* fall through */
	case OPTION_TEXT:
		*(const char **)at = value;
		return 0;
	case OPTION_DURATION:
		if (duration_parse(value, at, e) < 0)
			return e->code;
		return *(uint64_t *)at ? 0 : err_set(e, "'%s' is no time at all", value);
	case OPTION_SIZE:
		return size_parse(value, at, e);
	case OPTION_DESCRIPTOR:
		return option_descriptor(value, at, e);
	case OPTION_COMPRESS:
		compress = compress_parse(value);
		if (compress < 0)
			return err_set(e, "'%s' is not zstd, gzip or none", value);
		*(enum compress *)at = compress;
		return 0;
	}
	return 0;
}

/* One option with its value, which is behind '=' or is the next word. Returns how many words it
 * took. */
static int option_take(struct options *options, char **argv, struct err *e)
{
	const char *word = argv[0], *value = NULL;
	const char *equals = strchr(word, '=');
	const struct option_row *row;

	if (!strncmp(word, "--", 2)) {
		row = option_by_name(word + 2,
				     equals ? (size_t)(equals - word - 2) : strlen(word + 2));
		value = equals ? equals + 1 : NULL;
	} else {
		row = option_by_letter(word[1]);
		value = word[1] && word[2] ? word + 2 : NULL;
	}
	if (!row || (row->kind == OPTION_FLAG && value))
		return option_unknown(word, e);
	if (row->kind == OPTION_FLAG)
		return option_set(options, row, NULL, e) < 0 ? e->code : 1;
	if (!value && !argv[1])
		return err_set(e, "--%s needs a value: --%s %s", row->name, row->name, row->value);
	if (option_set(options, row, value ? value : argv[1], e) < 0)
		return err_wrap(e, "--%s", row->name);
	return value ? 1 : 2;
}

int options_parse(struct options *ret, int argc, char **argv, struct err *e)
{
	*ret = (struct options) { .min_free = 64 << 20,
				  .ready_fd = -1,
				  .words = calloc(argc + 1, sizeof(char *)) };
	if (!ret->words)
		return err_set(e, "no memory");
	for (int i = 1; i < argc;) {
		int taken = 1;

		if (!strcmp(argv[i], "--")) {
			while (++i < argc)
				ret->words[ret->n_words++] = argv[i];
			break;
		}
		if (argv[i][0] == '-' && argv[i][1])
			taken = option_take(ret, argv + i, e);
		else
			ret->words[ret->n_words++] = argv[i];
		if (taken < 0) {
			options_clear(ret);
			return err_exit(e, EXIT_USAGE);
		}
		i += taken;
	}
	return 0;
}

void options_clear(struct options *options)
{
	free(options->words);
	options->words = NULL;
}
