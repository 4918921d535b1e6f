/* last.txt: the last moments before the stop, all sources interleaved. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/units.h"
#include "bundle/manifest.h"
#include "bundle/tree.h"
#include "convert/calls.h"
#include "convert/convert.h"
#include "convert/tracetext.h"
#include "packet/packettext.h"
#include "packet/pcapng.h"
#include "process/sandbox.h"
#include "trace/tracedat.h"

#define LAST_BEFORE 500          /* lines of each source before the stop */
#define LAST_AFTER 100           /* and after it */
#define LAST_LOG_BYTES (1 << 20) /* of a log's end, and of its lines before the stop: */
#define LAST_LOG_LINES 100
#define LAST_FORMATS_BYTES (64 << 20)

/* One file that is open for reading. */
struct last_input {
	char *path;
	int fd;
};

struct last_line {
	uint64_t time; /* boot clock */
	size_t order;  /* of its coming, for equal times */
	char *text;
};

struct last {
	struct last_input *inputs;
	size_t n_inputs;
	struct last_line *lines;
	size_t n_lines;
	uint64_t stop;
	size_t after;            /* lines of this source that came after the stop */
	const char *label;       /* of this source */
	struct formats *formats; /* of the host's events, NULL if they are not known */
	struct anchor *anchors;  /* oldest first */
	size_t n_anchors;
};

/* The file's name without directory and suffix: what its lines are labelled with. */
static void last_label(const char *path, char *label, size_t size)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path,
		   *dot = strrchr(name, '.');

	snprintf(label, size, "%.*s", (int)(dot ? (size_t)(dot - name) : strlen(name)), name);
}

/* Whether there is room for one more line of that time from the same source. */
static bool last_wants(struct last *l, uint64_t time)
{
	return time <= l->stop || l->after++ < LAST_AFTER;
}

/* Takes TEXT over. */
static int last_add(struct last *l, uint64_t time, char *text)
{
	struct last_line *grown = realloc(l->lines, (l->n_lines + 1) * sizeof(*grown));
	if (grown)
		l->lines = grown;
	if (!text || !grown) {
		free(text);
		return -ENOMEM;
	}
	grown[l->n_lines] = (struct last_line) { .time = time, .order = l->n_lines, .text = text };
	l->n_lines++;
	return 0;
}

/* A record is one line, or several: what was lost before it, its stack. */
static int last_add_record(struct last *l, struct tracetext *text,
			   const struct tracedat_record *record, const char *label)
{
	autofree char *lines = NULL;
	size_t size;
	FILE *out = open_memstream(&lines, &size);
	char *line, *rest, *labelled;
	int r = 0;

	if (!out)
		return -ENOMEM;
	tracetext_line(text, record, out);
	fclose(out);
	for (line = strtok_r(lines, "\n", &rest); line && r == 0;
	     line = strtok_r(NULL, "\n", &rest)) {
		if (asprintf(&labelled, "%-10s %s", label, line) < 0)
			return -ENOMEM;
		r = last_add(l, record->time, labelled);
	}
	return r;
}

static int last_trace_records(struct last *l, const struct tracedat *dat, const char *label,
			      struct err *e)
{
	struct tracedat_walk *walk;
	struct tracedat_record record;
	struct tracetext *text;
	int r;

	if (tracetext_open(&text, dat, e) < 0)
		return e->code;
	r = tracedat_walk_open(&walk, dat, e);
	if (r == 0) {
		tracedat_walk_seek_last(walk, LAST_BEFORE, l->stop + 1);
		while (r == 0 && tracedat_walk_next(walk, &record) > 0 &&
		       last_wants(l, record.time))
			r = last_add_record(l, text, &record, label);
		tracedat_walk_close(walk);
	}
	tracetext_close(text);
	return r;
}

static int last_trace(struct last *l, const struct last_input *input, const char *label,
		      struct err *e)
{
	struct tracedat *dat;
	int r;

	if (tracedat_open(&dat, input->fd, e) < 0)
		return e->code;
	r = last_trace_records(l, dat, label, e);
	tracedat_close(dat);
	return r;
}

static int last_call(void *arg, uint64_t time, const char *text)
{
	struct last *l = arg;
	char *labelled;

	if (!last_wants(l, time))
		return 0;
	if (asprintf(&labelled, "%-10s %s", l->label, text) < 0)
		return -ENOMEM;
	return last_add(l, time, labelled);
}

/* A call is two records. */
static int last_call_records(struct last *l, const struct tracedat *dat, struct err *e)
{
	struct tracedat_record record = { .time = 0 };
	struct tracedat_walk *walk = NULL;
	struct calls *calls;
	int r;

	if (calls_open(&calls, dat, l->formats, last_call, l, e) < 0)
		return e->code;
	r = tracedat_walk_open(&walk, dat, e);
	if (r == 0)
		tracedat_walk_seek_last(walk, 2 * LAST_BEFORE, l->stop + 1);
	while (r == 0 && l->after < LAST_AFTER && tracedat_walk_next(walk, &record) > 0)
		r = calls_take(calls, &record);
	if (r == 0)
		r = calls_finish(calls, record.time > l->stop ? record.time : l->stop);
	tracedat_walk_close(walk);
	calls_close(calls);
	return r;
}

static int last_syscalls(struct last *l, const struct last_input *input, const char *label,
			 struct err *e)
{
	struct tracedat *dat;
	int r;

	if (tracedat_open(&dat, input->fd, e) < 0)
		return e->code;
	l->label = label;
	r = last_call_records(l, dat, e);
	tracedat_close(dat);
	return r;
}

static char *last_packet_text(struct pcapng_reader *reader, const struct pcapng_packet *packet,
			      const char *label)
{
	const struct pcapng_interface *interface =
		pcapng_reader_interface(reader, packet->interface);
	char *line = NULL;
	size_t size;
	FILE *out = open_memstream(&line, &size);

	if (!out)
		return NULL;
	fprintf(out, "%-10s %-8s ", label, interface ? interface->name : "?");
	packettext_line(interface ? interface->link : 0, packet->data, packet->caplen, packet->len,
			out);
	fclose(out);
	return line;
}

static int last_add_packet(struct last *l, struct pcapng_reader *reader,
			   const struct pcapng_packet *packet, const char *label)
{
	return last_add(l, anchors_boot(l->anchors, l->n_anchors, packet->wall_ns),
			last_packet_text(reader, packet, label));
}

static int last_packets_after(struct last *l, struct pcapng_reader *reader, uint64_t wall_stop,
			      const char *label, struct err *e)
{
	struct pcapng_packet packet;
	int r = 0;

	while (r == 0 && pcapng_reader_next(reader, &packet, NULL, e) > 0) {
		if (packet.wall_ns <= wall_stop)
			continue;
		if (!last_wants(l, anchors_boot(l->anchors, l->n_anchors, packet.wall_ns)))
			break;
		r = last_add_packet(l, reader, &packet, label);
	}
	return r;
}

static int last_packets_before(struct last *l, struct pcapng_reader *reader, uint64_t wall_stop,
			       const char *label, struct err *e)
{
	uint64_t offsets[LAST_BEFORE];
	size_t n = pcapng_reader_last(reader, wall_stop, offsets, LAST_BEFORE, e);
	struct pcapng_packet packet;
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		r = pcapng_reader_at(reader, offsets[i], &packet, e);
		if (r == 0)
			r = last_add_packet(l, reader, &packet, label);
	}
	return r;
}

static int last_packets(struct last *l, const struct last_input *input, const char *label,
			struct err *e)
{
	uint64_t wall_stop = anchors_wall(l->anchors, l->n_anchors, l->stop);
	int (*const sides[])(struct last *, struct pcapng_reader *, uint64_t, const char *,
			     struct err *) = { last_packets_before, last_packets_after };
	int r = 0;

	for (size_t i = 0; i < countof(sides) && r == 0; i++) {
		struct pcapng_reader *reader;

		if (pcapng_reader_new(&reader, input->fd, e) < 0)
			return e->code;
		r = sides[i](l, reader, wall_stop, label, e);
		pcapng_reader_free(reader);
	}
	return r;
}

/* A log line is "UTC SECONDS.NANOSECONDS LEVEL TEXT": its second word is the boot time. */
static int last_log_line(struct last *l, const char *line, const char *label)
{
	unsigned long long seconds, ns;
	char *text;
	int at;

	if (sscanf(line, "%*s %llu.%9llu %n", &seconds, &ns, &at) != 2 ||
	    !last_wants(l, seconds * NS_PER_S + ns))
		return 0;
	if (asprintf(&text, "%-10s %s", label, line + at) < 0)
		return -ENOMEM;
	return last_add(l, seconds * NS_PER_S + ns, text);
}

/* Where the last lines before the stop begin. */
static char *last_log_start(const struct last *l, char *text)
{
	char *starts[LAST_LOG_LINES] = { text };
	unsigned long long seconds;
	size_t n = 0;

	for (char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (sscanf(line, "%*s %llu.", &seconds) == 1 && seconds * NS_PER_S > l->stop)
			break;
		starts[n++ % LAST_LOG_LINES] = line;
	}
	return n < LAST_LOG_LINES ? text : starts[n % LAST_LOG_LINES];
}

static int last_log(struct last *l, const struct last_input *input, const char *label,
		    struct err *e)
{
	off_t size = lseek(input->fd, 0, SEEK_END);
	autofree char *tail = NULL;
	char *line, *rest;
	int r = 0;

	if (lseek(input->fd, size > LAST_LOG_BYTES ? size - LAST_LOG_BYTES : 0, SEEK_SET) < 0 ||
	    io_read(input->fd, LAST_LOG_BYTES, &tail, NULL, e) < 0)
		return err_wrap(e, "%s", input->path);
	for (line = strtok_r(last_log_start(l, tail), "\n", &rest); line && r == 0;
	     line = strtok_r(NULL, "\n", &rest))
		r = last_log_line(l, line, label);
	return r;
}

static const struct last_kind {
	const char *dir;
	const char *suffix;
	int (*take)(struct last *l, const struct last_input *input, const char *label,
		    struct err *e);
} last_kinds[] = {
	{ "trace/", ".dat", last_trace },
	{ "syscalls/", ".dat", last_syscalls },
	{ "packets/", ".pcapng", last_packets },
	{ "logs/", ".log", last_log },
};

static const struct last_kind *last_kind(const char *path)
{
	for (size_t i = 0; i < countof(last_kinds); i++) {
		size_t length = strlen(path), suffix = strlen(last_kinds[i].suffix);

		if (!strncmp(path, last_kinds[i].dir, strlen(last_kinds[i].dir)) &&
		    length > suffix && !strcmp(path + length - suffix, last_kinds[i].suffix))
			return &last_kinds[i];
	}
	return NULL;
}

static int last_open_input(void *arg, int dirfd, const char *path, struct err *e)
{
	struct last *l = arg;
	struct last_input *grown;

	if (!last_kind(path))
		return 0;
	grown = realloc(l->inputs, (l->n_inputs + 1) * sizeof(*grown));
	if (!grown)
		return err_set(e, "no memory");
	l->inputs = grown;
	grown[l->n_inputs].path = strdup(path);
	grown[l->n_inputs].fd = openat(dirfd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	return grown[l->n_inputs++].fd < 0 ? err_sys(e, "cannot open '%s'", path) : 0;
}

static int last_order(const void *a, const void *b)
{
	const struct last_line *x = a, *y = b;

	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

static void last_write(const struct last *l, FILE *out)
{
	bool marked = false;

	fputs("# seconds to the stop, UTC, source, what; the stop is where it says so\n", out);
	for (size_t i = 0; i < l->n_lines; i++) {
		const struct last_line *line = &l->lines[i];
		int64_t delta = (int64_t)(line->time - l->stop);

		if (!marked && delta > 0)
			fputs("-------- the stop --------\n", out);
		marked |= delta > 0;
		fprintf(out, "%+15.9f %s %s\n", (double)delta / NS_PER_S,
			clock_utc(anchors_wall(l->anchors, l->n_anchors, line->time)).text +
				strlen("2026-08-24T"),
			line->text);
	}
	if (!marked)
		fputs("-------- the stop --------\n", out);
}

/* A source that cannot be read costs its own lines, and one that says so. */
static void last_take(struct last *l)
{
	for (size_t i = 0; i < l->n_inputs; i++) {
		const struct last_input *input = &l->inputs[i];
		struct err e = ERR_INIT;
		char label[80], *text;

		l->after = 0;
		last_label(input->path, label, sizeof(label));
		if (last_kind(input->path)->take(l, input, label, &e) == 0 && !e.code)
			continue;
		if (asprintf(&text, "%-10s CANNOT BE READ: %s", label, e.text) >= 0)
			last_add(l, l->stop, text);
	}
	if (l->n_lines)
		qsort(l->lines, l->n_lines, sizeof(*l->lines), last_order);
}

static void last_free(struct last *l)
{
	for (size_t i = 0; i < l->n_inputs; i++) {
		close(l->inputs[i].fd);
		free(l->inputs[i].path);
	}
	for (size_t i = 0; i < l->n_lines; i++)
		free(l->lines[i].text);
	formats_free(l->formats);
	free(l->inputs);
	free(l->anchors);
	free(l->lines);
}

static int last_times(struct last *l, int bundledir, struct err *e)
{
	autojson json_t *manifest = NULL;

	if (manifest_read(&manifest, bundledir, e) < 0)
		return e->code;
	l->stop = manifest_int(json_object_get(json_object_get(manifest, "stop"), "event"), "boot");
	return manifest_anchors(manifest, &l->anchors, &l->n_anchors, e);
}

/* Without them, arguments have no names. */
static void last_formats(struct last *l, int bundledir)
{
	autofree char *text = NULL;
	struct err none = ERR_INIT;

	if (io_read_file(bundledir, "host/formats.txt", LAST_FORMATS_BYTES, &text, NULL, &none) ==
	    0)
		formats_read(&l->formats, text, &none);
}

static int last_make(struct last *l, int bundledir, struct err *e)
{
	autofclose FILE *out = NULL;
	int fd;

	if (last_times(l, bundledir, e) < 0 || tree_walk(bundledir, last_open_input, l, e) < 0)
		return e->code;
	last_formats(l, bundledir);
	unlinkat(bundledir, "last.txt", 0);
	fd = io_create(bundledir, "last.txt", e);
	if (fd < 0)
		return fd;
	out = fdopen(fd, "w");
	if (!out)
		return err_sys(e, "last.txt");
	if (sandbox_enter(SANDBOX_COMPUTE, e) < 0)
		return e->code;
	last_take(l);
	last_write(l, out);
	return fflush(out) ? err_sys(e, "cannot write last.txt") : 0;
}

static int last_run(int bundledir, const char *path, struct err *e)
{
	struct last l = { 0 };
	int r;

	(void)path;
	r = last_make(&l, bundledir, e);
	last_free(&l);
	return r;
}

const struct converter last_converter = {
	.what = "last.txt",
	.run = last_run,
};
