#include "capture/about.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/io.h"

static const char *const compress_words[] = {
	[COMPRESS_ZSTD] = "zstd",
	[COMPRESS_GZIP] = "gzip",
	[COMPRESS_NONE] = "none",
};

const char *compress_text(enum compress compress)
{
	return compress < countof(compress_words) ? compress_words[compress] : NULL;
}

int compress_parse(const char *text)
{
	for (size_t i = 0; i < countof(compress_words); i++)
		if (!strcmp(compress_words[i], text))
			return i;
	return -1;
}

/* The host's name as it can stand in a file name. */
static void about_hostname(char *name, size_t size)
{
	struct utsname uts;

	uname(&uts);
	snprintf(name, size, "%.40s", uts.nodename);
	for (char *p = name; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr(".-_", *p))
			*p = '_';
	if (!*name || *name == '.')
		snprintf(name, size, "host");
}

static int about_write_files(int statedir, const struct script_file *files, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		autofree char *path = NULL;
		char *slash;

		if (asprintf(&path, "recipe/%s", files[i].name) < 0)
			return err_set(e, "no memory");
		slash = strrchr(path, '/');
		*slash = '\0';
		if (io_make_dirs(statedir, path, e) < 0)
			return e->code;
		*slash = '/';
		if (io_create_file(statedir, path, files[i].text, files[i].size, e) < 0)
			return e->code;
	}
	return 0;
}

int about_write(int statedir, const char *outdir, const char *compress, const char *recipe,
		int n_args, const char *const *args, const char *plan,
		const struct script_file *files, size_t n_files, struct err *e)
{
	autojson json_t *json = json_object();
	json_t *list = json_array();
	autofree char *text = NULL;
	char hostname[64];

	about_hostname(hostname, sizeof(hostname));
	for (int i = 0; i < n_args; i++)
		json_array_append_new(list, json_string(args[i]));
	json_object_set_new(json, "arguments", list);
	json_object_set_new(json, "recipe", json_string(recipe));
	json_object_set_new(json, "outdir", json_string(outdir));
	json_object_set_new(json, "compress", json_string(compress));
	json_object_set_new(json, "hostname", json_string(hostname));
	text = json_dumps(json, JSON_SORT_KEYS | JSON_INDENT(2));
	if (!text)
		return err_set(e, "no memory");
	if (io_create_file(statedir, "capture.json", text, strlen(text), e) < 0 ||
	    io_make_dirs(statedir, "recipe", e) < 0 ||
	    io_create_file(statedir, "recipe/plan.json", plan, strlen(plan), e) < 0)
		return e->code;
	return about_write_files(statedir, files, n_files, e);
}

int about_read(struct about *ret, int statedir, struct err *e)
{
	autofree char *text = NULL;
	const char *compress;

	*ret = (struct about) { 0 };
	if (io_read_file(statedir, "capture.json", 1 << 20, &text, NULL, e) < 0)
		return e->code;
	ret->json = json_loads(text, 0, NULL);
	ret->outdir = json_string_value(json_object_get(ret->json, "outdir"));
	ret->hostname = json_string_value(json_object_get(ret->json, "hostname"));
	compress = json_string_value(json_object_get(ret->json, "compress"));
	if (!ret->outdir || !ret->hostname || !compress || compress_parse(compress) < 0) {
		about_clear(ret);
		return err_set(e, "capture.json is not whole");
	}
	ret->compress = compress_parse(compress);
	return 0;
}

void about_clear(struct about *about)
{
	json_decref(about->json);
	*about = (struct about) { 0 };
}
