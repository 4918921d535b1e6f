/* What the user asked for, kept beside the plan so that `recover` can finish what was begun. */
#pragma once

#include <jansson.h>

#include "base/err.h"
#include "recipe/script_file.h"

enum compress { COMPRESS_ZSTD, COMPRESS_GZIP, COMPRESS_NONE };

struct about {
	json_t *json;         /* owns the strings */
	const char *outdir;   /* absolute */
	const char *hostname; /* as the bundle's name has it */
	enum compress compress;
};

/* Writes capture.json, plan.json and the files of the recipe below STATEDIR. */
int about_write(int statedir, const char *outdir, const char *compress, const char *recipe,
		int n_args, const char *const *args, const char *plan,
		const struct script_file *files, size_t n_files, struct err *e);

/* Reads capture.json back. */
int about_read(struct about *ret, int statedir, struct err *e);
void about_clear(struct about *about);

/* "zstd", "gzip" or "none"; NULL for any other number, -1 for any other word. */
const char *compress_text(enum compress compress);
int compress_parse(const char *text);
