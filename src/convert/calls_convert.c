/* syscalls/NAME.dat to syscalls/NAME.txt: each call with its arguments, its result and how long it
 * took. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/units.h"
#include "bundle/manifest.h"
#include "convert/calls.h"
#include "convert/convert.h"
#include "process/sandbox.h"

#define PAGES_MAX (96u << 20) /* bytes of records before the stop that become text */
#define FORMATS_MAX (64u << 20)

struct writing {
	FILE *out;
	struct anchor *anchors;
	size_t n_anchors;
	struct formats *formats;
	uint64_t stop; /* boot clock */
};

static void auto_writing(struct writing *w)
{
	if (w->out)
		fclose(w->out);
	free(w->anchors);
	formats_free(w->formats);
}

static int writing_line(void *arg, uint64_t time, const char *text)
{
	struct writing *w = arg;

	return fprintf(w->out, "%s %llu.%09llu %s\n",
		       clock_utc(anchors_wall(w->anchors, w->n_anchors, time)).text,
		       (unsigned long long)(time / NS_PER_S), (unsigned long long)(time % NS_PER_S),
		       text) < 0
		       ? -1
		       : 0;
}

static int writing_records(struct writing *w, const struct tracedat *dat, struct err *e)
{
	struct tracedat_record record = { .time = 0 };
	struct tracedat_walk *walk = NULL;
	struct calls *calls;
	int r;

	if (calls_open(&calls, dat, w->formats, writing_line, w, e) < 0)
		return e->code;
	r = tracedat_walk_open(&walk, dat, e);
	if (r == 0 && tracedat_walk_seek_bytes(walk, PAGES_MAX, UINT64_MAX) > 0)
		fputs("# older calls are in the .dat file only\n", w->out);
	while (r == 0 && tracedat_walk_next(walk, &record) > 0)
		r = calls_take(calls, &record);
	if (r == 0)
		r = calls_finish(calls, record.time > w->stop ? record.time : w->stop);
	tracedat_walk_close(walk);
	calls_close(calls);
	return r < 0 && !e->code ? err_set(e, "cannot write the system calls") : r;
}

static int writing_open(struct writing *w, int bundledir, const char *path, struct err *e)
{
	autofree char *name = NULL, *text = NULL;
	autojson json_t *manifest = NULL;
	struct err none = ERR_INIT;
	int fd;

	if (manifest_read(&manifest, bundledir, e) < 0 ||
	    manifest_anchors(manifest, &w->anchors, &w->n_anchors, e) < 0)
		return e->code;
	w->stop = manifest_int(json_object_get(json_object_get(manifest, "stop"), "event"), "boot");
	if (io_read_file(bundledir, "host/formats.txt", FORMATS_MAX, &text, NULL, &none) == 0)
		formats_read(&w->formats, text, &none);
	if (asprintf(&name, "%.*s.txt", (int)(strlen(path) - strlen(".dat")), path) < 0)
		return err_set(e, "no memory");
	unlinkat(bundledir, name, 0);
	fd = io_create(bundledir, name, e);
	if (fd < 0)
		return fd;
	w->out = fdopen(fd, "w");
	return w->out ? 0 : err_sys(e, "cannot write '%s'", name);
}

static int syscalls_run(int bundledir, const char *path, struct err *e)
{
	__attribute__((cleanup(auto_writing))) struct writing w = { 0 };
	autoclose int in = openat(bundledir, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct tracedat *dat;
	int r;

	if (in < 0)
		return err_sys(e, "cannot open '%s'", path);
	if (writing_open(&w, bundledir, path, e) < 0 || sandbox_enter(SANDBOX_COMPUTE, e) < 0 ||
	    tracedat_open(&dat, in, e) < 0)
		return e->code;
	fputs("# time (UTC), boot clock, task, call(arguments) = result <seconds>\n", w.out);
	r = writing_records(&w, dat, e);
	tracedat_close(dat);
	if (r == 0 && fflush(w.out))
		r = err_sys(e, "cannot write the system calls");
	return r;
}

const struct converter syscalls_converter = {
	.what = "system calls",
	.dir = "syscalls/",
	.suffix = ".dat",
	.run = syscalls_run,
};
