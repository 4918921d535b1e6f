#include "files.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "auto.h"
#include "capture.h"
#include "reader.h"
#include "units.h"

#define FILES_EVERY_MIN (10 * NS_PER_MS)
#define FILES_EVERY_MAX (24 * 3600 * NS_PER_S)
#define FILES_MEASURE_MAX 2000u         /* files that probe reads to know their size */
#define FILES_MEASURE_NS (5 * NS_PER_S) /* and how long it takes for that */
#define FILES_SIZE_UNKNOWN 4096u        /* what the others are taken for */
#define FILES_RECORD_HEAD 64u           /* what a ring has besides the content */

const char *const files_phase_text[FILES_PHASES] = { "start", "stop", "samples" };

struct files_name files_name(const struct source *s, const char *suffix)
{
	struct files_name name;

	snprintf(name.text, sizeof(name.text), "files-%u%s", s->index, suffix);
	return name;
}

const char *files_path_fault(const char *path)
{
	if (*path != '/')
		return "it does not begin with '/'";
	if (strlen(path) >= PATH_MAX)
		return "it is too long";
	while (*path == '/') {
		const char *name = path + 1;
		size_t n = strcspn(name, "/");

		if (n == 0 || n > NAME_MAX)
			return "a part of it is empty or too long";
		if (name[0] == '.' && (n == 1 || (n == 2 && name[1] == '.')))
			return "it has a '.' or '..'";
		path = name + n;
	}
	return NULL;
}

size_t files_field(const char *text)
{
	size_t n = 1;

	if (text[0] != '{' || !(isalpha((unsigned char)text[1]) || text[1] == '_'))
		return 0;
	while (isalnum((unsigned char)text[n]) || text[n] == '_')
		n++;
	return text[n] == '}' ? n + 1 : 0;
}

uint64_t files_phase_max(const struct files *files)
{
	return files->start && files->stop ? FILES_ALL_MAX / 2 : FILES_ALL_MAX;
}

static bool files_has_field(const char *path)
{
	for (; (path = strchr(path, '{')); path++) {
		if (files_field(path))
			return true;
	}
	return false;
}

static int files_decode_path(const struct files *files, struct files_path *path, json_t *spec,
			     struct err *e)
{
	json_error_t where;
	int optional = 0;
	const char *fault;

	if (json_unpack_ex(spec, &where, 0, "{s:s, s?b}", "path", &path->path, "optional",
			   &optional) < 0)
		return err_set(e, "a path is not well-formed: %s", where.text);
	fault = files_path_fault(path->path);
	if (fault)
		return err_set(e, "cannot take '%s': %s", path->path, fault);
	path->optional = optional;
	path->glob = strpbrk(path->path, "*?[") != NULL;
	path->template = files_has_field(path->path);
	if (path->template && !files->stop)
		return err_set(e,
			       "'%s' has a field of the stop event, and is not taken at the stop",
			       path->path);
	return 0;
}

static int files_decode_paths(struct files *files, const json_t *list, struct err *e)
{
	size_t n = json_array_size(list);

	if (n == 0 || n > FILES_PATHS_MAX)
		return err_set(e, "files are from 1 to %u paths, not %zu", FILES_PATHS_MAX, n);
	files->paths = calloc(n, sizeof(*files->paths));
	if (!files->paths)
		return err_set(e, "no memory for %zu paths", n);
	for (files->n = 0; files->n < n; files->n++) {
		json_t *spec = json_array_get(list, files->n);

		if (files_decode_path(files, &files->paths[files->n], spec, e) < 0)
			return e->code;
	}
	return 0;
}

static int files_check(const struct source *s, const struct files *files, struct err *e)
{
	if (!s->name || !*s->name || strlen(s->name) > 64 || strchr(s->name, '/'))
		return err_set(e, "the name of files can have no '/' and up to 64 bytes");
	if (!files->start && !files->stop && !files->every)
		return err_set(
			e,
			"files are taken at the start, at the stop or every so often: say which");
	if (files->every && (files->every < FILES_EVERY_MIN || files->every > FILES_EVERY_MAX))
		return err_set(e, "files are taken every %s to %s, not every %s",
			       duration_text(FILES_EVERY_MIN).text,
			       duration_text(FILES_EVERY_MAX).text,
			       duration_text(files->every).text);
	if (files->every && files->keep_ns < files->every)
		return err_set(e, "samples taken every %s are kept for longer than %s",
			       duration_text(files->every).text,
			       duration_text(files->keep_ns).text);
	if (files->max < 1 || files->max > FILES_MAX)
		return err_set(e, "'max' of a file is from 1B to %s", size_text(FILES_MAX).text);
	return 0;
}

static int files_decode(struct source *s, struct err *e)
{
	json_int_t every = 0, keep = 600 * NS_PER_S, max = 1 << 20;
	int start = 0, stop = 0;
	struct files *files;
	json_t *paths;
	json_error_t where;

	if (json_unpack_ex((json_t *)s->spec, &where, 0, "{s:o, s?b, s?b, s?I, s?I, s?I}", "paths",
			   &paths, "start", &start, "stop", &stop, "every", &every, "keep_ns",
			   &keep, "max", &max) < 0)
		return err_set(e, "files are not well-formed: %s", where.text);
	if (every < 0 || keep < 0 || max < 0)
		return err_set(e, "files cannot have a negative 'every', 'keep_ns' or 'max'");
	s->data = files = calloc(1, sizeof(*files));
	if (!files)
		return err_set(e, "no memory for the files");
	*files = (struct files) {
		.start = start, .stop = stop, .every = every, .keep_ns = keep, .max = max
	};
	if (files_check(s, files, e) < 0)
		return e->code;
	return files_decode_paths(files, paths, e);
}

struct measure {
	struct reader *reader;
	uint64_t until;    /* boot clock */
	unsigned int left; /* how many files may still be read */
	uint64_t bytes;
};

static void auto_measure(struct measure *m)
{
	reader_free(m->reader);
}

/* Reads a file for its size. Returns the errno, 0 if there was no time to look. */
static int measure_file(struct measure *m, const char *path)
{
	struct reader_answer a = { .size = FILES_SIZE_UNKNOWN };

	if (m->left > 0 && clock_boot() < m->until) {
		m->left--;
		reader_call(m->reader, READER_READ, path, &a);
	}
	m->bytes += FILES_RECORD_HEAD + (a.error == READER_TIMEOUT ? FILES_SIZE_UNKNOWN : a.size);
	return a.error;
}

static int measure_glob(struct measure *m, const char *pattern, struct err *e)
{
	autofree char *found = NULL;
	struct reader_answer a;

	reader_call(m->reader, READER_GLOB, pattern, &a);
	if (a.size == 0)
		return 0;
	found = malloc(a.size);
	if (!found)
		return err_set(e, "no memory for what matches '%s'", pattern);
	memcpy(found, a.data, a.size);
	for (const char *path = found; path < found + a.size; path += strlen(path) + 1)
		measure_file(m, path);
	return 0;
}

/* A literal path that is not there is the recipe's error for this host, found before anything
 * starts. */
static int measure_path(struct measure *m, const struct files_path *path, struct err *e)
{
	int error;

	if (path->template)
		return 0;
	if (path->glob)
		return measure_glob(m, path->path, e);
	error = measure_file(m, path->path);
	if (path->optional ||
	    (error != ENOENT && error != ENOTDIR && error != EISDIR && error != READER_REFUSED))
		return 0;
	if (error == READER_REFUSED)
		err_set(e, "'%s' is a device, pipe or socket, which could be read for ever",
			path->path);
	else if (error == EISDIR)
		err_set(e, "'%s' is a directory; '%s/*' stands for the files in it", path->path,
			path->path);
	else
		err_set(e, "this host has no '%s'; t.try takes it where it is", path->path);
	return err_exit(e, EXIT_HOST);
}

/* Half as much again as the measured sizes ask for: what /proc says grows. */
static uint64_t files_ring_size(const struct files *files)
{
	uint64_t least = FILES_RING_MIN > files->max * 2 ? FILES_RING_MIN : files->max * 2;
	uint64_t rounds = files->keep_ns / files->every + 1;
	uint64_t size;

	if (__builtin_mul_overflow(files->round, rounds, &size) || size > FILES_RING_MAX / 3 * 2)
		return FILES_RING_MAX;
	size += size / 2;
	return size < least ? least : size;
}

static uint64_t files_snapshot_size(const struct files *files)
{
	uint64_t want = files->round + files->round / 2 + FILES_RING_MIN;
	uint64_t most = files_phase_max(files);

	return (files->start + files->stop) * (want < most ? want : most);
}

static int files_probe(struct source *s, struct cost *cost, struct err *e)
{
	__attribute__((cleanup(auto_measure))) struct measure m = { .left = FILES_MEASURE_MAX };
	struct files *files = s->data;
	uint64_t bytes;

	if (reader_create(&m.reader, READER_HELPERS, files->max, e) < 0)
		return e->code;
	m.until = clock_boot() + FILES_MEASURE_NS;
	for (size_t i = 0; i < files->n; i++) {
		if (measure_path(&m, &files->paths[i], e) < 0)
			return e->code;
	}
	files->round = m.bytes;
	bytes = files_snapshot_size(files) + (files->every ? files_ring_size(files) : 0);
	cost->tmpfs_bytes += bytes;
	cost->output_bytes += bytes;
	return 0;
}

static int files_arm(struct source *s, struct capture *c, struct err *e)
{
	struct files *files = s->data;

	if (!files->every)
		return 0;
	return ring_create(&files->ring, c->state->fd, files_name(s, ".ring").text,
			   files_ring_size(files), e);
}

static void files_free(struct source *s)
{
	struct files *files = s->data;

	if (!files)
		return;
	ring_free(files->ring);
	free(files->paths);
	free(files);
	s->data = NULL;
}

const struct source_ops files_source = {
	.type = "files",
	.decode = files_decode,
	.probe = files_probe,
	.arm = files_arm,
	.live = files_live,
	.save = files_save,
	.free = files_free,
};
