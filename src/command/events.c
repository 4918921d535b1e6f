/* tracer events GLOB: the events of this host. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "command/command.h"
#include "trace/format.h"
#include "trace/tracing.h"

static int events_format(struct tracing *tracing, const char *name, struct format **ret,
			 struct err *e)
{
	const char *colon = strchr(name, ':');
	autofree char *system = strndup(name, colon - name);

	if (!system)
		return err_set(e, "no memory");
	return tracing_format(tracing, system, colon + 1, ret, e);
}

static json_t *events_fields(const struct format *format)
{
	json_t *fields = json_array();

	for (size_t i = 0; i < format->n_fields; i++)
		json_array_append_new(fields,
				      json_pack("{s:s, s:s}", "name", format->fields[i].name,
						"type", format->fields[i].type));
	return fields;
}

static int events_show(struct tracing *tracing, const char *name, const struct options *options,
		       json_t *json, struct err *e)
{
	struct format *format = NULL;
	json_t *entry = json_pack("{s:s}", "event", name);

	if (options->verbose && events_format(tracing, name, &format, e) < 0) {
		json_decref(entry);
		return e->code;
	}
	if (format)
		json_object_set_new(entry, "fields", events_fields(format));
	json_array_append_new(json, entry);
	if (!options->json)
		puts(name);
	for (size_t i = 0; format && !options->json && i < format->n_fields; i++)
		if (strncmp(format->fields[i].name, "common_", 7))
			printf("    %-20s %s\n", format->fields[i].name, format->fields[i].type);
	format_free(format);
	return 0;
}

/* For a plain name the sentence has the nearest one that there is. */
static int events_none(struct tracing *tracing, const char *glob, struct err *e)
{
	struct format *unexpected;

	if (strchr(glob, ':') && strchr(glob, ':')[1] && !strpbrk(glob, "*?["))
		return events_format(tracing, glob, &unexpected, e);
	err_set(e, "no event of this host matches '%s'", glob);
	return err_exit(e, EXIT_HOST);
}

static int events_list(struct tracing *tracing, const char *glob, const struct options *options,
		       struct err *e)
{
	autojson json_t *json = json_array();
	char **names;
	int r = 0;
	size_t n;

	if (tracing_glob(tracing, glob, &names, &n, e) < 0)
		return e->code;
	for (size_t i = 0; i < n && r == 0; i++)
		r = events_show(tracing, names[i], options, json, e);
	names_free(names);
	if (r == 0 && options->json) {
		json_dumpf(json, stdout, JSON_INDENT(2));
		putchar('\n');
	}
	return r == 0 && !n ? events_none(tracing, glob, e) : r;
}

static int events_run(const struct options *options, const char **words, int n_words, struct err *e)
{
	struct tracing *tracing;
	int r;

	(void)n_words;
	if (geteuid() != 0) {
		err_set(e, "only root may look at the kernel's events: run it with sudo");
		return err_exit(e, EXIT_HOST);
	}
	if (tracing_open(&tracing, e) < 0)
		return e->code;
	r = events_list(tracing, words[0], options, e);
	tracing_close(tracing);
	return r;
}

const struct command events_command = {
	.name = "events",
	.words = "GLOB",
	.help = "the events of this host; -v with their fields",
	.min_words = 1,
	.max_words = 1,
	.run = events_run,
};
