#include "ftrace_save.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "auto.h"
#include "ftrace_plan.h"
#include "instance.h"
#include "io.h"
#include "sandbox.h"
#include "tracedat.h"

#define TEXT_MAX (64u << 20) /* of one file of the kernel's */

struct capture_name ftrace_instance(const struct state *state, const struct source *s,
				    enum side side)
{
	char name[80];

	snprintf(name, sizeof(name), "%s%s", side == AFTER ? ".post-" : "", s->name);
	return capture_instance(state, name);
}

/* Everything that the file needs, read and opened while we are still root. */
struct dump {
	struct tracedat_about about;
	char **formats; /* of all systems, one array */
	size_t n_formats;
	char **ftrace_formats;
	size_t n_ftrace_formats;
	struct tracedat_system *systems;
	struct tracedat_cpu *cpus;
	unsigned n_cpus;
	int *fds; /* two for each CPU */
	struct symbols *symbols;
	char uname[400];
	char *texts[6];
	size_t n_texts;
};

/* The text of a file below the tracing directory, owned by the dump; NULL where there is none. */
static const char *dump_text(struct dump *d, struct tracing *tracing, const char *path)
{
	struct err ignored = ERR_INIT;
	char *text = NULL;

	if (io_read_file(tracing_fd(tracing), path, TEXT_MAX, &text, NULL, &ignored) < 0)
		return NULL;
	d->texts[d->n_texts++] = text;
	return text;
}

static int dump_about(struct dump *d, struct tracing *tracing, const char *instance, struct err *e)
{
	struct utsname uts;
	char path[400];

	if (instance_layout(tracing, instance, &d->about.layout, e) < 0)
		return e->code;
	uname(&uts);
	snprintf(d->uname, sizeof(d->uname), "%s %s %s %s", uts.sysname, uts.nodename, uts.release,
		 uts.machine);
	d->about.uname = d->uname;
	d->about.saved_cmdlines = dump_text(d, tracing, "saved_cmdlines");
	d->about.printk_formats = dump_text(d, tracing, "printk_formats");
	snprintf(path, sizeof(path), "instances/%s/events/header_page", instance);
	d->about.header_page = dump_text(d, tracing, path);
	snprintf(path, sizeof(path), "instances/%s/events/header_event", instance);
	d->about.header_event = dump_text(d, tracing, path);
	if (!d->about.header_event)
		d->about.header_event = dump_text(d, tracing, "events/header_event");
	snprintf(path, sizeof(path), "instances/%s/trace_clock", instance);
	d->about.trace_clock = dump_text(d, tracing, path);
	return 0;
}

static int dump_ftrace_formats(struct dump *d, struct tracing *tracing, struct err *e)
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
		grown = realloc(d->ftrace_formats, (d->n_ftrace_formats + 1) * sizeof(*grown));
		if (!grown) {
			free(text);
			return err_set(e, "no memory");
		}
		d->ftrace_formats = grown;
		grown[d->n_ftrace_formats++] = text;
	}
	d->about.ftrace_formats = (const char *const *)d->ftrace_formats;
	d->about.n_ftrace_formats = d->n_ftrace_formats;
	return 0;
}

static int event_order(const void *a, const void *b)
{
	const struct ftrace_event *x = a, *y = b;
	int r = strcmp(x->system, y->system);

	return r ? r : strcmp(x->name, y->name);
}

/* The formats of the events, grouped by system. */
static int dump_formats(struct dump *d, const struct source *s, struct err *e)
{
	struct ftrace *f = s->data;
	struct tracedat_system *system = NULL;

	qsort(f->events, f->n_events, sizeof(*f->events), event_order);
	d->formats = calloc(f->n_events, sizeof(*d->formats));
	d->systems = calloc(f->n_events, sizeof(*d->systems));
	if (!d->formats || !d->systems)
		return err_set(e, "no memory");
	for (size_t i = 0; i < f->n_events; i++) {
		char path[400];

		snprintf(path, sizeof(path), "events/%s/%s/format", f->events[i].system,
			 f->events[i].name);
		if (io_read_file(tracing_fd(s->tracing), path, TEXT_MAX, &d->formats[d->n_formats],
				 NULL, e) < 0)
			return err_wrap(e, "format");
		if (!system || strcmp(system->name, f->events[i].system)) {
			system = &d->systems[d->about.n_systems++];
			*system = (struct tracedat_system) {
				.name = f->events[i].system,
				.formats = (const char *const *)&d->formats[d->n_formats]
			};
		}
		system->n_formats++;
		d->n_formats++;
	}
	d->about.systems = d->systems;
	return 0;
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

static void dump_symbols(struct dump *d)
{
	autoclose int fd = open("/proc/kallsyms", O_RDONLY | O_CLOEXEC);
	struct err ignored = ERR_INIT;

	/* without symbols, addresses stay numbers: no reason to lose the events */
	if (fd >= 0 && symbols_read(&d->symbols, fd, &ignored) < 0)
		d->symbols = NULL;
}

/* A number of the kernel's statistics of a CPU's ring, 0 if it is not there. */
static uint64_t dump_stat(const struct tracedat_cpu *cpu, const char *name)
{
	const char *at = cpu->stats ? strstr(cpu->stats, name) : NULL;

	return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

/* The first page does not always have room for how many there were before it. */
static uint64_t dump_overwritten(const struct tracedat_cpu *cpu)
{
	uint64_t overrun = dump_stat(cpu, "\noverrun: ");

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
	for (size_t i = 0; i < d->n_texts; i++)
		free(d->texts[i]);
	for (size_t i = 0; i < d->n_formats; i++)
		free(d->formats[i]);
	for (size_t i = 0; i < d->n_ftrace_formats; i++)
		free(d->ftrace_formats[i]);
	for (unsigned cpu = 0; d->cpus && cpu < d->n_cpus; cpu++) {
		free((char *)d->cpus[cpu].stats);
		for (size_t i = 0; i < d->cpus[cpu].n_fds; i++)
			close(d->cpus[cpu].fds[i]);
	}
	free(d->formats);
	free(d->ftrace_formats);
	free(d->systems);
	free(d->cpus);
	free(d->fds);
	symbols_free(d->symbols);
}

/* Bytes that the kernel says are in a CPU's ring, with the heads of their pages. */
static uint64_t dump_used(const struct tracedat_cpu *cpu)
{
	uint64_t bytes = dump_stat(cpu, "bytes: ");

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

static int dump_collect(struct dump *d, struct source *s, const struct state *state, struct err *e)
{
	struct capture_name before = ftrace_instance(state, s, BEFORE);

	/* the names of tasks first: they are soon forgotten */
	if (dump_about(d, s->tracing, before.text, e) < 0 ||
	    dump_ftrace_formats(d, s->tracing, e) < 0 || dump_formats(d, s, e) < 0 ||
	    dump_cpus(d, s, state, e) < 0)
		return e->code;
	dump_symbols(d);
	return 0;
}

int ftrace_save(struct source *s, struct save *save, struct err *e)
{
	struct dump d = { 0 };
	autofree char *path = NULL;
	autoclose int out = -1;
	int r = dump_collect(&d, s, save->state, e);

	if (!r && asprintf(&path, "trace/%s.dat", s->name) < 0)
		r = err_set(e, "no memory");
	if (!r)
		r = io_make_dirs(save->outdir, "trace", e);
	if (!r)
		r = out = io_create(save->outdir, path, e);
	if (r >= 0)
		r = sandbox_enter(SANDBOX_HELD, e);
	if (!r)
		r = dump_reserve(&d, out, e);
	if (!r)
		r = tracedat_write(out, &d.about, d.cpus, d.n_cpus, d.symbols, e);
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
