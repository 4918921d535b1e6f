#include "source/ftrace_save.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/io.h"
#include "process/sandbox.h"
#include "source/ftrace_plan.h"
#include "trace/instance.h"
#include "trace/tracehost.h"

struct capture_name ftrace_instance(const struct state *state, const struct source *s,
				    enum side side)
{
	char name[80];

	snprintf(name, sizeof(name), "%s%s", side == AFTER ? ".post-" : "", s->name);
	return capture_instance(state, name);
}

/* Everything that the file needs, read and opened while we are still root. */
struct dump {
	struct tracehost host;
	struct tracedat_cpu *cpus;
	unsigned n_cpus;
	int *fds; /* two for each CPU */
};

static int dump_host(struct dump *d, const struct source *s, const struct state *state,
		     struct err *e)
{
	struct capture_name instance = ftrace_instance(state, s, BEFORE);
	const struct ftrace *f = s->data;
	autofree struct tracehost_event *events = calloc(f->n_events + 1, sizeof(*events));

	if (!events)
		return err_set(e, "no memory");
	for (size_t i = 0; i < f->n_events; i++)
		events[i] = (struct tracehost_event) { f->events[i].system, f->events[i].name };
	return tracehost_read(&d->host, s->tracing, instance.text, events, f->n_events, e);
}

static void dump_open_cpu(struct dump *d, struct tracing *tracing, const char *instance,
			  unsigned cpu)
{
	struct tracedat_cpu *one = &d->cpus[cpu];
	struct err absent = ERR_INIT;
	int fd = instance_open_cpu(tracing, instance, cpu, "trace_pipe_raw", &absent);

	if (fd < 0)
		return; /* a CPU that was never there */
	if (!one->n_fds)
		one->fds = &d->fds[cpu * 2];
	d->fds[cpu * 2 + one->n_fds++] = fd;
}

static void dump_stats(struct dump *d, struct tracing *tracing, const char *instance, unsigned cpu)
{
	struct err absent = ERR_INIT;
	autoclose int fd = instance_open_cpu(tracing, instance, cpu, "stats", &absent);
	char *text = NULL;

	if (fd >= 0 && io_read(fd, 65536, &text, NULL, &absent) == 0)
		d->cpus[cpu].stats = text;
}

static int dump_cpus(struct dump *d, const struct source *s, const struct state *state,
		     struct err *e)
{
	struct capture_name before = ftrace_instance(state, s, BEFORE),
			    after = ftrace_instance(state, s, AFTER);
	const struct ftrace *f = s->data;
	char path[300];
	bool has_after;

	if (instance_cpus(s->tracing, before.text, &d->n_cpus, e) < 0)
		return e->code;
	d->cpus = calloc(d->n_cpus, sizeof(*d->cpus));
	d->fds = calloc(d->n_cpus, 2 * sizeof(*d->fds));
	if (!d->cpus || !d->fds)
		return err_set(e, "no memory");
	snprintf(path, sizeof(path), "instances/%s", after.text);
	has_after = faccessat(tracing_fd(s->tracing), path, F_OK, 0) == 0;
	for (unsigned cpu = 0; cpu < d->n_cpus; cpu++) {
		d->cpus[cpu].limit = f->keep + f->post_keep + (1 << 20);
		dump_open_cpu(d, s->tracing, before.text, cpu);
		dump_stats(d, s->tracing, before.text, cpu);
		if (has_after)
			dump_open_cpu(d, s->tracing, after.text, cpu);
	}
	return 0;
}

/* The first page does not always have room for how many there were before it. */
static uint64_t dump_overwritten(const struct tracedat_cpu *cpu)
{
	uint64_t overrun = instance_stat(cpu->stats, "\noverrun: ");

	return overrun > cpu->found.overwritten ? overrun : cpu->found.overwritten;
}

static void dump_report(const struct dump *d, const struct source *s,
			const struct stop_record *stop, struct report *report)
{
	uint64_t damaged = 0;

	for (unsigned cpu = 0; cpu < d->n_cpus; cpu++) {
		const struct tracedat_found *found = &d->cpus[cpu].found;
		char what[32];

		report->records += found->records;
		report->bytes += found->bytes;
		report->overwritten += dump_overwritten(&d->cpus[cpu]);
		damaged += found->damaged;
		if (found->first && found->wrapped && found->first > report->from)
			report->from = found->first; /* whole from where the last CPU begins */
		if (found->last > report->to)
			report->to = found->last;
		for (size_t i = 0; i < found->n_holes; i++) {
			/* up to the event the first of two rings was on, though it may have had
			 * nothing to record */
			uint64_t from = found->holes[i].seam && found->holes[i].from < stop->event
						? stop->event
						: found->holes[i].from;

			snprintf(what, sizeof(what),
				 found->holes[i].seam ? "seam on cpu %u" : "cpu %u", cpu);
			report_hole(report, what, from,
				    found->holes[i].to > from ? found->holes[i].to : from,
				    found->holes[i].count);
		}
	}
	report->outcome = damaged ? OUTCOME_PARTIAL : OUTCOME_OK;
	if (damaged)
		snprintf(report->note, sizeof(report->note),
			 "%llu pages of ring '%s' are not well-formed", (unsigned long long)damaged,
			 s->name);
}

static void dump_free(struct dump *d)
{
	for (unsigned cpu = 0; d->cpus && cpu < d->n_cpus; cpu++) {
		free((char *)d->cpus[cpu].stats);
		for (size_t i = 0; i < d->cpus[cpu].n_fds; i++)
			close(d->cpus[cpu].fds[i]);
	}
	free(d->cpus);
	free(d->fds);
	tracehost_clear(&d->host);
}

/* Bytes that the kernel says are in a CPU's ring, with the heads of their pages. */
static uint64_t dump_used(const struct tracedat_cpu *cpu)
{
	uint64_t bytes = instance_stat(cpu->stats, "bytes: ");

	return bytes + bytes / 8 + 65536;
}

/* A ring can be emptied only once: on a disk that is full it is not begun. Where the file system
 * cannot reserve, what save_check_room has seen has to do. */
static int dump_reserve(const struct dump *d, int out, struct err *e)
{
	uint64_t need = 16 << 20;

	for (unsigned cpu = 0; cpu < d->n_cpus; cpu++)
		need += dump_used(&d->cpus[cpu]);
	if (fallocate(out, FALLOC_FL_KEEP_SIZE, 0, need) < 0 && errno == ENOSPC)
		return err_sys(e, "nothing was taken out of the ring");
	return 0;
}

/* Gives back what was reserved behind the end. */
static void dump_trim(int out)
{
	struct stat st;

	if (fstat(out, &st) == 0 && ftruncate(out, st.st_size) < 0)
		return; /* it only takes more room */
}

int ftrace_save(struct source *s, struct save *save, struct err *e)
{
	struct dump d = { 0 };
	autofree char *path = NULL;
	autoclose int out = -1;
	int r = dump_host(&d, s, save->state, e);

	if (!r)
		r = dump_cpus(&d, s, save->state, e);
	tracehost_read_symbols(&d.host);
	if (!r && asprintf(&path, "%s/%s.dat", ftrace_dir(s), s->name) < 0)
		r = err_set(e, "no memory");
	if (!r)
		r = io_make_dirs(save->outdir, ftrace_dir(s), e);
	if (!r)
		r = out = io_create(save->outdir, path, e);
	if (r >= 0)
		r = sandbox_enter(SANDBOX_HELD, e);
	if (!r)
		r = dump_reserve(&d, out, e);
	if (!r)
		r = tracedat_write(out, &d.host.about, d.cpus, d.n_cpus, d.host.symbols, e);
	if (out >= 0)
		dump_trim(out);
	dump_report(&d, s, save->stop, save->report);
	if (r < 0) {
		save->report->outcome = OUTCOME_FAILED;
		err_wrap(e, "%s", path ? path : s->name);
	}
	dump_free(&d);
	return r < 0 ? e->code : 0;
}
