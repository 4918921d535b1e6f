/* Saving what was taken, from the state directory.
 *
 * A file of samples has for each sample one line and then the content:
 *
 *     # TIME_NS_BOOT UTC SIZE[ WHAT]
 *
 * SIZE counts the content's bytes, without the newline that is added where the content does not end
 * in one. WHAT is there if the sample is not whole: "truncated", or of a read that failed (SIZE is
 * 0) why it did. */
#include "source/taken.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/io.h"
#include "base/text.h"
#include "base/units.h"
#include "reader/reader.h"

#define NAMES_SIZE_MAX ((size_t)TAKEN_NAMES_MAX * 256)
#define INDEX_SIZE_MAX ((size_t)256 << 20)
#define LATE_NS NS_PER_S /* how long before the cut the last look may be, besides two periods */

struct saver {
	struct source *s;
	const struct taken *taken;
	struct save *save;
	uint64_t cut;
	char *names; /* the file, and where each name in it begins */
	char **name;
	size_t n_names;
	FILE *errors[TAKEN_PHASES];
	char *errors_text[TAKEN_PHASES];
	size_t errors_size[TAKEN_PHASES];
	bool done[TAKEN_PHASES];
	bool truncated;
	uint32_t failed; /* how many times a path that is not optional was not read */
	int first_errno; /* of the first of these */
	char first[160]; /* "'/proc/x': denied" */
};

/* A record's kind, to sort by, and where ring_next finds it. */
struct place {
	uint64_t cursor;
	uint32_t kind;
};

static void saver_error(struct saver *v, enum taken_phase phase, const char *path, const char *what)
{
	FILE *f = v->errors[phase];

	if (!f)
		f = v->errors[phase] =
			open_memstream(&v->errors_text[phase], &v->errors_size[phase]);
	if (!f)
		return;
	path = v->taken->kind->dir ? v->s->name : path;
	text_put(f, path, strlen(path));
	fputc('\t', f);
	text_put(f, what, strlen(what));
	fputc('\n', f);
}

static void saver_failed(struct saver *v, int error, const char *path, const char *what)
{
	if (v->failed++)
		return;
	v->first_errno = error;
	snprintf(v->first, sizeof(v->first), "'%.100s': %.50s",
		 v->taken->kind->dir ? v->s->name : path, what);
}

static int saver_names(struct saver *v, struct err *e)
{
	size_t size, n = 0;

	if (io_read_file(v->save->statedir, taken_name(v->s, ".names").text, NAMES_SIZE_MAX,
			 &v->names, &size, e) < 0)
		return e->code;
	v->name = calloc(TAKEN_NAMES_MAX, sizeof(*v->name));
	if (!v->name)
		return err_set(e, "no memory for the names of the files");
	for (char *at = v->names, *end = v->names + size, *nul; n < TAKEN_NAMES_MAX; at = nul + 1) {
		nul = memchr(at, '\0', end - at);
		if (!nul)
			break;
		v->name[n++] = at;
	}
	v->n_names = n;
	return 0;
}

/* Where what was taken in PHASE goes in the bundle: files by their paths, an answer by its source's
 * name. The caller's to free; NULL without memory. */
static char *saver_path_of(const struct saver *v, enum taken_phase phase, const char *text)
{
	const char *dir = v->taken->kind->dir;
	char *path = NULL;
	int n;

	if (!dir && phase == TAKEN_SAMPLE)
		n = asprintf(&path, "samples%s", text);
	else if (!dir)
		n = asprintf(&path, "files/%s%s", taken_phase_text[phase], text);
	else if (phase == TAKEN_SAMPLE)
		n = asprintf(&path, "%s/%s.txt", dir, v->s->name);
	else
		n = asprintf(&path, "%s/%s-%s.txt", dir, v->s->name, taken_phase_text[phase]);
	return n < 0 ? NULL : path;
}

/* A path that another source has taken already gets this one's name appended. Returns the
 * descriptor or -errno. */
static int saver_create(struct saver *v, enum taken_phase phase, const char *text, struct err *e)
{
	autofree char *out = saver_path_of(v, phase, text), *dir = NULL, *other = NULL;
	int fd;

	if (!v->taken->kind->dir && taken_path_fault(text))
		return err_set(e, "'%s' is no path to keep: %s", text, taken_path_fault(text));
	if (!out || asprintf(&other, "%s.%s", out, v->s->name) < 0)
		return err_set(e, "no memory");
	dir = strndup(out, strrchr(out, '/') - out);
	if (!dir)
		return err_set(e, "no memory");
	if (io_make_dirs(v->save->outdir, dir, e) < 0)
		return e->code;
	fd = io_create(v->save->outdir, out, e);
	return fd == -EEXIST ? io_create(v->save->outdir, other, e) : fd;
}

static int saver_copy(struct saver *v, const struct taken_entry *entry, const char *path,
		      struct err *e)
{
	autofree char *in = NULL, *data = NULL;
	autoclose int out = -1;
	size_t size;

	if (asprintf(&in, "%s/%s%s", taken_name(v->s, "").text, taken_phase_text[entry->phase],
		     taken_place(v->taken, path)) < 0)
		return err_set(e, "no memory");
	if (io_read_file(v->save->statedir, in, TAKEN_MAX, &data, &size, e) < 0)
		return e->code;
	out = saver_create(v, entry->phase, path, e);
	if (out < 0 || io_write(out, data, size, e) < 0)
		return e->code;
	if (close(take_fd(&out)) < 0)
		return err_sys(e, "cannot write '%s'", path);
	v->save->report->records++;
	v->save->report->bytes += size;
	return 0;
}

static void saver_entry(struct saver *v, const struct taken_entry *entry, const char *path,
			const char *note)
{
	int error = entry->what & TAKEN_ERRNO;
	struct err e = ERR_INIT;

	if (entry->what & TAKEN_DONE) {
		v->done[entry->phase] = true;
		return;
	}
	if (!error && entry->phase != TAKEN_SAMPLE && saver_copy(v, entry, path, &e) < 0) {
		error = -e.code;
		note = e.text;
	}
	if (error) {
		saver_error(v, entry->phase, path, note);
		if (!(entry->what & TAKEN_OPTIONAL))
			saver_failed(v, error, path, note);
		return;
	}
	if (entry->what & TAKEN_TRUNCATED) {
		char text[64];

		snprintf(text, sizeof(text), "truncated after %" PRIu64 " bytes", entry->size);
		saver_error(v, entry->phase, path, text);
		v->truncated = true;
	}
}

/* Takes one entry; returns its length, 0 at the end or at one that is cut short. */
static size_t saver_index_step(struct saver *v, const char *at, size_t left)
{
	struct taken_entry entry;
	char path[PATH_MAX + 1], note[PATH_MAX + 1];

	if (left < sizeof(entry))
		return 0;
	memcpy(&entry, at, sizeof(entry));
	left -= sizeof(entry);
	if (entry.phase >= TAKEN_PHASES || entry.path_size > PATH_MAX ||
	    entry.note_size > PATH_MAX || (size_t)entry.path_size + entry.note_size > left)
		return 0;
	snprintf(path, sizeof(path), "%.*s", (int)entry.path_size, at + sizeof(entry));
	snprintf(note, sizeof(note), "%.*s", (int)entry.note_size,
		 at + sizeof(entry) + entry.path_size);
	saver_entry(v, &entry, path, note);
	return sizeof(entry) + entry.path_size + entry.note_size;
}

static int saver_index(struct saver *v, struct err *e)
{
	autofree char *index = NULL;
	size_t size, at = 0, step;

	if (io_read_file(v->save->statedir, taken_name(v->s, ".index").text, INDEX_SIZE_MAX, &index,
			 &size, e) < 0)
		return e->code;
	while ((step = saver_index_step(v, index + at, size - at)))
		at += step;
	return 0;
}

static void saver_sample(struct saver *v, FILE *out, const char *path, const struct ring_record *r)
{
	int error = r->aux & TAKEN_ERRNO;
	const char *what = error                      ? reader_error_text(error)
			   : r->aux & TAKEN_TRUNCATED ? "truncated"
						      : "";
	const char *data = r->data;

	fprintf(out, "# %" PRIu64 " %s %u%s%s\n", r->time,
		clock_utc(save_wall(v->save, r->time)).text, r->size, *what ? " " : "", what);
	fwrite(data, 1, r->size, out);
	if (r->size && data[r->size - 1] != '\n')
		fputc('\n', out);
	v->save->report->records++;
	v->save->report->bytes += r->size;
	v->truncated |= !error && (r->aux & TAKEN_TRUNCATED);
	if (error && !(r->aux & TAKEN_OPTIONAL))
		saver_failed(v, error, path, what);
}

/* The samples of one path, which are N places next to each other. */
static int saver_path(struct saver *v, const struct ring *ring, const struct place *places,
		      size_t n, struct err *e)
{
	const char *path = v->name[places->kind];
	autofclose FILE *out = NULL;
	autoclose int fd = saver_create(v, TAKEN_SAMPLE, path, e);
	struct ring_record r;
	bool failed;

	if (fd < 0)
		return fd;
	out = fdopen(fd, "w");
	if (!out)
		return err_sys(e, "cannot write '%s'", path);
	take_fd(&fd);
	for (size_t i = 0; i < n; i++) {
		uint64_t cursor = places[i].cursor;

		if (ring_next(ring, &cursor, &r))
			saver_sample(v, out, path, &r);
	}
	failed = ferror(out);
	if (fclose(take_ptr(out)) != 0 || failed)
		return err_sys(e, "cannot write the samples of '%s'", path);
	return 0;
}

static int place_compare(const void *left, const void *right)
{
	const struct place *a = left, *b = right;

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	return a->cursor < b->cursor ? -1 : a->cursor > b->cursor;
}

/* Where the samples are that are to be kept; *n of them. Tells the window of the report on the way.
 */
static struct place *saver_places(struct saver *v, const struct ring *ring, size_t *n)
{
	struct report *report = v->save->report;
	struct place *places = NULL;
	uint64_t cursor = 0, before = 0;
	struct ring_record r;
	size_t room = 0;

	for (*n = 0; ring_next(ring, &cursor, &r); before = cursor) {
		if (r.kind >= v->n_names || r.time > v->cut)
			continue;
		if (*n == room) {
			struct place *grown =
				realloc(places, (room = room ? room * 2 : 1024) * sizeof(*places));

			if (!grown)
				break;
			places = grown;
		}
		places[(*n)++] = (struct place) { .cursor = before, .kind = r.kind };
		report->from = !report->from || r.time < report->from ? r.time : report->from;
		report->to = r.time > report->to ? r.time : report->to;
	}
	return places;
}

static void saver_counters(struct saver *v, struct ring *ring)
{
	const struct ring_counters *counters = ring_counters(ring);
	struct report *report = v->save->report;

	report->overwritten = counters->overwritten;
	if (counters->lost)
		report_hole(report, "samples", counters->lost_since, counters->lost_until,
			    counters->lost);
	if (counters->seen_since && !counters->overwritten)
		report->from = counters->seen_since;
	if (counters->seen_until > report->to)
		report->to = counters->seen_until < v->cut ? counters->seen_until : v->cut;
	v->done[TAKEN_SAMPLE] = counters->seen_until + 2 * v->taken->every + LATE_NS >= v->cut ||
				v->cut == UINT64_MAX;
	if (!v->done[TAKEN_SAMPLE])
		report_hole(report, "its process had ended", report->to, v->cut, 0);
}

static int saver_samples(struct saver *v, struct err *e)
{
	struct ring *ring = NULL;
	autofree struct place *places = NULL;
	size_t n, end;
	int r = 0;

	if (ring_open(&ring, v->save->statedir, taken_name(v->s, ".ring").text, e) < 0)
		return e->code;
	places = saver_places(v, ring, &n);
	if (places)
		qsort(places, n, sizeof(*places), place_compare);
	for (size_t i = 0; i < n && !r; i = end) {
		for (end = i; end < n && places[end].kind == places[i].kind; end++)
			;
		r = saver_path(v, ring, places + i, end - i, e);
	}
	saver_counters(v, ring);
	ring_free(ring);
	return r;
}

/* What could not be read, one line each: the path, a tab, what happened. */
static int saver_errors(struct saver *v, enum taken_phase phase, struct err *e)
{
	static const char *const of_files[] = { "files/start", "files/stop", "samples" };
	const char *dir = v->taken->kind->dir ? v->taken->kind->dir : of_files[phase];
	autofree char *path = NULL;

	if (!v->errors[phase])
		return 0;
	if (fclose(take_ptr(v->errors[phase])) != 0 ||
	    asprintf(&path, "%s/ERRORS-%s%s%s.txt", dir, v->s->name, v->taken->kind->dir ? "-" : "",
		     v->taken->kind->dir ? taken_phase_text[phase] : "") < 0)
		return err_set(e, "no memory for what could not be read");
	if (io_make_dirs(v->save->outdir, dir, e) < 0)
		return e->code;
	return io_create_file(v->save->outdir, path, v->errors_text[phase], v->errors_size[phase],
			      e);
}

static enum outcome outcome_of(int error)
{
	static const struct {
		int error;
		enum outcome outcome;
	} outcomes[] = {
		{ ENOENT, OUTCOME_ABSENT },          { ENOTDIR, OUTCOME_ABSENT },
		{ EACCES, OUTCOME_DENIED },          { EPERM, OUTCOME_DENIED },
		{ READER_TIMEOUT, OUTCOME_TIMEOUT },
	};

	for (size_t i = 0; i < countof(outcomes); i++) {
		if (outcomes[i].error == error)
			return outcomes[i].outcome;
	}
	return OUTCOME_FAILED;
}

static const char *saver_unfinished(const struct saver *v)
{
	if (v->taken->stop && !v->done[TAKEN_STOP])
		return "the snapshot at the stop is not complete: its process had ended";
	if (v->taken->start && !v->done[TAKEN_START])
		return "the snapshot at the start is not complete: its process had ended";
	if (v->taken->every && !v->done[TAKEN_SAMPLE])
		return "the samples end before the stop: its process had ended";
	return NULL;
}

static void saver_conclude(struct saver *v)
{
	struct report *report = v->save->report;
	const char *unfinished = saver_unfinished(v);

	report->outcome = OUTCOME_OK;
	if (v->truncated) {
		report->outcome = OUTCOME_TRUNCATED;
		snprintf(report->note, sizeof(report->note),
			 v->taken->kind->reader == READER_OF_COMMANDS
				 ? "a command printed more than is kept, or was killed at its "
				   "deadline"
				 : "there was more than is kept of it");
	}
	if (v->failed) {
		report->outcome = report->bytes ? OUTCOME_PARTIAL : outcome_of(v->first_errno);
		snprintf(report->note, sizeof(report->note), "not taken: %u, the first of them %s",
			 v->failed, v->first);
	}
	if (unfinished) {
		report->outcome = report->bytes ? OUTCOME_PARTIAL : OUTCOME_FAILED;
		snprintf(report->note, sizeof(report->note), "%s", unfinished);
	}
}

static void saver_free(struct saver *v)
{
	for (int phase = 0; phase < TAKEN_PHASES; phase++) {
		if (v->errors[phase])
			fclose(v->errors[phase]);
		free(v->errors_text[phase]);
	}
	free(v->name);
	free(v->names);
}

int taken_save(struct source *s, struct save *save, struct err *e)
{
	__attribute__((cleanup(saver_free))) struct saver v = {
		.s = s,
		.taken = s->data,
		.save = save,
		.cut = save->stop->cut ? save->stop->cut : UINT64_MAX,
	};
	int r;

	if (saver_names(&v, e) < 0 || saver_index(&v, e) < 0)
		return err_wrap(e, "nothing was recorded");
	r = v.taken->every ? saver_samples(&v, e) : 0;
	for (int phase = 0; phase < TAKEN_PHASES && !r; phase++)
		r = saver_errors(&v, phase, e);
	if (!r)
		saver_conclude(&v);
	return r;
}
