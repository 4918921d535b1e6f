#include "bundle/save.h"

/* Save: everything that was recorded, as raw files on the disk, synced. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/auto.h"
#include "base/io.h"
#include "base/log.h"
#include "base/units.h"
#include "bundle/manifest.h"
#include "bundle/output.h"
#include "bundle/tree.h"
#include "capture/anchors.h"
#include "plan/plan.h"
#include "process/worker.h"
#include "trace/formats.h"

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
	worker_die_with_parent();
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

/* A hole is no failure, but whoever relies on the source has to know. */
static void save_judge_losses(struct report *report)
{
	if (report->outcome != OUTCOME_OK || !report->lost)
		return;
	report->outcome = OUTCOME_PARTIAL;
	snprintf(report->note, sizeof(report->note), "%llu records were lost: the holes tell when",
		 (unsigned long long)report->lost);
}

/* Returns 0 or why it could not be saved: -ENOSPC before anything was taken out of its ring. */
static int save_finish_source(struct worker *worker, const struct source *s, uint64_t until,
			      struct report *report)
{
	struct err e = ERR_INIT;

	if (worker_finish(worker, until, NULL, NULL, &e) == 0)
		return 0;
	report->outcome = e.code == -ETIMEDOUT ? OUTCOME_TIMEOUT : OUTCOME_FAILED;
	snprintf(report->note, sizeof(report->note), "%.250s", e.text);
	log_line("source '%s' could not be saved: %s", s->name, e.text);
	return e.code;
}

static int save_sources(struct output *output, struct save *common, struct report *reports,
			struct err *e)
{
	struct plan *plan = output->capture->plan;
	autofree struct saving *savings = calloc(plan->n_sources, sizeof(*savings));
	autofree struct worker *workers = calloc(plan->n_sources, sizeof(*workers));
	uint64_t until = clock_boot() + SAVE_WAIT;
	bool full = false;

	if (!savings || !workers)
		return err_set(e, "no memory to save");
	for (size_t i = 0; i < plan->n_sources; i++) {
		/* the lock as well: as long as a ring is being emptied, nobody else may begin to */
		int keep[] = { common->statedir, common->outdir, output->capture->state->lock,
			       output->capture->tracing ? tracing_fd(output->capture->tracing)
							: -1 };

		savings[i] = (struct saving) { .source = &plan->sources[i], .save = *common };
		savings[i].save.report = &reports[i];
		if (worker_start(&workers[i], plan->sources[i].name, save_source, &savings[i], keep,
				 countof(keep), &workers[i].err) < 0)
			workers[i].failed = true;
	}
	for (size_t i = 0; i < plan->n_sources; i++) {
		full |= save_finish_source(&workers[i], &plan->sources[i], until, &reports[i]) ==
			-ENOSPC;
		save_judge_losses(&reports[i]);
		save_add_note(&plan->sources[i], common->statedir, &reports[i]);
	}
	if (!full)
		return 0;
	err_set(e, "'%s' became full", output->outdir);
	return e->code = -ENOSPC;
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
static int save_check_room(const struct output *output, int outdir, struct err *e)
{
	uint64_t need = 16 << 20;
	struct statvfs fs;

	for (size_t i = 0; i < output->capture->plan->n_sources; i++)
		need += output->capture->board->sources[i].bytes / 8 * 9;
	if (fstatvfs(outdir, &fs) < 0)
		return err_sys(e, "cannot look at '%s'", output->outdir);
	if ((uint64_t)fs.f_bavail * fs.f_frsize >= need)
		return 0;
	err_set(e, "'%s' has %s free and the recording may take %s", output->outdir,
		size_about((uint64_t)fs.f_bavail * fs.f_frsize).text, size_about(need).text);
	return e->code = -ENOSPC;
}

/* What a save that was killed has left may be all that there is of a ring, which can be emptied
 * only once: it stays, as "interrupted" in the new directory. */
static int save_set_aside(int outdir, const char *name, const char *aside, struct err *e)
{
	if (renameat(outdir, name, outdir, aside) == 0)
		return mkdirat(outdir, name, 0700) < 0 ? err_sys(e, "cannot make '%s'", name) : 0;
	/* killed just here before: the new one is still empty */
	return errno == ENOTEMPTY || errno == EEXIST ? 0 : err_sys(e, "cannot rename '%s'", name);
}

static int save_make_dir(const struct output *output, struct err *e)
{
	autoclose int outdir = io_open_dir(AT_FDCWD, output->outdir, e);
	autoclose int bundledir = -1;
	char aside[220];

	if (outdir < 0)
		return outdir;
	snprintf(aside, sizeof(aside), "%s.interrupted", output->name);
	if (mkdirat(outdir, output->name, 0700) < 0 &&
	    (errno != EEXIST ? err_sys(e, "cannot make '%s/%s'", output->outdir, output->name)
			     : save_set_aside(outdir, output->name, aside, e)) < 0)
		return e->code;
	bundledir = io_open_dir(outdir, output->name, e);
	if (bundledir >= 0 && renameat(outdir, aside, bundledir, "interrupted") < 0 &&
	    errno != ENOENT)
		return err_sys(e, "cannot rename '%s'", aside);
	return take_fd(&bundledir);
}

/* Before the sources are asked: each then says that it is in two parts. */
static void save_note_interrupted(const struct plan *plan, const struct save *save)
{
	static const char note[] =
		"saving was interrupted: what had been taken by then is in interrupted/";

	if (faccessat(save->outdir, "interrupted", F_OK, 0) < 0)
		return;
	for (size_t i = 0; i < plan->n_sources; i++) {
		struct err noted = ERR_INIT;
		char name[32];

		snprintf(name, sizeof(name), "note-%zu", i);
		io_create_file(save->statedir, name, note, strlen(note), &noted);
	}
}

/* The reports lie in the state directory: if the disk is full behind the sources, they are not
 * lost. */
static int save_map_reports(struct report **ret, int statedir, size_t n, struct err *e)
{
	autoclose int fd =
		openat(statedir, "reports", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	size_t size = (n + 1) * sizeof(struct report);
	void *map;

	if (fd < 0)
		return err_sys(e, "cannot open the reports");
	errno = posix_fallocate(fd, 0, size);
	if (errno)
		return err_sys(e, "no room for the reports");
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return err_sys(e, "cannot map the reports");
	*ret = map;
	return 0;
}

static bool save_whole(const struct plan *plan, const struct report *reports)
{
	for (size_t i = 0; i < plan->n_sources; i++)
		if (reports[i].outcome != OUTCOME_OK)
			return false;
	return true;
}

static int save_manifest(const struct output *output, const struct report *reports,
			 const struct save *save, struct err *e)
{
	json_t *manifest;
	int r;

	output->capture->board->whole = save_whole(output->capture->plan, reports);
	if (manifest_make(&manifest, output, reports, save->anchors, save->n_anchors, e) < 0)
		return e->code;
	r = manifest_write(manifest, save->outdir, e);
	json_decref(manifest);
	return r;
}

/* Where the raw data is, once the rings are empty: "DIRECTORY\nNAME". */
static int save_remember(const struct output *output, struct err *e)
{
	autofree char *text = NULL;

	if (asprintf(&text, "%s\n%s", output->outdir, output->name) < 0)
		return err_set(e, "no memory");
	unlinkat(output->capture->state->fd, "saved", 0);
	return io_create_file(output->capture->state->fd, "saved", text, strlen(text), e);
}

/* Half a copy is worth nothing: the whole one is still where it was. */
static void save_drop_copy(const struct output *output)
{
	struct err ignored = ERR_INIT;
	autoclose int outdir = io_open_dir(AT_FDCWD, output->outdir, &ignored);

	if (outdir >= 0 && io_remove_tree(outdir, output->name, &ignored) < 0)
		log_line("%s", ignored.text);
}

/* What lies in another directory is copied, and removed there once the copy is safe. */
static int save_move(struct output *output, const char *from, struct err *e)
{
	autoclose int olddir = io_open_dir(AT_FDCWD, from, e);
	autoclose int old = olddir < 0 ? -1 : io_open_dir(olddir, output->name, e);
	autoclose int bundledir = -1;

	if (old < 0)
		return e->code;
	bundledir = save_make_dir(output, e);
	if (bundledir < 0 || tree_walk(old, save_copy_file, &bundledir, e) < 0 ||
	    tree_sync(bundledir, e) < 0 || save_remember(output, e) < 0) {
		save_drop_copy(output);
		return e->code;
	}
	return io_remove_tree(olddir, output->name, e);
}

/* Where an earlier save had begun, if that was in another directory: what it has taken comes along.
 */
static int save_fetch_interrupted(const struct output *output, int bundledir, struct err *e)
{
	struct err absent = ERR_INIT;
	autofree char *from = NULL;
	autoclose int olddir = -1, old = -1, aside = -1;

	if (io_read_file(output->capture->state->fd, "saving", 4096, &from, NULL, &absent) == 0 &&
	    strcmp(from, output->outdir)) {
		olddir = io_open_dir(AT_FDCWD, from, &absent);
		old = olddir < 0 ? -1 : io_open_dir(olddir, output->name, &absent);
	}
	if (old >= 0) {
		if (io_make_dirs(bundledir, "interrupted", e) < 0)
			return e->code;
		aside = io_open_dir(bundledir, "interrupted", e);
		if (aside < 0 || tree_walk(old, save_copy_file, &aside, e) < 0 ||
		    tree_sync(aside, e) < 0 || io_remove_tree(olddir, output->name, e) < 0)
			return e->code;
	}
	unlinkat(output->capture->state->fd, "saving", 0);
	return io_create_file(output->capture->state->fd, "saving", output->outdir,
			      strlen(output->outdir), e);
}

static int save_rings(struct output *output, struct save *save, struct report *reports,
		      struct err *e)
{
	autoclose int outdir = io_open_dir(AT_FDCWD, output->outdir, e);
	autoclose int bundledir = -1;

	if (outdir < 0 || save_check_room(output, outdir, e) < 0)
		return e->code;
	bundledir = save_make_dir(output, e);
	if (bundledir < 0 || save_fetch_interrupted(output, bundledir, e) < 0)
		return e->code;
	save->outdir = bundledir;
	save_note_interrupted(output->capture->plan, save);
	memset(reports, 0, output->capture->plan->n_sources * sizeof(*reports));
	if (save_sources(output, save, reports, e) < 0)
		return e->code;
	return save_remember(output, e);
}

/* For who reads the bundle at a desk. */
static void save_formats(const struct output *output, int bundledir)
{
	struct err failed = ERR_INIT;
	autoclose int events = output->capture->tracing
				       ? openat(tracing_fd(output->capture->tracing), "events",
						O_RDONLY | O_DIRECTORY | O_CLOEXEC)
				       : -1;

	unlinkat(bundledir, "host/formats.txt", 0);
	if (events >= 0 && (io_make_dirs(bundledir, "host", &failed) < 0 ||
			    formats_write(events, bundledir, "host/formats.txt", &failed) < 0))
		log_line("host/formats.txt: %s", failed.text);
}

static int save_complete(struct output *output, struct save *save, const struct report *reports,
			 struct err *e)
{
	autoclose int bundledir = output_open(output, e);

	save->outdir = bundledir;
	if (bundledir < 0 || io_remove_tree(bundledir, "recipe", e) < 0 ||
	    save_recipe(save->statedir, bundledir, e) < 0)
		return e->code;
	save_formats(output, bundledir);
	if (save_manifest(output, reports, save, e) < 0)
		return e->code;
	return tree_sync(bundledir, e);
}

int save_main(void *arg, int engine, struct err *e)
{
	struct output *output = arg;
	struct capture *c = output->capture;
	struct save save = { .state = c->state,
			     .statedir = c->state->fd,
			     .stop = stop_get(c->stop) };
	autofree struct anchor *anchors = NULL;
	struct report *reports = NULL;
	char dir[4096];
	int r = 0;

	(void)engine;
	log_open(c->state->fd);
	if (save_map_reports(&reports, c->state->fd, c->plan->n_sources, e) < 0 ||
	    anchors_read(c->state->fd, &anchors, &save.n_anchors, e) < 0)
		return e->code;
	save.anchors = anchors;
	if (!output_saved(output, dir, sizeof(dir)))
		r = save_rings(output, &save, reports, e);
	else if (strcmp(dir, output->outdir))
		r = save_move(output, dir, e);
	return r < 0 ? e->code : save_complete(output, &save, reports, e);
}
