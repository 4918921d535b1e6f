/* Durations and sizes as people write them. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define NS_PER_US 1000ull
#define NS_PER_MS 1000000ull
#define NS_PER_S 1000000000ull

/* "200us", "200ms", "3s", "5m", "2h", "7d" to nanoseconds; a bare number is an error that says what
 * to write. */
int duration_parse(const char *text, uint64_t *ns, struct err *e);

/* "512B", "64K", "8M", "2G" to bytes, powers of 1024; a bare number is an error that says what to
 * write. */
int size_parse(const char *text, uint64_t *bytes, struct err *e);

/* The shortest exact way to write it: "3s", "1500ms", "64K". */
struct unit_text {
	char text[32];
};
struct unit_text duration_text(uint64_t ns);
struct unit_text size_text(uint64_t bytes);

/* Near enough for a person: "11.5M", "3.2s". */
struct unit_text duration_about(uint64_t ns);
struct unit_text size_about(uint64_t bytes);

/* The name among the N that is nearest to WORD, for "did you mean"; NULL if none is near. */
const char *nearest_name(const char *word, const char *const *names, size_t n);
