/* A text pattern of a recipe's, with a limit on its steps: it meets text from anywhere. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct pattern;

/* Compiles REGEX (pcre2pattern(3)); MULTILINE: ^ and $ stand for each line's. *ret is the caller's.
 */
int pattern_compile(struct pattern **ret, const char *regex, bool multiline, struct err *e);

/* NULL is fine. */
void pattern_free(struct pattern *pattern);

/* Whether it is in the text; one that takes too many steps is not. */
bool pattern_matches(const struct pattern *pattern, const char *text, size_t size);

/* Where in the text its first group begins, or all of it if it has none; NULL if it is not there.
 */
const char *pattern_find(const struct pattern *pattern, const char *text, size_t size);
