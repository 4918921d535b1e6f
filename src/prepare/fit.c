#include "prepare/fit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/auto.h"
#include "base/io.h"
#include "base/units.h"
#include "capture/state.h"
#include "reader/mounts.h"
#include "source/ftrace_plan.h"

static uint64_t fit_available(void)
{
	autofclose FILE *f = fopen("/proc/meminfo", "re");
	unsigned long long kb = 0;
	char line[200];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %llu kB", &kb) == 1)
			break;
	return kb * 1024;
}

static uint64_t fit_number(const char *dir, const char *name)
{
	autofree char *path = NULL, *text = NULL;
	struct err absent = ERR_INIT;
	unsigned long long value;

	if (asprintf(&path, "%s/%s", dir, name) < 0 ||
	    io_read_file(AT_FDCWD, path, 64, &text, NULL, &absent) < 0 ||
	    sscanf(text, "%llu", &value) != 1)
		return UINT64_MAX;
	return value;
}

/* What our memory cgroup still allows; ring files on tmpfs are charged to it, the kernel's own
 * rings are not. */
static uint64_t fit_cgroup(void)
{
	static const char *const files[][3] = {
		{ "0::", "memory.max", "memory.current" },
		{ "memory:", "memory.limit_in_bytes", "memory.usage_in_bytes" },
	};
	autofclose FILE *f = fopen("/proc/self/cgroup", "re");
	uint64_t left = UINT64_MAX;
	char line[600], dir[700];

	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		for (size_t i = 0; i < countof(files); i++) {
			char *found = strstr(line, files[i][0]);
			uint64_t max, used;

			if (!found)
				continue;
			snprintf(dir, sizeof(dir), "/sys/fs/cgroup%s%s", i ? "/memory" : "",
				 found + strlen(files[i][0]));
			max = fit_number(dir, files[i][1]);
			used = fit_number(dir, files[i][2]);
			if (max != UINT64_MAX && used != UINT64_MAX)
				left = max > used && max - used < left ? max - used
				       : max > used                    ? left
								       : 0;
		}
	}
	return left;
}

int fit_memory(const struct cost *cost, const struct options *options, uint64_t *limit,
	       struct err *e)
{
	uint64_t total = cost->kernel_bytes + cost->tmpfs_bytes;
	uint64_t cgroup = fit_cgroup();

	*limit = options->memory ? options->memory : fit_available() / 4;
	if (total > *limit)
		err_set(e,
			"the rings take %s, and %s: make them smaller, or allow more with --memory "
			"%s",
			size_about(total).text,
			options->memory
				? "more was not allowed"
				: "no more than a quarter of the available memory may go to them",
			size_text((total + (1 << 20) - 1) >> 20 << 20).text);
	else if (total > fit_available())
		err_set(e, "the rings take %s, and this host has %s of memory left",
			size_about(total).text, size_about(fit_available()).text);
	else if (cost->tmpfs_bytes > state_room())
		err_set(e, "the ring files take %s, and the tmpfs for them has %s free",
			size_about(cost->tmpfs_bytes).text, size_about(state_room()).text);
	else if (cost->tmpfs_bytes > cgroup)
		err_set(e, "the ring files take %s, and this memory cgroup allows %s more",
			size_about(cost->tmpfs_bytes).text, size_about(cgroup).text);
	else
		return 0;
	return err_exit(e, EXIT_HOST);
}

static bool fit_traces(const struct plan *plan, const char *system)
{
	for (size_t i = 0; i < plan->n_sources; i++) {
		const struct ftrace *f = plan->sources[i].data;

		if (plan->sources[i].ops != &ftrace_source)
			continue;
		for (size_t j = 0; j < f->n_events; j++)
			if (!strcmp(f->events[j].system, system))
				return true;
	}
	return false;
}

int fit_output(const struct plan *plan, const struct cost *cost, const struct options *options,
	       const char *outdir, struct err *e)
{
	/* raw data and text beside each other, and then the tarball */
	uint64_t need = cost->output_bytes * 2 + options->min_free, room;
	struct mount mount = { 0 };
	struct statvfs fs;

	if (statvfs(outdir, &fs) < 0 || faccessat(AT_FDCWD, outdir, W_OK | X_OK, AT_EACCESS) < 0) {
		err_sys(e,
			"cannot write to the output directory '%s': name another place with -o DIR",
			outdir);
		return err_exit(e, EXIT_HOST);
	}
	room = (uint64_t)fs.f_bavail * fs.f_frsize;
	mount_of_path(&mount, outdir); /* without it, nothing is known to trace it */
	if (room < need)
		err_set(e,
			"'%s' has %s free, and the bundle may need %s beside the %s that are to "
			"stay free: name another place with -o DIR",
			outdir, size_about(room).text, size_about(need - options->min_free).text,
			size_about(options->min_free).text);
	else if (!options->outdir && *mount.type && fit_traces(plan, mount.type))
		err_set(e,
			"the recipe traces %s, which '%s' is on: name another place with -o DIR, "
			"or this one",
			mount.type, outdir);
	else
		return 0;
	return err_exit(e, EXIT_HOST);
}
