/* summary.txt: one page, from the manifest. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/io.h"
#include "base/units.h"
#include "bundle/manifest.h"
#include "convert/convert.h"
#include "log/freezeline.h"
#include "log/freezes.h"
#include "process/sandbox.h"

#define FREEZES_SHOWN 40

static void summary_stop(FILE *out, const json_t *manifest)
{
	const json_t *stop = json_object_get(manifest, "stop");
	const json_t *event = json_object_get(stop, "event");
	json_int_t started = manifest_int(json_object_get(manifest, "started"), "boot");
	json_int_t at = manifest_int(event, "boot");

	fprintf(out, "Ended by     %s", manifest_text(manifest, "ended_by"));
	if (json_object_get(stop, "condition"))
		fprintf(out, " '%s' (%s)", manifest_text(stop, "condition"),
			manifest_text(stop, "at"));
	fprintf(out, "\nWhen         %s, %lld.%09lld s after boot", manifest_text(event, "utc"),
		(long long)(at / (json_int_t)NS_PER_S), (long long)(at % (json_int_t)NS_PER_S));
	if (started && at > started)
		fprintf(out, ", after %s of recording",
			duration_text((at - started) / NS_PER_MS * NS_PER_MS).text);
	fprintf(out, "\nWhat         %s\n", manifest_text(stop, "text"));
	if (json_object_get(stop, "pid"))
		fprintf(out, "Where        cpu %lld, task %s, pid %lld\n",
			(long long)manifest_int(stop, "cpu"), manifest_text(stop, "comm"),
			(long long)manifest_int(stop, "pid"));
	if (json_is_true(json_object_get(stop, "drill")))
		fputs("             A DRILL: it did not happen\n", out);
	if (json_is_false(json_object_get(stop, "certain")))
		fputs("             UNCERTAIN: records were lost before it, which may have made it "
		      "otherwise\n",
		      out);
}

/* Conditions that nobody looked for up to the end. */
static void summary_faults(FILE *out, const json_t *manifest)
{
	size_t i;
	json_t *condition;

	json_array_foreach (json_object_get(manifest, "conditions"), i, condition) {
		if (json_object_get(condition, "fault"))
			fprintf(out, "             '%s' WAS OFF: %s\n",
				manifest_text(condition, "name"),
				manifest_text(condition, "fault"));
	}
}

static const char *summary_plural(size_t n)
{
	return n == 1 ? "" : "s";
}

/* "the last 12.3 s before the stop", or why there is nothing. */
static void summary_window(FILE *out, const json_t *source, json_int_t stop)
{
	const json_t *got = json_object_get(source, "got");
	json_int_t from = manifest_int(got, "from");

	if (!manifest_int(source, "records"))
		fputs("nothing recorded", out);
	else if (!strcmp(manifest_text(source, "outcome"), "failed") ||
		 !strcmp(manifest_text(source, "outcome"), "timeout"))
		fputs("NOT WHOLE: what is not seen may have happened", out);
	else if (from && stop > from)
		fprintf(out, "whole for the last %.3f s", (double)(stop - from) / NS_PER_S);
	else
		fputs("whole from the start", out);
	if (!strcmp(manifest_text(source, "outcome"), "partial"))
		fputs(", but for what follows", out);
}

static void summary_moment(FILE *out, json_int_t at, json_int_t stop)
{
	if (at == stop)
		fputs("the stop", out);
	else
		fprintf(out, "%.6f s %s", (double)(at < stop ? stop - at : at - stop) / NS_PER_S,
			at < stop ? "before" : "after");
}

static void summary_hole(FILE *out, const json_t *hole, json_int_t stop)
{
	fprintf(out, "               HOLE, %s: from ", manifest_text(hole, "what"));
	summary_moment(out, manifest_int(hole, "from"), stop);
	fputs(" to ", out);
	summary_moment(out, manifest_int(hole, "to"), stop);
	if (manifest_int(hole, "count"))
		fprintf(out, ", %lld lost", (long long)manifest_int(hole, "count"));
	fputs("; what is not seen there may have happened\n", out);
}

static void summary_source(FILE *out, const json_t *source, json_int_t stop)
{
	const json_t *holes = json_object_get(source, "holes");
	size_t i;
	json_t *hole;

	fprintf(out, "  %-16s %-9s %lld record%s, %s; ", manifest_text(source, "name"),
		manifest_text(source, "outcome"), (long long)manifest_int(source, "records"),
		summary_plural(manifest_int(source, "records")),
		size_about(manifest_int(source, "bytes")).text);
	summary_window(out, source, stop);
	if (manifest_int(source, "overwritten"))
		fprintf(out, "; %lld older ones overwritten",
			(long long)manifest_int(source, "overwritten"));
	fputc('\n', out);
	if (json_object_get(source, "note"))
		fprintf(out, "               %s\n", manifest_text(source, "note"));
	json_array_foreach (holes, i, hole)
		summary_hole(out, hole, stop);
}

/* The boot clock at the stop. */
static json_int_t summary_stopped(const json_t *manifest)
{
	return manifest_int(json_object_get(json_object_get(manifest, "stop"), "event"), "boot");
}

static void summary_sources(FILE *out, const json_t *manifest)
{
	json_int_t stop = summary_stopped(manifest);
	size_t i;
	json_t *source;

	fputs("\nRecorded\n", out);
	json_array_foreach (json_object_get(manifest, "sources"), i, source)
		summary_source(out, source, stop);
}

static void summary_conversions(FILE *out, const json_t *manifest)
{
	size_t i;
	json_t *done;

	json_array_foreach (json_object_get(manifest, "conversions"), i, done)
		if (strcmp(manifest_text(done, "outcome"), "ok"))
			fprintf(out, "  conversion of %s %s: %s\n", manifest_text(done, "what"),
				manifest_text(done, "outcome"), manifest_text(done, "note"));
}

/* Of the log of freezes all that has come to an end: "UTC SECONDS.NANOSECONDS LEVEL TEXT" a line.
 */
static void summary_freezes(FILE *out, FILE *log, json_int_t stop)
{
	unsigned long long seconds, ns;
	struct freeze freeze;
	char line[4096];
	const char *rest;
	size_t n = 0;
	int at;

	while (fgets(line, sizeof(line), log)) {
		at = 0;
		if (sscanf(line, "%*s %llu.%9llu %*s %n", &seconds, &ns, &at) != 2 || !at ||
		    !freezeline_read(&freeze, line + at, &rest) || freeze.what == FREEZING ||
		    freeze.what == THAWING)
			continue;
		if (n++ == 0)
			fputs("\nFrozen and thawed, in seconds to the stop\n", out);
		if (n <= FREEZES_SHOWN)
			fprintf(out, "  %+12.3f  %s",
				((double)(seconds * NS_PER_S + ns) - (double)stop) / NS_PER_S,
				line + at);
	}
	if (n > FREEZES_SHOWN)
		fprintf(out, "  and %zu more in logs/freezes.log\n", n - FREEZES_SHOWN);
}

static const char summary_files[] =
	"\nWhat is in here\n"
	"  last.txt           the last moments, all sources interleaved: read this first\n"
	"  manifest.json      all of this page as data, clocks, losses, a SHA-256 for each file\n"
	"  trace/NAME.dat     kernel events: trace-cmd report -i NAME.dat, kernelshark NAME.dat\n"
	"  trace/NAME.txt     the same as text: less, ui.perfetto.dev\n"
	"  syscalls/NAME.txt  system calls with arguments, results and how long they took\n"
	"  packets/*.pcapng   packets: wireshark, tshark -r\n"
	"  samples/ files/    copies of /proc, /sys and other files; samples under their time\n"
	"  tasks/ sockets/    tasks with their stacks, sockets with tcp_info; commands/ what was "
	"run\n"
	"  logs/              log lines on the same clock\n"
	"  watched/           what the stop conditions looked at: tracer replay\n"
	"  host/formats.txt   the events that the host knows: tracer check --host\n"
	"  recipe/            what was asked for: the recipe and its plan\n"
	"  tracer.log         what tracer itself did\n";

static void summary_write(FILE *out, const json_t *manifest, FILE *freezes)
{
	const json_t *recipe = json_object_get(manifest, "recipe");
	const json_t *host = json_object_get(manifest, "host");

	fprintf(out, "%s\n\n", manifest_text(manifest, "bundle"));
	fprintf(out, "Question     %s\n", manifest_text(recipe, "question"));
	fprintf(out, "Host         %s, Linux %s, %lld cpu%s\n", manifest_text(host, "hostname"),
		manifest_text(host, "kernel"), (long long)manifest_int(host, "cpus"),
		summary_plural(manifest_int(host, "cpus")));
	summary_stop(out, manifest);
	summary_faults(out, manifest);
	summary_sources(out, manifest);
	if (freezes)
		summary_freezes(out, freezes, summary_stopped(manifest));
	summary_conversions(out, manifest);
	fputs(summary_files, out);
	fprintf(out, "\nPlan %s\n", manifest_text(recipe, "plan_sha256"));
}

static int summary_run(int bundledir, const char *path, struct err *e)
{
	autofclose FILE *out = NULL, *freezes = NULL;
	json_t *manifest;
	int fd;

	(void)path;
	if (manifest_read(&manifest, bundledir, e) < 0)
		return e->code;
	fd = openat(bundledir, "logs/" FREEZES_LOG ".log", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	freezes = fd < 0 ? NULL : fdopen(fd, "r");
	unlinkat(bundledir, "summary.txt", 0);
	fd = io_create(bundledir, "summary.txt", e);
	out = fd < 0 ? NULL : fdopen(fd, "w");
	if (!out || sandbox_enter(SANDBOX_COMPUTE, e) < 0) {
		json_decref(manifest);
		return fd < 0 ? e->code : err_set(e, "cannot write summary.txt");
	}
	summary_write(out, manifest, freezes);
	json_decref(manifest);
	return fflush(out) ? err_sys(e, "cannot write summary.txt") : 0;
}

const struct converter summary_converter = {
	.what = "summary.txt",
	.run = summary_run,
};
