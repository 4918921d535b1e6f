#include "prepare/freezesafe.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "log/freezes.h"
#include "reader/mounts.h"
#include "selector/reading.h"

static int freezesafe_refuse(const char *at, struct err *e)
{
	err_wrap(e, "%s: with fsfreeze_safe", at);
	return err_exit(e, EXIT_HOST);
}

/* In a process's directory these lead to wherever it is, runs or reads; a pattern there might be
 * one of them. */
static bool path_leads_out(const char *path)
{
	static const char *const out[] = { "cwd", "root", "exe", "fd", "map_files" };
	const char *name;

	if (strncmp(path, "/proc/", 6) || !strchr("0123456789st*?[{", path[6]) ||
	    !strncmp(path, "/proc/sys", 9))
		return false;
	for (name = strchr(path + 6, '/'); name; name = strchr(name, '/')) {
		size_t n = strcspn(++name, "/");

		for (size_t i = 0; i < countof(out); i++)
			if (strlen(out[i]) == n && !strncmp(name, out[i], n))
				return true;
		if (name[n] && strcspn(name, "*?[") < n && strncmp(name - 5, "task/", 5))
			return true;
	}
	return false;
}

/* The last directory of the path that is there and that no pattern or field is a part of. */
static int path_open_fixed(const char *path)
{
	char fixed[PATH_MAX];
	size_t n = strcspn(path, "*?[{");
	int fd = -1;

	if (n >= sizeof(fixed))
		return -1;
	snprintf(fixed, sizeof(fixed), "%.*s", (int)n, path);
	if (path[n])
		*(strrchr(fixed, '/') + 1) = '\0';
	while ((fd = open(fixed, O_PATH | O_CLOEXEC)) < 0 && strrchr(fixed, '/') > fixed)
		*strrchr(fixed, '/') = '\0';
	return fd;
}

static int freezesafe_path(const char *path, const char *at, struct err *e)
{
	autoclose int fd = path_open_fixed(path);

	if (fd >= 0 && mount_is_in_memory(fd) && !path_leads_out(path))
		return 0;
	err_set(e, "'%s' cannot be read: it is not, or may lead out, of proc, sysfs or a tmpfs",
		path);
	return freezesafe_refuse(at, e);
}

static int freezesafe_files(const struct source *s, struct err *e)
{
	size_t i;
	json_t *entry;

	json_array_foreach (json_object_get(s->spec, "paths"), i, entry)
		if (freezesafe_path(json_string_value(json_object_get(entry, "path")), s->at, e) <
		    0)
			return e->code;
	return 0;
}

static int freezesafe_source(const struct source *s, struct err *e)
{
	const char *log = json_string_value(json_object_get(s->spec, "log"));

	if (s->ops == &files_source)
		return freezesafe_files(s, e);
	if (s->ops == &exec_source)
		err_set(e, "no command can be run: that forks, and reads a program from a disk");
	else if (s->ops == &textlog_source && !freezes_is(log))
		err_set(e, "the log '%s' cannot be followed: it lies on a disk", log);
	else
		return 0;
	return freezesafe_refuse(s->at, e);
}

static int freezesafe_selector(const struct selector *s, struct err *e)
{
	const struct reading_selector *reading = s->data;

	if (s->ops == &file_selector || s->ops == &appears_selector)
		return freezesafe_path(reading->path, s->at, e);
	if (s->ops != &textline_selector)
		return 0;
	err_set(e, "the log '%s' cannot be followed: it lies on a disk", reading->path);
	return freezesafe_refuse(s->at, e);
}

/* It is removed at the end, for which nobody is to wait. */
static int freezesafe_pid_file(const char *file, struct err *e)
{
	const char *slash = strrchr(file, '/');
	autofree char *dir = slash ? strndup(file, slash - file + 1) : strdup(".");
	autoclose int fd = dir ? open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;

	if (fd < 0)
		err_sys(e, "--pid-file '%s'", file);
	else if (!mount_is_in_memory(fd))
		err_set(e,
			"--pid-file '%s' lies on a disk: with fsfreeze_safe name one on a tmpfs, "
			"like /dev/shm",
			file);
	return e->code ? err_exit(e, EXIT_USAGE) : 0;
}

/* Between two captures the recipe is read again, and processes are forked. */
static int freezesafe_repeats(const struct plan *plan, struct err *e)
{
	if (plan->max_bundles < 2)
		return 0;
	err_set(e, "fsfreeze_safe does not go with max_bundles: another capture would begin while "
		   "something is frozen");
	return err_exit(e, EXIT_USAGE);
}

int freezesafe_check(const struct plan *plan, const struct options *options, struct err *e)
{
	if (plan->fsfreeze_safe && freezesafe_repeats(plan, e) < 0)
		return e->code;
	if (plan->fsfreeze_safe && options->pid_file &&
	    freezesafe_pid_file(options->pid_file, e) < 0)
		return e->code;
	for (size_t i = 0; plan->fsfreeze_safe && i < plan->n_sources; i++)
		if (freezesafe_source(&plan->sources[i], e) < 0)
			return e->code;
	for (size_t i = 0; plan->fsfreeze_safe && i < plan->n_selectors; i++)
		if (freezesafe_selector(plan->selectors[i], e) < 0)
			return e->code;
	return 0;
}
