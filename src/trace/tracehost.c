#include "trace/tracehost.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/auto.h"
#include "base/io.h"
#include "trace/instance.h"

#define TEXT_MAX (64u << 20) /* of one file of the kernel's */

/* The text of a file below the tracing directory, owned by the host; NULL where there is none. */
static const char *host_text(struct tracehost *host, struct tracing *tracing, const char *path)
{
	struct err ignored = ERR_INIT;
	char *text = NULL;

	if (io_read_file(tracing_fd(tracing), path, TEXT_MAX, &text, NULL, &ignored) < 0)
		return NULL;
	host->texts[host->n_texts++] = text;
	return text;
}

static int host_about(struct tracehost *host, struct tracing *tracing, const char *instance,
		      struct err *e)
{
	struct tracedat_about *about = &host->about;
	struct utsname uts;
	char path[400];

	if (instance_layout(tracing, instance, &about->layout, e) < 0)
		return e->code;
	uname(&uts);
	snprintf(host->uname, sizeof(host->uname), "%s %s %s %s", uts.sysname, uts.nodename,
		 uts.release, uts.machine);
	about->uname = host->uname;
	about->saved_cmdlines = host_text(host, tracing, "saved_cmdlines");
	about->printk_formats = host_text(host, tracing, "printk_formats");
	snprintf(path, sizeof(path), "instances/%s/events/header_page", instance);
	about->header_page = host_text(host, tracing, path);
	snprintf(path, sizeof(path), "instances/%s/events/header_event", instance);
	about->header_event = host_text(host, tracing, path);
	if (!about->header_event)
		about->header_event = host_text(host, tracing, "events/header_event");
	snprintf(path, sizeof(path), "instances/%s/trace_clock", instance);
	about->trace_clock = host_text(host, tracing, path);
	return 0;
}

static int host_ftrace_formats(struct tracehost *host, struct tracing *tracing, struct err *e)
{
	int fd = openat(tracing_fd(tracing), "events/ftrace", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	autoclosedir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char path[400], **grown;
		struct err absent = ERR_INIT;
		char *text;

		snprintf(path, sizeof(path), "%s/format", entry->d_name);
		if (*entry->d_name == '.' ||
		    io_read_file(dirfd(dir), path, TEXT_MAX, &text, NULL, &absent) < 0)
			continue;
		grown = realloc(host->ftrace_formats,
				(host->n_ftrace_formats + 1) * sizeof(*grown));
		if (!grown) {
			free(text);
			return err_set(e, "no memory");
		}
		host->ftrace_formats = grown;
		grown[host->n_ftrace_formats++] = text;
	}
	host->about.ftrace_formats = (const char *const *)host->ftrace_formats;
	host->about.n_ftrace_formats = host->n_ftrace_formats;
	return 0;
}

/* The formats of the events, grouped by system. */
static int host_formats(struct tracehost *host, struct tracing *tracing,
			const struct tracehost_event *events, size_t n, struct err *e)
{
	struct tracedat_system *system = NULL;

	host->formats = calloc(n + 1, sizeof(*host->formats));
	host->systems = calloc(n + 1, sizeof(*host->systems));
	if (!host->formats || !host->systems)
		return err_set(e, "no memory");
	for (size_t i = 0; i < n; i++) {
		char path[400];

		snprintf(path, sizeof(path), "events/%s/%s/format", events[i].system,
			 events[i].name);
		if (io_read_file(tracing_fd(tracing), path, TEXT_MAX,
				 &host->formats[host->n_formats], NULL, e) < 0)
			return err_wrap(e, "format");
		if (!system || strcmp(system->name, events[i].system)) {
			system = &host->systems[host->about.n_systems++];
			*system = (struct tracedat_system) {
				.name = events[i].system,
				.formats = (const char *const *)&host->formats[host->n_formats]
			};
		}
		system->n_formats++;
		host->n_formats++;
	}
	host->about.systems = host->systems;
	return 0;
}

void tracehost_read_symbols(struct tracehost *host)
{
	autoclose int fd = open("/proc/kallsyms", O_RDONLY | O_CLOEXEC);
	struct err ignored = ERR_INIT;

	if (fd >= 0 && symbols_read(&host->symbols, fd, &ignored) < 0)
		host->symbols = NULL;
}

static int event_order(const void *a, const void *b)
{
	const struct tracehost_event *x = a, *y = b;
	int r = strcmp(x->system, y->system);

	return r ? r : strcmp(x->name, y->name);
}

/* Returns how many are left. */
static size_t host_sort_events(struct tracehost_event *events, size_t n)
{
	size_t kept = 0;

	qsort(events, n, sizeof(*events), event_order);
	for (size_t i = 0; i < n; i++)
		if (!kept || event_order(&events[kept - 1], &events[i]))
			events[kept++] = events[i];
	return kept;
}

int tracehost_read(struct tracehost *host, struct tracing *tracing, const char *instance,
		   struct tracehost_event *events, size_t n, struct err *e)
{
	if (host_about(host, tracing, instance, e) < 0 || host_ftrace_formats(host, tracing, e) < 0)
		return e->code;
	return host_formats(host, tracing, events, host_sort_events(events, n), e);
}

void tracehost_clear(struct tracehost *host)
{
	for (size_t i = 0; i < host->n_texts; i++)
		free(host->texts[i]);
	for (size_t i = 0; i < host->n_formats; i++)
		free(host->formats[i]);
	for (size_t i = 0; i < host->n_ftrace_formats; i++)
		free(host->ftrace_formats[i]);
	free(host->formats);
	free(host->ftrace_formats);
	free(host->systems);
	symbols_free(host->symbols);
}
