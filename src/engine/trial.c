#include "engine/trial.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/io.h"
#include "plan/plan.h"
#include "plan/source.h"
#include "trace/instance.h"

#define COST_RECORDS 4000 /* in one go */
#define COST_GOES 9       /* of which the median counts */
#define RECORD_HEAD 40    /* what a record takes in a ring file beside its data, bytes */

static uint64_t cost_of_writes(int fd)
{
	static const char text[] = "sixteen bytes..";
	uint64_t before = clock_boot();

	for (int i = 0; i < COST_RECORDS; i++)
		if (write(fd, text, sizeof(text)) < 0)
			return 0;
	return clock_boot() - before;
}

static int cost_order(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* A text that is written into a ring, less the call by which it is: the median. Nobody else sees
 * it, as others would see any event of the kernel. */
static uint64_t cost_of_record(int marker, int null)
{
	uint64_t costs[COST_GOES] = { 0 };

	for (int i = 0; i < COST_GOES; i++) {
		uint64_t with = cost_of_writes(marker), without = cost_of_writes(null);

		costs[i] = with > without ? with - without : 0;
	}
	qsort(costs, COST_GOES, sizeof(costs[0]), cost_order);
	return costs[COST_GOES / 2] / COST_RECORDS;
}

static int trial_measure(struct trial *trial, struct capture *c, const char *instance,
			 struct err *e)
{
	autoclose int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	autoclose int marker = -1;

	if (ledger_instance(c->ledger, instance, e) < 0 ||
	    instance_create(c->tracing, instance, e) < 0 ||
	    instance_write(c->tracing, instance, "trace_clock", "boot", e) < 0)
		return e->code;
	marker = instance_open(c->tracing, instance, "trace_marker", O_WRONLY, e);
	if (marker < 0)
		return e->code;
	trial->event_ns = null < 0 ? 0 : cost_of_record(marker, null);
	return 0;
}

int trial_prepare(struct trial *trial, struct capture *c, struct err *e)
{
	struct capture_name name = capture_instance(c->state, ".cost");

	if (io_create_file(c->state->fd, TRIAL_MARK, "", 0, e) < 0)
		return e->code;
	return c->tracing ? trial_measure(trial, c, name.text, e) : 0;
}

static bool trial_is_ours(const struct workers *workers, pid_t pid, pid_t group)
{
	if (pid == getpid() || group == workers->watcher.pid)
		return true;
	for (size_t i = 0; i < workers->capture->plan->n_sources; i++)
		if (workers->of_sources[i].pid > 0 && group == workers->of_sources[i].pid)
			return true;
	return false;
}

/* Each process of the workers is the first of its group, in which its helpers are. */
static pid_t trial_group(int proc, const char *pid)
{
	autofree char *path = NULL, *text = NULL;
	struct err gone = ERR_INIT;
	const char *end;
	int group;

	if (asprintf(&path, "%s/stat", pid) < 0 ||
	    io_read_file(proc, path, 4096, &text, NULL, &gone) < 0)
		return -1;
	end = strrchr(text, ')');
	return end && sscanf(end + 1, " %*c %*d %d", &group) == 1 ? group : -1;
}

static uint64_t trial_cpu_of(int proc, const char *pid)
{
	autofree char *path = NULL, *text = NULL;
	struct err gone = ERR_INIT;
	unsigned long long ns;

	if (asprintf(&path, "%s/schedstat", pid) < 0 ||
	    io_read_file(proc, path, 256, &text, NULL, &gone) < 0)
		return 0;
	return sscanf(text, "%llu", &ns) == 1 ? ns : 0;
}

static uint64_t trial_cpu(const struct workers *workers)
{
	autoclosedir DIR *proc = opendir("/proc");
	struct dirent *entry;
	uint64_t sum = 0;

	while (proc && (entry = readdir(proc)))
		if (isdigit((unsigned char)*entry->d_name) &&
		    trial_is_ours(workers, atoi(entry->d_name),
				  trial_group(dirfd(proc), entry->d_name)))
			sum += trial_cpu_of(dirfd(proc), entry->d_name);
	return sum;
}

void trial_begin(struct trial *trial, const struct workers *workers)
{
	trial->before = *workers->capture->board;
	trial->began = clock_boot();
	trial->cpu_before = trial_cpu(workers);
}

void trial_end(struct trial *trial, const struct workers *workers)
{
	uint64_t used = trial_cpu(workers);

	trial->took = clock_boot() - trial->began;
	trial->cpu_ns = used > trial->cpu_before ? used - trial->cpu_before : 0;
	trial->board = *workers->capture->board;
	for (size_t i = 0; i < workers->capture->plan->n_sources; i++) {
		struct stats *stats = &trial->board.sources[i];

		stats->records -= trial->before.sources[i].records;
		stats->bytes -= workers->capture->plan->sources[i].ops == &ftrace_source
					? 0
					: trial->before.sources[i].bytes;
	}
}

uint64_t trial_reach(const struct trial *trial, const struct source *s)
{
	const struct stats *stats = &trial->board.sources[s->index];
	/* the kernel tells the bytes of what is still in the ring */
	bool kernel = s->ops == &ftrace_source;
	uint64_t counted = stats->records - (kernel ? stats->overwritten : 0);
	double each;

	if (!s->cost.ring_bytes || !trial->took)
		return 0;
	if (!stats->records || !counted)
		return UINT64_MAX;
	each = (double)stats->bytes / counted + (kernel ? 0 : RECORD_HEAD);
	return s->cost.ring_bytes / each / stats->records * trial->took;
}
