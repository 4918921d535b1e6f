#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/units.h"
#include "base/version.h"
#include "command/command.h"
#include "prepare/options.h"
#include "prepare/recipes.h"

static const struct command *const commands[] = {
	&record_command, &check_command,  &list_command,   &events_command,
	&status_command, &stop_command,   &fire_command,   &recover_command,
	&show_command,   &verify_command, &replay_command,
};

static void main_help(FILE *out)
{
	fputs("tracer - records until the event that a recipe describes, and leaves one "
	      "bundle\n\nusage:\n",
	      out);
	for (size_t i = 0; i < countof(commands); i++) {
		const char *name = commands[i] == &record_command ? "" : commands[i]->name;
		char left[80];

		snprintf(left, sizeof(left), "tracer %s%s%s", name, *name ? " " : "",
			 commands[i]->words);
		fprintf(out, "  %-42s %s\n", left, commands[i]->help);
	}
	fputs("\noptions:\n", out);
	options_help(out);
	fputs("\nexit codes: 0 a stop condition fired, the bundle is complete; 5 complete, but "
	      "ended by the user or the\n"
	      "time limit; 4 a bundle, but a source is not whole; 1 failed; 2 usage; 3 this host "
	      "cannot run it\n",
	      out);
}

/* The first word names a command; else it is a recipe. */
static const struct command *main_find(const struct options *options)
{
	for (size_t i = 1; i < countof(commands); i++)
		if (!strcmp(commands[i]->name, options->words[0]))
			return commands[i];
	return &record_command;
}

static int main_check_words(const struct command *command, int n_words, struct err *e)
{
	const char *name = command == &record_command ? "" : command->name;

	if (n_words >= command->min_words &&
	    (command->max_words < 0 || n_words <= command->max_words))
		return 0;
	err_set(e, "it is used as: tracer %s%s%s%s", name, *name && *command->words ? " " : "",
		command->words, command->max_words ? "" : ", without more words");
	return err_exit(e, EXIT_USAGE);
}

/* A word that is no recipe may be a command that was mistyped. */
static int main_check_recipe(const char *word, struct err *e)
{
	const char *names[countof(commands)], *near;
	autofree char *path = NULL;
	struct err unknown = ERR_INIT;

	if (recipes_find(&path, word, &unknown) == 0)
		return 0;
	for (size_t i = 1; i < countof(commands); i++)
		names[i - 1] = commands[i]->name;
	near = nearest_name(word, names, countof(commands) - 1);
	if (!near || strstr(unknown.text, "did you mean"))
		return 0; /* the capture says it */
	err_set(e, "there is no recipe or command '%s', did you mean '%s'?", word, near);
	return err_exit(e, EXIT_USAGE);
}

static int main_run(const struct options *options, struct err *e)
{
	const struct command *command;
	int skip;

	if (options->help || options->version) {
		if (options->version)
			puts("tracer " TRACER_VERSION);
		else
			main_help(stdout);
		return 0;
	}
	if (!options->n_words) {
		err_set(e, "which recipe? `tracer list` shows them, `tracer --help` the rest");
		return err_exit(e, EXIT_USAGE);
	}
	command = main_find(options);
	skip = command == &record_command ? 0 : 1;
	if (main_check_words(command, options->n_words - skip, e) < 0)
		return e->code;
	if (command == &record_command && main_check_recipe(options->words[0], e) < 0)
		return e->code;
	return command->run(options, options->words + skip, options->n_words - skip, e);
}

/* A file of ours must not become what others print to. */
static void main_open_streams(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
			_exit(EXIT_FAILED);
}

int main(int argc, char **argv)
{
	struct err e = ERR_INIT;
	struct options options;
	int r;

	main_open_streams();
	umask(077);
	if (sodium_init() < 0)
		return EXIT_FAILED;
	r = options_parse(&options, argc, argv, &e);
	if (r == 0) {
		r = main_run(&options, &e);
		options_clear(&options);
	}
	if (r >= 0)
		return fflush(stdout) ? EXIT_FAILED : r;
	fprintf(stderr, "tracer: %s\n", e.text);
	return e.exit;
}
