#include "trace/instance.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <tracefs.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/io.h"

int instance_create(struct tracing *tracing, const char *name, struct err *e)
{
	char path[300];

	snprintf(path, sizeof(path), "instances/%s", name);
	if (mkdirat(tracing_fd(tracing), path, 0700) < 0)
		return err_sys(e, "cannot make the kernel trace instance '%s'", name);
	/* Before 6.7, the first ring of all that is given a size keeps the top one, which is
	 * everybody's, as small as it was at boot. It grows when something is enabled before:
	 * nothing is enough. */
	return instance_append(tracing, name, "set_event", "\n", e);
}

int instance_remove(struct tracing *tracing, const char *name, struct err *e)
{
	char path[300];

	snprintf(path, sizeof(path), "instances/%s", name);
	for (int tries = 0; unlinkat(tracing_fd(tracing), path, AT_REMOVEDIR) < 0; tries++) {
		if (errno == ENOENT)
			return 0;
		/* a reader that was just ended may not have let go yet */
		if (errno != EBUSY || tries == 20)
			return err_sys(e, "cannot remove the kernel trace instance '%s'", name);
		usleep(50 * 1000);
	}
	return 0;
}

/* "[  441.2] event filter parse error: error: Field not found\n  Command: ..." holds the words that
 * count. */
static void instance_kernel_words(const char *name, char *words, size_t size)
{
	struct tracefs_instance *instance = tracefs_instance_alloc(NULL, name);
	autofree char *log = instance ? tracefs_error_last(instance) : NULL;
	const char *start = log ? strstr(log, "error: ") : NULL;

	tracefs_instance_free(instance);
	words[0] = '\0';
	if (!start)
		return;
	for (const char *next = start; next; next = strstr(next + 1, "error: "))
		start = next;
	start += strlen("error: ");
	snprintf(words, size, " (the kernel says: %.*s)", (int)strcspn(start, "\n"), start);
}

static int instance_put(struct tracing *tracing, const char *name, const char *file,
			const char *value, int flags, struct err *e)
{
	autoclose int fd = instance_open(tracing, name, file, O_WRONLY | flags, e);
	char words[256];

	if (fd < 0)
		return fd;
	if (write(fd, value, strlen(value)) >= 0)
		return 0;
	err_sys(e, "cannot write '%s' to %s", value, file);
	instance_kernel_words(name, words, sizeof(words));
	strncat(e->text, words, sizeof(e->text) - strlen(e->text) - 1);
	return e->code;
}

int instance_write(struct tracing *tracing, const char *name, const char *file, const char *value,
		   struct err *e)
{
	return instance_put(tracing, name, file, value, O_TRUNC, e);
}

int instance_append(struct tracing *tracing, const char *name, const char *file, const char *value,
		    struct err *e)
{
	return instance_put(tracing, name, file, value, O_APPEND, e);
}

int instance_open(struct tracing *tracing, const char *name, const char *file, int flags,
		  struct err *e)
{
	char path[600];
	int fd;

	snprintf(path, sizeof(path), "instances/%s/%s", name, file);
	fd = openat(tracing_fd(tracing), path, flags | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "cannot open '%s' of the kernel trace instance '%s'", file, name);
	return fd;
}

int instance_layout(struct tracing *tracing, const char *name, struct ringpage_layout *layout,
		    struct err *e)
{
	autoclose int fd = instance_open(tracing, name, "events/header_page", O_RDONLY, e);
	autofree char *text = NULL;

	if (fd < 0)
		return fd;
	if (io_read(fd, 65536, &text, NULL, e) < 0)
		return err_wrap(e, "events/header_page");
	return ringpage_layout_parse(layout, text, e);
}

int instance_cpus(struct tracing *tracing, const char *name, unsigned *cpus, struct err *e)
{
	autoclose int fd = instance_open(tracing, name, "per_cpu", O_RDONLY | O_DIRECTORY, e);
	autoclosedir DIR *dir = NULL;
	struct dirent *entry;
	unsigned cpu;

	if (fd < 0)
		return fd;
	dir = fdopendir(dup(fd));
	*cpus = 0;
	while (dir && (entry = readdir(dir)))
		if (sscanf(entry->d_name, "cpu%u", &cpu) == 1 && cpu + 1 > *cpus)
			*cpus = cpu + 1;
	return *cpus ? 0 : err_set(e, "the kernel trace instance '%s' has no CPUs", name);
}

int instance_open_cpu(struct tracing *tracing, const char *name, unsigned cpu, const char *file,
		      struct err *e)
{
	char path[64];

	snprintf(path, sizeof(path), "per_cpu/cpu%u/%s", cpu, file);
	return instance_open(tracing, name, path, O_RDONLY | O_NONBLOCK, e);
}

uint64_t instance_stat(const char *stats, const char *label)
{
	const char *at = stats ? strstr(stats, label) : NULL;

	return at ? strtoull(at + strlen(label), NULL, 10) : 0;
}
