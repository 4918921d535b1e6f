#include "plan/probe.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tracefs.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/units.h"
#include "capture/ledger.h"
#include "plan/function.h"

#define LINE_LONGEST 4000 /* the kernel takes less than a page */

/* WHAT is what stands behind the prefix: "FUNC" or "PATH:SYMBOL". */
struct probe_kind {
	const char *prefix; /* in the recipe */
	const char *name;   /* in sentences */
	const char *file;   /* where the kernel takes them */

	/* Finds the function on this host. */
	int (*look)(struct probe *probe, const char *what, struct err *e);

	/* Writes where it is, as the kernel is told. */
	void (*place)(const struct probe *probe, const char *what, FILE *out);
};

static int kprobe_look(struct probe *probe, const char *what, struct err *e)
{
	(void)probe;
	return function_in_kernel(what, e);
}

static void kprobe_place(const struct probe *probe, const char *what, FILE *out)
{
	(void)probe;
	fputs(what, out);
}

static int uprobe_look(struct probe *probe, const char *what, struct err *e)
{
	const char *colon = strrchr(what, ':');
	autofree char *path = strndup(what, colon - what);

	return path ? function_in_file(path, colon + 1, &probe->offset, e)
		    : err_set(e, "no memory");
}

static void uprobe_place(const struct probe *probe, const char *what, FILE *out)
{
	fprintf(out, "%.*s:%#llx", (int)(strrchr(what, ':') - what), what,
		(unsigned long long)probe->offset);
}

static const struct probe_kind probe_kinds[] = {
	{ "kprobe:", "kprobes", "kprobe_events", kprobe_look, kprobe_place },
	{ "uprobe:", "uprobes", "uprobe_events", uprobe_look, uprobe_place },
};

static const struct probe_kind *probe_kind(const char *event)
{
	for (size_t i = 0; event && i < countof(probe_kinds); i++)
		if (!strncmp(event, probe_kinds[i].prefix, strlen(probe_kinds[i].prefix)))
			return &probe_kinds[i];
	return NULL;
}

static const char *probe_what(const struct probe *probe)
{
	return probe->event + strlen(probe_kind(probe->event)->prefix);
}

bool probe_is(const char *event)
{
	return probe_kind(event) != NULL;
}

/* In the plan: */

static bool probes_has_name(const struct probes *probes, const char *name)
{
	/* files of the group's directory, beside those of its events */
	if (!strcmp(name, "enable") || !strcmp(name, "filter"))
		return true;
	for (size_t i = 0; i < probes->n; i++)
		if (!strcmp(probes->list[i].name, name))
			return true;
	return false;
}

/* The function's name, as far as the kernel allows it, with a number where another has it already.
 */
static void probes_name(const struct probes *probes, struct probe *probe)
{
	const char *what = probe_what(probe);
	const char *colon = strrchr(what, ':');
	char base[48];

	snprintf(base, sizeof(base), "%s", colon ? colon + 1 : what);
	for (char *c = base; *c; c++)
		if (!isalnum((unsigned char)*c))
			*c = '_';
	if (isdigit((unsigned char)*base))
		*base = '_';
	snprintf(probe->name, sizeof(probe->name), "%s", base);
	for (unsigned i = 2; probes_has_name(probes, probe->name); i++)
		snprintf(probe->name, sizeof(probe->name), "%s_%u", base, i);
}

/* Nothing that would begin another word, another command or a comment in what the kernel is told.
 */
static bool text_is_word(const char *text)
{
	for (const char *c = text; *c; c++)
		if (isspace((unsigned char)*c) || iscntrl((unsigned char)*c) || *c == '#')
			return false;
	return *text != '\0';
}

static int probe_check(const struct probe *probe, struct err *e)
{
	const char *what = probe_what(probe);
	size_t i;
	json_t *argument;

	if (!text_is_word(what))
		return err_set(
			e, "'%s': the kernel takes no probe with white space or '#' in its name",
			probe->event);
	if (!strncmp(probe->event, "uprobe:", 7) && (*what != '/' || !strchr(what, ':')))
		return err_set(e, "'%s' is no event: it is written uprobe:/PATH:SYMBOL",
			       probe->event);
	json_array_foreach (probe->fetch, i, argument)
		if (!json_is_string(argument) || !text_is_word(json_string_value(argument)))
			return err_set(e, "'%s': fetch has an argument that is not NAME=WHERE:TYPE",
				       probe->event);
	return 0;
}

static bool fetch_is_same(const json_t *a, const json_t *b)
{
	if (!json_array_size(a) || !json_array_size(b))
		return json_array_size(a) == json_array_size(b);
	return json_equal(a, b);
}

struct probe *probes_find(const struct probes *probes, const json_t *entry)
{
	const char *event = json_string_value(json_object_get(entry, "event"));
	const json_t *fetch = json_object_get(entry, "fetch");

	for (size_t i = 0; event && i < probes->n; i++)
		if (!strcmp(probes->list[i].event, event) &&
		    fetch_is_same(probes->list[i].fetch, fetch))
			return &probes->list[i];
	return NULL;
}

static int probes_add(struct probes *probes, const json_t *entry, struct err *e)
{
	const char *event = json_string_value(json_object_get(entry, "event"));
	const char *at = json_string_value(json_object_get(entry, "at"));
	bool optional = json_is_true(json_object_get(entry, "optional"));
	struct probe *probe = probes_find(probes, entry);
	struct probe *grown;

	if (!probe_is(event))
		return 0;
	if (probe) {
		probe->optional &= optional;
		return 0;
	}
	grown = realloc(probes->list, (probes->n + 1) * sizeof(*grown));
	if (!grown)
		return err_set(e, "no memory");
	probes->list = grown;
	probe = &grown[probes->n];
	*probe = (struct probe) { .event = event,
				  .fetch = json_object_get(entry, "fetch"),
				  .at = at,
				  .optional = optional };
	if (probe_check(probe, e) < 0)
		return err_wrap(e, "%s", at ? at : "the plan");
	probes_name(probes, probe);
	probes->n++;
	return 0;
}

static int probes_add_all(struct probes *probes, const json_t *entries, struct err *e)
{
	size_t i;
	json_t *entry;

	json_array_foreach (entries, i, entry)
		if (probes_add(probes, entry, e) < 0)
			return e->code;
	return 0;
}

/* What a stop condition looks for, which may be another one. */
static int probes_add_stop(struct probes *probes, const json_t *entry, struct err *e)
{
	static const char *const inner[] = { "of", "on", "need" };

	if (probes_add(probes, entry, e) < 0)
		return e->code;
	for (size_t i = 0; i < countof(inner); i++) {
		const json_t *part = json_object_get(entry, inner[i]);

		if (json_is_object(part) && probes_add_stop(probes, part, e) < 0)
			return e->code;
		for (size_t j = 0; j < json_array_size(part); j++)
			if (probes_add_stop(probes, json_array_get(part, j), e) < 0)
				return e->code;
	}
	return 0;
}

int probes_collect(struct probes *probes, const json_t *plan, struct err *e)
{
	size_t i;
	json_t *spec;

	json_array_foreach (json_object_get(plan, "collect"), i, spec)
		if (probes_add_all(probes, json_object_get(spec, "events"), e) < 0)
			return e->code;
	json_array_foreach (json_object_get(plan, "stop"), i, spec)
		if (probes_add_stop(probes, spec, e) < 0)
			return e->code;
	return 0;
}

void probes_free(struct probes *probes)
{
	free(probes->list);
	*probes = (struct probes) { 0 };
}

/* On this host: */

static int probe_look(struct probe *probe, struct tracing *tracing, struct err *e)
{
	const struct probe_kind *kind = probe_kind(probe->event);

	if (probe->state == PROBE_FOUND || tracing_is_recorded(tracing))
		return 0; /* a bundle does not tell */
	if (probe->state == PROBE_ABSENT)
		err_set(e, "the probe '%s' was not made", probe->event);
	else if (faccessat(tracing_fd(tracing), kind->file, F_OK, 0) < 0)
		err_set(e, "this kernel has no %s, so it cannot trace '%s'", kind->name,
			probe->event);
	else if (kind->look(probe, probe_what(probe), e) == 0)
		probe->state = PROBE_FOUND;
	return probe->state == PROBE_FOUND ? 0 : err_exit(e, EXIT_HOST);
}

int probe_format(struct probe *probe, struct tracing *tracing, struct format **ret, struct err *e)
{
	*ret = NULL;
	if (probe->state == PROBE_MADE)
		return tracing_format(tracing, probe->group, probe->name, ret, e);
	return probe_look(probe, tracing, e);
}

/* In the kernel: */

static void probe_set_group(struct probe *probe, const char *id)
{
	snprintf(probe->group, sizeof(probe->group), "tracer_%s", id);
}

/* "p:GROUP/NAME PLACE ARGUMENT..." */
static char *probe_line(const struct probe *probe)
{
	char *line = NULL;
	size_t i, size;
	json_t *argument;
	FILE *out = open_memstream(&line, &size);

	if (!out)
		return NULL;
	fprintf(out, "p:%s/%s ", probe->group, probe->name);
	probe_kind(probe->event)->place(probe, probe_what(probe), out);
	json_array_foreach (probe->fetch, i, argument)
		fprintf(out, " %s", json_string_value(argument));
	fputc('\n', out);
	fclose(out);
	return line;
}

/* "[  441.2] trace_uprobe: error: Unknown fetch type\n  Command: p:GROUP/NAME ...": the kernel's
 * words for the last command that it did not like, if that is ours. */
static void probe_kernel_words(const struct probe *probe, char *words, size_t size)
{
	autofree char *log = tracefs_error_last(NULL);
	const char *start = log ? strstr(log, "error: ") : NULL;

	words[0] = '\0';
	if (!start || !strstr(start, probe->group))
		return;
	start += strlen("error: ");
	snprintf(words, size, " (the kernel says: %.*s)", (int)strcspn(start, "\n"), start);
}

static int probe_write(const struct probe *probe, struct tracing *tracing, struct err *e)
{
	const struct probe_kind *kind = probe_kind(probe->event);
	autofree char *line = probe_line(probe);
	/* O_TRUNC would take everybody's probes away */
	autoclose int fd = openat(tracing_fd(tracing), kind->file, O_WRONLY | O_APPEND | O_CLOEXEC);
	char words[256];

	if (!line || strlen(line) > LINE_LONGEST)
		return err_set(e, "the probe '%s' is longer than the kernel takes", probe->event);
	if (fd >= 0 && write(fd, line, strlen(line)) >= 0)
		return 0;
	err_sys(e, "cannot make the probe '%s'", probe->event);
	probe_kernel_words(probe, words, sizeof(words));
	strncat(e->text, words, sizeof(e->text) - strlen(e->text) - 1);
	if (probe->at)
		err_wrap(e, "%s", probe->at);
	return err_exit(e, EXIT_HOST);
}

static int probe_make(struct probe *probe, const char *id, struct ledger *ledger,
		      struct tracing *tracing, struct err *e)
{
	probe_set_group(probe, id);
	if (ledger_probe(ledger, probe->group, probe->name, e) < 0 ||
	    probe_write(probe, tracing, e) < 0)
		return e->code;
	probe->state = PROBE_MADE;
	return 0;
}

int probes_make(struct probes *probes, const char *id, struct ledger *ledger,
		struct tracing *tracing, struct err *e)
{
	for (struct probe *probe = probes->list; probe < probes->list + probes->n; probe++) {
		struct err one = ERR_INIT;

		if (probe->state == PROBE_FOUND &&
		    probe_make(probe, id, ledger, tracing, &one) < 0 && !probe->optional) {
			*e = one;
			return e->code;
		}
		if (one.code)
			log_line("%s", one.text);
		if (probe->state != PROBE_MADE)
			probe->state = PROBE_ABSENT;
	}
	return 0;
}

void probes_adopt(struct probes *probes, const char *id, struct tracing *tracing)
{
	for (struct probe *probe = probes->list; probe < probes->list + probes->n; probe++) {
		probe_set_group(probe, id);
		probe->state =
			tracing_has(tracing, probe->group, probe->name) ? PROBE_MADE : PROBE_ABSENT;
	}
}
