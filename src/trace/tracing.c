#include "trace/tracing.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <tracefs.h>

#include "base/auto.h"
#include "base/io.h"
#include "base/units.h"
#include "trace/formats.h"

struct tracing {
	int fd;                  /* its top directory */
	struct formats *formats; /* of a bundle, instead of that; NULL otherwise */
};

static int tracing_open_mounted(void)
{
	static const char *const places[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };

	for (size_t i = 0; i < countof(places); i++) {
		/* to open the one below debugfs for more than this would mount it there, for all to
		 * see */
		autoclose int place = open(places[i], O_PATH | O_CLOEXEC);
		struct statfs fs;

		if (place >= 0 && !fstatfs(place, &fs) && fs.f_type == TRACEFS_MAGIC)
			return openat(place, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	return -1;
}

/* A mount that is in nobody's tree, not even ours. Kernels from 5.2. */
static int tracing_mount_detached(void)
{
	autoclose int fs = syscall(SYS_fsopen, "tracefs", FSOPEN_CLOEXEC);

	if (fs < 0 || syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -1;
	return syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0);
}

/* The same for older kernels: mounted for a moment on a directory that nobody else can enter. */
static int tracing_mount_briefly(void)
{
	char path[] = "/dev/shm/tracer-mount-XXXXXX";
	int fd = -1;

	if (!mkdtemp(path))
		return -1;
	if (!mount("tracefs", path, "tracefs", MS_NOSUID | MS_NOEXEC, NULL)) {
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		umount2(path, MNT_DETACH);
	}
	rmdir(path);
	return fd;
}

int tracing_open(struct tracing **ret, struct err *e)
{
	autofree struct tracing *tracing = calloc(1, sizeof(*tracing));
	char path[64];

	if (!tracing)
		return err_set(e, "no memory");
	tracing->fd = tracing_open_mounted();
	if (tracing->fd < 0)
		tracing->fd = tracing_mount_detached();
	if (tracing->fd < 0)
		tracing->fd = tracing_mount_briefly();
	if (tracing->fd < 0) {
		err_sys(e, "this kernel's event tracing (tracing) cannot be reached");
		return err_exit(e, EXIT_HOST);
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", tracing->fd);
	if (tracefs_set_tracing_dir(path) < 0) {
		tracing_close(take_ptr(tracing));
		return err_set(e, "libtracefs refuses the tracing directory");
	}
	*ret = take_ptr(tracing);
	return 0;
}

void tracing_close(struct tracing *tracing)
{
	if (!tracing)
		return;
	auto_close(&tracing->fd);
	formats_free(tracing->formats);
	free(tracing);
}

int tracing_of_formats(struct tracing **ret, const char *formats, struct err *e)
{
	autofree struct tracing *tracing = calloc(1, sizeof(*tracing));

	if (!tracing)
		return err_set(e, "no memory");
	tracing->fd = -1;
	if (formats_read(&tracing->formats, formats, e) < 0)
		return e->code;
	*ret = take_ptr(tracing);
	return 0;
}

bool tracing_is_recorded(const struct tracing *tracing)
{
	return tracing->formats;
}

int tracing_fd(const struct tracing *tracing)
{
	return tracing->fd;
}

static int event_name_order(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void names_free(char **names)
{
	for (char **name = names; name && *name; name++)
		free(*name);
	free(names);
}

struct event_list {
	char **names; /* ends in NULL */
	size_t n;
};

static int event_list_add(struct event_list *list, const char *system, const char *event)
{
	char **names = realloc(list->names, (list->n + 2) * sizeof(*names));

	if (!names)
		return -ENOMEM;
	list->names = names;
	names[list->n] = NULL;
	names[list->n + 1] = NULL;
	if (asprintf(&names[list->n], "%s:%s", system, event) < 0) {
		names[list->n] = NULL;
		return -ENOMEM;
	}
	list->n++;
	return 0;
}

/* Only what can be enabled: events/ftrace holds formats of another kind. */
bool tracing_has(const struct tracing *tracing, const char *system, const char *event)
{
	char path[512];

	if (tracing->formats)
		return formats_find(tracing->formats, system, event);
	snprintf(path, sizeof(path), "events/%s/%s/enable", system, event);
	return faccessat(tracing->fd, path, F_OK, 0) == 0;
}

static int event_list_system(struct tracing *tracing, struct event_list *list, const char *system,
			     const char *glob)
{
	char **events = tracefs_system_events(NULL, system);
	int r = 0;

	for (char **event = events; event && *event && !r; event++)
		if (!fnmatch(glob, *event, 0) && tracing_has(tracing, system, *event))
			r = event_list_add(list, system, *event);
	tracefs_list_free(events);
	return r;
}

static int event_list_systems(struct tracing *tracing, struct event_list *list,
			      const char *system_glob, const char *event_glob)
{
	char **systems = tracefs_event_systems(NULL);
	int r = 0;

	for (char **system = systems; system && *system && !r; system++)
		if (!fnmatch(system_glob, *system, 0))
			r = event_list_system(tracing, list, *system, event_glob);
	tracefs_list_free(systems);
	return r;
}

static int event_list_recorded(const struct formats *formats, struct event_list *list,
			       const char *system_glob, const char *event_glob)
{
	int r = 0;

	for (size_t i = 0; i < formats->n && !r; i++)
		if (!fnmatch(system_glob, formats->list[i].system, 0) &&
		    !fnmatch(event_glob, formats->list[i].name, 0))
			r = event_list_add(list, formats->list[i].system, formats->list[i].name);
	return r;
}

int tracing_glob(struct tracing *tracing, const char *glob, char ***ret, size_t *n, struct err *e)
{
	const char *colon = strchr(glob, ':');
	autofree char *system_glob = colon ? strndup(glob, colon - glob) : strdup("*");
	const char *event_glob = colon ? colon + 1 : glob;
	struct event_list list = { .names = calloc(1, sizeof(char *)) };
	int r = system_glob && list.names ? 0 : -ENOMEM;

	if (!r)
		r = tracing->formats
			    ? event_list_recorded(tracing->formats, &list, system_glob, event_glob)
			    : event_list_systems(tracing, &list, system_glob, event_glob);
	if (r) {
		names_free(list.names);
		return err_set(e, "no memory for the list of events");
	}
	qsort(list.names, list.n, sizeof(*list.names), event_name_order);
	*ret = list.names;
	*n = list.n;
	return 0;
}

static int event_unknown(struct tracing *tracing, const char *system, const char *event,
			 struct err *e)
{
	char name[256];
	char **all;
	const char *near;
	size_t n;

	snprintf(name, sizeof(name), "%s:%s", system, event);
	if (tracing_glob(tracing, "*:*", &all, &n, e) < 0)
		return e->code;
	near = nearest_name(name, (const char *const *)all, n);
	if (near)
		err_set(e, "unknown event '%s', did you mean '%s'?", name, near);
	else if (tracing->formats)
		err_set(e, "the host of the bundle has no event '%s'", name);
	else
		err_set(e, "unknown event '%s'; `tracer events '*'` lists those of this host",
			name);
	names_free(all);
	return err_exit(e, EXIT_HOST);
}

int tracing_format(struct tracing *tracing, const char *system, const char *event,
		   struct format **ret, struct err *e)
{
	autofree char *text = NULL;

	if (!tracing_has(tracing, system, event))
		return event_unknown(tracing, system, event, e);
	if (tracing->formats)
		return format_parse(ret, system,
				    formats_find(tracing->formats, system, event)->text, e);
	text = tracefs_event_file_read(NULL, system, event, "format", NULL);
	if (!text)
		return err_sys(e, "cannot read the format of event '%s:%s'", system, event);
	return format_parse(ret, system, text, e);
}
