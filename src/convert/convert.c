#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/units.h"
#include "bundle/manifest.h"
#include "bundle/output.h"
#include "bundle/tree.h"
#include "convert/convert.h"
#include "process/message.h"
#include "process/worker.h"

#define CONVERT_WAIT (180 * NS_PER_S) /* for one file */

const struct converter *const converter_table[] = {
	&trace_converter, &syscalls_converter, &last_converter, &summary_converter, NULL,
};

/* One run of one converter. */
struct converting {
	const struct converter *converter;
	const char *path; /* NULL: for the bundle */
	int bundledir;
	int engine;
	bool skipped; /* the user does not want it */
	json_t *done; /* what the manifest will say */
};

static int convert_worker(void *arg, int engine, struct err *e)
{
	const struct converting *run = arg;

	(void)engine;
	worker_die_with_parent();
	return run->converter->run(run->bundledir, run->path, e);
}

static void convert_run(struct converting *run)
{
	const char *path = run->path ? run->path : run->converter->what;
	int keep[] = { run->bundledir };
	struct err e = ERR_INIT;
	struct worker worker;
	const char *outcome = "ok";

	message_send(run->engine, MESSAGE_SAY, path);
	if (worker_start(&worker, "convert", convert_worker, run, keep, countof(keep), &e) < 0 ||
	    worker_finish(&worker, clock_boot() + CONVERT_WAIT, NULL, NULL, &e) < 0) {
		outcome = e.code == -ETIMEDOUT ? "timeout" : "failed";
		log_line("conversion of '%s': %s", path, e.text);
	}
	json_array_append_new(run->done, json_pack("{s:s, s:s, s:s}", "what", path, "outcome",
						   outcome, "note", e.text));
}

static int convert_file(void *arg, int dirfd, const char *path, struct err *e)
{
	struct converting *run = arg;
	size_t length = strlen(path), suffix = strlen(run->converter->suffix);

	(void)dirfd;
	(void)e;
	if (strncmp(path, run->converter->dir, strlen(run->converter->dir)) || length < suffix ||
	    strcmp(path + length - suffix, run->converter->suffix))
		return 0;
	run->path = path;
	convert_run(run);
	run->path = NULL;
	return 0;
}

static int convert_all(const struct converting *common, json_t *manifest, struct err *e)
{
	for (const struct converter *const *converter = converter_table; *converter; converter++) {
		struct converting run = *common;

		run.converter = *converter;
		/* the page that tells what the bundle is costs nothing: it is always there */
		if (common->skipped && *converter != &summary_converter)
			continue;
		if (!run.converter->dir)
			convert_run(&run);
		else if (tree_walk(run.bundledir, convert_file, &run, e) < 0)
			return e->code;
		/* the summary, which comes last, tells of the others */
		if (manifest_write(manifest, run.bundledir, e) < 0)
			return e->code;
	}
	return 0;
}

int convert_main(void *arg, int engine, struct err *e)
{
	const struct output *output = arg;
	struct converting run = { .engine = engine,
				  .skipped = output->skipped,
				  .done = json_array() };
	autoclose int bundledir = output_open(output, e);
	json_t *manifest;
	int r;

	if (bundledir < 0 || manifest_read(&manifest, bundledir, e) < 0)
		return e->code;
	log_open(output->capture->state->fd);
	run.bundledir = bundledir;
	json_object_set_new(manifest, "conversions", run.done);
	r = convert_all(&run, manifest, e);
	json_decref(manifest);
	return r;
}
