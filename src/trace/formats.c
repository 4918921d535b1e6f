#include "trace/formats.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/io.h"

#define FORMAT_MAX (1u << 20) /* of one event's text, bytes */
#define SYSTEM_LINE "system: "

static void formats_write_one(FILE *out, int systemdir, const char *system, const char *event)
{
	struct err gone = ERR_INIT;
	autofree char *text = NULL;
	char path[300];

	snprintf(path, sizeof(path), "%s/format", event);
	if (io_read_file(systemdir, path, FORMAT_MAX, &text, NULL, &gone) == 0)
		fprintf(out, SYSTEM_LINE "%s\n%s\n", system, text);
}

/* The names in a directory; the caller frees the list and each. Hidden ones are left out. */
static int formats_names(int dirfd, const char *path, struct dirent ***names)
{
	return scandirat(dirfd, path, names, NULL, alphasort);
}

static void formats_write_system(FILE *out, int eventsdir, const char *system)
{
	autoclose int dir = openat(eventsdir, system, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent **names = NULL;
	int n = dir < 0 ? 0 : formats_names(dir, ".", &names);

	for (int i = 0; i < n; i++) {
		if (*names[i]->d_name != '.')
			formats_write_one(out, dir, system, names[i]->d_name);
		free(names[i]);
	}
	free(names);
}

int formats_write(int eventsdir, int dirfd, const char *path, struct err *e)
{
	autofclose FILE *out = NULL;
	struct dirent **names = NULL;
	int fd = io_create(dirfd, path, e), n;

	if (fd < 0)
		return fd;
	out = fdopen(fd, "w");
	n = out ? formats_names(eventsdir, ".", &names) : -1;
	if (n < 0)
		return err_sys(e, "cannot write the formats of events");
	for (int i = 0; i < n; i++) {
		/* events/ftrace has formats of another kind */
		if (*names[i]->d_name != '.' && strcmp(names[i]->d_name, "ftrace"))
			formats_write_system(out, eventsdir, names[i]->d_name);
		free(names[i]);
	}
	free(names);
	return fflush(out) == 0 ? 0 : err_sys(e, "cannot write the formats of events");
}

static int formats_add(struct formats *f, char *system, struct err *e)
{
	char *text = strchr(system, '\n');
	char *name = text ? strstr(text, "name: ") : NULL, *end;
	struct formats_entry *grown;

	if (!name || name != text + 1)
		return err_set(e, "the formats of events are not well-formed");
	end = strchr(name, '\n');
	grown = realloc(f->list, (f->n + 1) * sizeof(*grown));
	if (!grown)
		return err_set(e, "no memory");
	f->list = grown;
	*text = '\0';
	name = strndup(name + strlen("name: "), end ? (size_t)(end - name) - strlen("name: ") : 0);
	if (!name)
		return err_set(e, "no memory");
	f->list[f->n++] = (struct formats_entry) { system, name, text + 1 };
	return 0;
}

/* Each entry ends before the next one's first line. */
static int formats_split(struct formats *f, struct err *e)
{
	char *at = f->text;

	while (*at) {
		char *next = strstr(at, "\n" SYSTEM_LINE);

		if (strncmp(at, SYSTEM_LINE, strlen(SYSTEM_LINE)))
			return err_set(e, "the formats of events are not well-formed");
		if (next)
			*next = '\0';
		if (formats_add(f, at + strlen(SYSTEM_LINE), e) < 0)
			return e->code;
		if (!next)
			break;
		at = next + 1;
	}
	return 0;
}

int formats_read(struct formats **ret, const char *text, struct err *e)
{
	struct formats *f = calloc(1, sizeof(*f));

	if (!f || !(f->text = strdup(text))) {
		free(f);
		return err_set(e, "no memory");
	}
	if (formats_split(f, e) < 0) {
		formats_free(f);
		return e->code;
	}
	*ret = f;
	return 0;
}

void formats_free(struct formats *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->n; i++)
		free((char *)f->list[i].name);
	free(f->list);
	free(f->text);
	free(f);
}

const struct formats_entry *formats_find(const struct formats *f, const char *system,
					 const char *name)
{
	for (size_t i = 0; i < f->n; i++)
		if (!strcmp(f->list[i].system, system) && !strcmp(f->list[i].name, name))
			return &f->list[i];
	return NULL;
}
