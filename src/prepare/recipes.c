#include "prepare/recipes.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/units.h"

/* Where recipes are, from the program's directory: as it is built, and as it is installed. */
static const char *const recipes_places[] = { "recipes", "../share/tracer/recipes" };

struct recipes_dir {
	char text[500];
};

static struct recipes_dir recipes_dir(const char *place)
{
	struct recipes_dir dir;
	char exe[400];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	char *slash;

	exe[n > 0 ? n : 0] = '\0';
	slash = strrchr(exe, '/');
	if (slash)
		*slash = '\0';
	snprintf(dir.text, sizeof(dir.text), "%s/%s", exe, place);
	return dir;
}

/* The first line that is a comment, without its dashes. */
static char *recipes_question(const char *path)
{
	autofclose FILE *f = fopen(path, "re");
	char line[300];
	char *text = line;

	if (!f || !fgets(line, sizeof(line), f) || strncmp(line, "--", 2))
		return strdup("");
	text += strspn(text, "- ");
	text[strcspn(text, "\n")] = '\0';
	return strdup(text);
}

static bool recipes_has(const struct recipe_entry *list, size_t n, const char *name, size_t length)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(list[i].name) == length && !strncmp(list[i].name, name, length))
			return true;
	return false;
}

static int recipes_add(struct recipe_entry **list, size_t *n, const char *dir, const char *file)
{
	size_t length = strlen(file);
	struct recipe_entry *grown, *entry;

	if (length < 5 || strcmp(file + length - 4, ".lua") ||
	    recipes_has(*list, *n, file, length - 4))
		return 0;
	grown = realloc(*list, (*n + 1) * sizeof(*grown));
	if (!grown)
		return -1;
	*list = grown;
	entry = &grown[(*n)++];
	*entry = (struct recipe_entry) { .name = strndup(file, length - 4) };
	if (asprintf(&entry->path, "%s/%s", dir, file) < 0)
		entry->path = NULL;
	entry->question = entry->path ? recipes_question(entry->path) : NULL;
	return entry->name && entry->path && entry->question ? 0 : -1;
}

static int recipes_order(const void *a, const void *b)
{
	return strcmp(((const struct recipe_entry *)a)->name,
		      ((const struct recipe_entry *)b)->name);
}

int recipes_list(struct recipe_entry **ret, size_t *n, struct err *e)
{
	struct recipe_entry *list = NULL;
	struct dirent *entry;

	*n = 0;
	for (size_t i = 0; i < countof(recipes_places); i++) {
		struct recipes_dir place = recipes_dir(recipes_places[i]);
		autoclosedir DIR *dir = opendir(place.text);

		while (dir && (entry = readdir(dir)))
			if (recipes_add(&list, n, place.text, entry->d_name) < 0) {
				recipes_free(list, *n);
				return err_set(e, "no memory");
			}
	}
	if (*n)
		qsort(list, *n, sizeof(*list), recipes_order);
	*ret = list;
	return 0;
}

void recipes_free(struct recipe_entry *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(list[i].name);
		free(list[i].path);
		free(list[i].question);
	}
	free(list);
}

static int recipes_unknown(const struct recipe_entry *list, size_t n, const char *word,
			   struct err *e)
{
	autofree const char **names = calloc(n + 1, sizeof(*names));
	const char *near;

	for (size_t i = 0; names && i < n; i++)
		names[i] = list[i].name;
	near = names ? nearest_name(word, names, n) : NULL;
	if (near)
		err_set(e, "there is no recipe '%s', did you mean '%s'?", word, near);
	else
		err_set(e, "there is no recipe '%s': name a file, or one that `tracer list` shows",
			word);
	return err_exit(e, EXIT_USAGE);
}

int recipes_find(char **ret, const char *word, struct err *e)
{
	struct recipe_entry *list;
	size_t n;

	*ret = NULL;
	if (recipes_list(&list, &n, e) < 0)
		return e->code;
	for (size_t i = 0; i < n && !*ret; i++)
		if (!strcmp(list[i].name, word))
			*ret = strdup(list[i].path);
	if (!*ret && (strchr(word, '/') || access(word, F_OK) == 0))
		*ret = strdup(word);
	if (!*ret)
		recipes_unknown(list, n, word, e);
	recipes_free(list, n);
	return *ret ? 0 : e->code;
}
