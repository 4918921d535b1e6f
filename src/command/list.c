/* tracer list: the recipes at hand, a line each. */
#include <jansson.h>
#include <stdio.h>

#include "command/command.h"
#include "prepare/recipes.h"

static int list_run(const struct options *options, const char **words, int n_words, struct err *e)
{
	struct recipe_entry *list;
	json_t *json = json_array();
	size_t n;

	(void)words;
	(void)n_words;
	if (recipes_list(&list, &n, e) < 0)
		return e->code;
	for (size_t i = 0; i < n; i++) {
		json_array_append_new(json,
				      json_pack("{s:s, s:s, s:s}", "name", list[i].name, "path",
						list[i].path, "question", list[i].question));
		if (!options->json)
			printf("%-16s %s\n", list[i].name, list[i].question);
	}
	if (options->json) {
		json_dumpf(json, stdout, JSON_INDENT(2));
		putchar('\n');
	}
	json_decref(json);
	recipes_free(list, n);
	return 0;
}

const struct command list_command = {
	.name = "list",
	.words = "",
	.help = "the recipes at hand",
	.run = list_run,
};
