/* Save: everything that was recorded, as raw files on the disk, synced. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "anchors.h"
#include "auto.h"
#include "finish.h"
#include "io.h"
#include "log.h"
#include "manifest.h"
#include "tree.h"
#include "units.h"
#include "worker.h"

#define SAVE_WAIT (120 * NS_PER_S) /* for one source */

/* What the process of one source is given. */
struct saving {
	struct source *source;
	struct save save;
};

static int save_source(void *arg, int engine, struct err *e)
{
	struct saving *saving = arg;

	(void)engine;
	return saving->source->ops->save(saving->source, &saving->save, e);
}

/* What the source's own process had to say while it lived; it can only make the outcome worse. */
static void save_add_note(const struct source *s, int statedir, struct report *report)
{
	struct err absent = ERR_INIT;
	autofree char *note = NULL;
	char name[32];

	snprintf(name, sizeof(name), "note-%u", s->index);
	if (io_read_file(statedir, name, sizeof(report->note) - 1, &note, NULL, &absent) < 0)
		return;
	if (report->outcome == OUTCOME_OK)
		report->outcome = OUTCOME_PARTIAL;
	snprintf(report->note, sizeof(report->note), "%s", note);
}

static void save_finish_source(struct worker *worker, const struct source *s, struct report *report)
{
	struct err e = ERR_INIT;

	if (worker_finish(worker, clock_boot() + SAVE_WAIT, NULL, NULL, &e) == 0)
		return;
	report->outcome = e.code == -ETIMEDOUT ? OUTCOME_TIMEOUT : OUTCOME_FAILED;
	snprintf(report->note, sizeof(report->note), "%.250s", e.text);
	log_line("source '%s' could not be saved: %s", s->name, e.text);
}

static void save_sources(struct finish *f, struct save *common, struct report *reports)
{
	struct plan *plan = f->capture->plan;
	autofree struct saving *savings = calloc(plan->n_sources, sizeof(*savings));
	autofree struct worker *workers = calloc(plan->n_sources, sizeof(*workers));

	for (size_t i = 0; savings && workers && i < plan->n_sources; i++) {
		int keep[] = { common->statedir, common->outdir, f->capture->tracing ? tracing_fd(f->capture->tracing) : -1 };
		struct err e = ERR_INIT;

		savings[i] = (struct saving){ .source = &plan->sources[i], .save = *common };
		savings[i].save.report = &reports[i];
		worker_start(&workers[i], plan->sources[i].name, save_source, &savings[i], keep, countof(keep), &e);
	}
	for (size_t i = 0; savings && workers && i < plan->n_sources; i++) {
		save_finish_source(&workers[i], &plan->sources[i], &reports[i]);
		save_add_note(&plan->sources[i], common->statedir, &reports[i]);
	}
}

static int save_copy_file(void *arg, int dirfd, const char *path, struct err *e)
{
	autoclose int in = openat(dirfd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	const int *to = arg;
	autofree char *parent = strdup(path);
	autoclose int out = -1;
	char *slash = parent ? strrchr(parent, '/') : NULL;

	if (in < 0)
		return err_sys(e, "cannot read '%s'", path);
	if (slash) {
		*slash = '\0';
		if (io_make_dirs(*to, parent, e) < 0)
			return e->code;
	}
	out = io_create(*to, path, e);
	return out < 0 || io_copy(in, out, e) < 0 ? e->code : 0;
}

static int save_recipe(int statedir, int bundledir, struct err *e)
{
	autoclose int from = io_open_dir(statedir, "recipe", e);
	autoclose int to = -1;

	if (from < 0 || io_make_dirs(bundledir, "recipe", e) < 0)
		return e->code;
	to = io_open_dir(bundledir, "recipe", e);
	return to < 0 ? to : tree_walk(from, save_copy_file, &to, e);
}

/* Before the rings are emptied, since that can be done only once. */
static int save_check_room(const struct finish *f, int outdir, struct err *e)
{
	uint64_t need = 16 << 20;
	struct statvfs fs;

	for (size_t i = 0; i < f->capture->plan->n_sources; i++)
		need += f->capture->board->sources[i].bytes;
	if (fstatvfs(outdir, &fs) < 0)
		return err_sys(e, "cannot look at '%s'", f->about->outdir);
	if ((uint64_t)fs.f_bavail * fs.f_frsize >= need)
		return 0;
	err_set(e, "'%s' has %s free and the recording may take %s", f->about->outdir,
		size_text((uint64_t)fs.f_bavail * fs.f_frsize).text, size_text(need).text);
	return e->code = -ENOSPC;
}

static int save_make_dir(const struct finish *f, struct err *e)
{
	autoclose int outdir = io_open_dir(AT_FDCWD, f->about->outdir, e);

	if (outdir < 0 || save_check_room(f, outdir, e) < 0)
		return e->code;
	if (mkdirat(outdir, f->name, 0700) < 0)
		return err_sys(e, "cannot make '%s/%s'", f->about->outdir, f->name);
	return io_open_dir(outdir, f->name, e);
}

static struct report *save_reports(size_t n)
{
	void *map = mmap(NULL, (n + 1) * sizeof(struct report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
			 0);

	return map == MAP_FAILED ? NULL : map;
}

static bool save_whole(const struct plan *plan, const struct report *reports)
{
	for (size_t i = 0; i < plan->n_sources; i++)
		if (reports[i].outcome != OUTCOME_OK)
			return false;
	return true;
}

static int save_manifest(const struct finish *f, const struct report *reports, const struct save *save, struct err *e)
{
	json_t *manifest;
	int r;

	f->capture->board->whole = save_whole(f->capture->plan, reports);
	if (manifest_make(&manifest, f, reports, save->anchors, save->n_anchors, e) < 0)
		return e->code;
	r = manifest_write(manifest, save->outdir, e);
	json_decref(manifest);
	return r;
}

void finish_name(struct finish *f)
{
	const struct capture *c = f->capture;
	const struct stop_record *stop = stop_get(c->stop);
	struct anchor now = anchor_take();

	snprintf(f->name, sizeof(f->name), "%s-%s-%s-%s", c->plan->name, f->about->hostname,
		 clock_stamp(anchor_wall(&now, stop->event)).text, c->state->id + 22);
}

int save_main(void *arg, int engine, struct err *e)
{
	struct finish *f = arg;
	struct capture *c = f->capture;
	struct save save = { .state = c->state, .statedir = c->state->fd, .stop = stop_get(c->stop) };
	struct report *reports = save_reports(c->plan->n_sources);
	autofree struct anchor *anchors = NULL;
	autoclose int bundledir = -1;

	(void)engine;
	if (!reports)
		return err_set(e, "no memory");
	if (anchors_read(c->state->fd, &anchors, &save.n_anchors, e) < 0)
		return e->code;
	bundledir = save_make_dir(f, e);
	if (bundledir < 0)
		return e->code;
	save.anchors = anchors;
	save.outdir = bundledir;
	save_sources(f, &save, reports);
	if (save_recipe(c->state->fd, bundledir, e) < 0 || save_manifest(f, reports, &save, e) < 0)
		return e->code;
	return tree_sync(bundledir, e);
}
