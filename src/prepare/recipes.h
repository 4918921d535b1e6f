/* The recipes at hand: beside the program, and where packages put them. */
#pragma once

#include <stddef.h>

#include "base/err.h"

struct recipe_entry {
	char *name; /* "tcp-reset" */
	char *path;
	char *question; /* its first comment line */
};

/* All of them by name; the first place wins. *ret is the caller's, for recipes_free. */
int recipes_list(struct recipe_entry **ret, size_t *n, struct err *e);
void recipes_free(struct recipe_entry *list, size_t n);

/* The path of a recipe: WORD is a file, or the name of one at hand. *ret is the caller's. */
int recipes_find(char **ret, const char *word, struct err *e);
