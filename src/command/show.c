/* tracer show: the summary of a bundle. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "bundle/bundle.h"
#include "command/command.h"
#include "process/sandbox.h"

struct show {
	const char *wanted;
	bool found;
};

/* A bundle may come from anywhere: what would drive a terminal is not passed on. */
static void show_print(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		putchar((text[i] >= ' ' && text[i] != 127) || text[i] == '\n' || text[i] == '\t'
				? text[i]
				: '?');
}

static int show_visit(void *arg, struct bundle_member *member, struct err *e)
{
	struct show *show = arg;
	char block[4096];
	int64_t n;

	if (strcmp(member->path, show->wanted))
		return 0;
	show->found = true;
	while ((n = bundle_read(member, block, sizeof(block), e)) > 0)
		show_print(block, n);
	return n < 0 ? e->code : 1;
}

static int show_run(const struct options *options, const char **words, int n_words, struct err *e)
{
	struct show show = { .wanted = options->json ? "manifest.json" : "summary.txt" };
	autofree char *name = NULL;
	autoclose int fd = bundle_open(n_words ? words[0] : NULL, &name, e);

	if (fd < 0 || sandbox_enter(SANDBOX_COMPUTE, e) < 0)
		return e->code;
	if (bundle_walk(fd, show_visit, &show, e) < 0)
		return err_wrap(e, "'%s'", name);
	return show.found ? 0 : err_set(e, "'%s' has no %s", name, show.wanted);
}

const struct command show_command = {
	.name = "show",
	.words = "[BUNDLE]",
	.help = "the summary of a bundle (the newest one here)",
	.max_words = 1,
	.run = show_run,
};
