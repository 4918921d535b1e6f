#include "source/taken.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/units.h"
#include "capture/capture.h"
#include "reader/reader.h"

#define TAKEN_EVERY_MIN (10 * NS_PER_MS)
#define TAKEN_EVERY_MAX (24 * 3600 * NS_PER_S)
#define TAKEN_MEASURE_MAX 2000u         /* files that probe reads to know their size */
#define TAKEN_MEASURE_NS (5 * NS_PER_S) /* and how long it takes for that */
#define TAKEN_SIZE_UNKNOWN 4096u        /* what the others are taken for */
#define TAKEN_RECORD_HEAD 64u           /* what a ring has besides the content */

const char *const taken_phase_text[TAKEN_PHASES] = { "start", "stop", "samples" };

struct taken_name taken_name(const struct source *s, const char *suffix)
{
	struct taken_name name;

	snprintf(name.text, sizeof(name.text), "taken-%u%s", s->index, suffix);
	return name;
}

const char *taken_path_fault(const char *path)
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

size_t taken_field(const char *text)
{
	size_t n = 1;

	if (text[0] != '{' || !(isalpha((unsigned char)text[1]) || text[1] == '_'))
		return 0;
	while (isalnum((unsigned char)text[n]) || text[n] == '_')
		n++;
	return text[n] == '}' ? n + 1 : 0;
}

uint64_t taken_phase_max(const struct taken *taken)
{
	return taken->start && taken->stop ? TAKEN_ALL_MAX / 2 : TAKEN_ALL_MAX;
}

static bool taken_has_field(const char *path)
{
	for (; (path = strchr(path, '{')); path++) {
		if (taken_field(path))
			return true;
	}
	return false;
}

int taken_make_items(struct taken *taken, size_t n, struct err *e)
{
	if (n == 0 || n > TAKEN_ITEMS_MAX)
		return err_set(e, "%s are from 1 to %u, not %zu", taken->kind->what,
			       TAKEN_ITEMS_MAX, n);
	taken->items = calloc(n, sizeof(*taken->items));
	return taken->items ? 0 : err_set(e, "no memory for %zu of %s", n, taken->kind->what);
}

int taken_add(struct taken *taken, const char *text, struct err *e)
{
	struct taken_item *item = &taken->items[taken->n];

	if (strlen(text) >= PATH_MAX)
		return err_set(e, "it asks for more than %d bytes can say", PATH_MAX);
	*item = (struct taken_item) { .text = text, .template = taken_has_field(text) };
	if (item->template && !taken->stop)
		return err_set(e,
			       "'%s' has a field of the stop event, and is not taken at the stop",
			       text);
	taken->n++;
	return 0;
}

static bool word_fits(const struct taken_word *word, const json_t *value)
{
	size_t i;
	json_t *item;

	json_array_foreach (value, i, item)
		if (!json_is_string(item) && !json_is_integer(item))
			return false;
	return json_typeof(value) == word->type;
}

int taken_add_query(struct source *s, const struct taken_word *words, size_t n, struct err *e)
{
	struct taken *taken = s->data;
	autojson json_t *query = json_object();

	for (size_t i = 0; i < n; i++) {
		json_t *value = json_object_get(s->spec, words[i].name);

		if (value && !word_fits(&words[i], value))
			return err_set(e, "'%s' of %s is not what it should be", words[i].name,
				       taken->kind->what);
		if (value)
			json_object_set(query, words[i].name, value);
	}
	taken->query = json_dumps(query, JSON_COMPACT | JSON_SORT_KEYS);
	if (!taken->query)
		return err_set(e, "no memory");
	if (taken_make_items(taken, 1, e) < 0)
		return e->code;
	return taken_add(taken, taken->query, e);
}

const char *taken_place(const struct taken *taken, const char *text)
{
	return taken->kind->dir ? "/answer" : text;
}

struct reader_setup taken_reader(const struct taken *taken)
{
	return (struct reader_setup) {
		.kind = taken->kind->reader,
		.helpers = taken->kind->helpers,
		.max = taken->max,
		/* who runs something ends it by itself, and then still has to say so */
		.deadline = taken->deadline ? taken->deadline + READER_DEADLINE : 0,
	};
}

static int taken_check(const struct source *s, const struct taken *taken, struct err *e)
{
	const char *what = taken->kind->what;

	if (!s->name || !*s->name || strlen(s->name) > 64 || strchr(s->name, '/'))
		return err_set(e, "the name of %s can have no '/' and up to 64 bytes", what);
	if (!taken->start && !taken->stop && !taken->every)
		return err_set(
			e, "%s are taken at the start, at the stop or every so often: say which",
			what);
	if (taken->every && (taken->every < TAKEN_EVERY_MIN || taken->every > TAKEN_EVERY_MAX))
		return err_set(e, "%s are taken every %s to %s, not every %s", what,
			       duration_text(TAKEN_EVERY_MIN).text,
			       duration_text(TAKEN_EVERY_MAX).text,
			       duration_text(taken->every).text);
	if (taken->every && taken->keep_ns < taken->every)
		return err_set(e, "`keep` of samples, %s, is shorter than `every`, %s",
			       duration_text(taken->keep_ns).text,
			       duration_text(taken->every).text);
	if (taken->max < 1 || taken->max > TAKEN_MAX)
		return err_set(e, "'max' of %s is from 1B to %s", what, size_text(TAKEN_MAX).text);
	return 0;
}

int taken_decode(struct source *s, const struct taken_kind *kind, struct err *e)
{
	json_int_t every = 0, keep = 600 * NS_PER_S, max = 1 << 20, deadline = 0;
	int start = 0, stop = 0;
	struct taken *taken;
	json_error_t where;

	if (json_unpack_ex((json_t *)s->spec, &where, 0, "{s?b, s?b, s?I, s?I, s?I, s?I}", "start",
			   &start, "stop", &stop, "every", &every, "keep_ns", &keep, "max", &max,
			   "deadline", &deadline) < 0)
		return err_set(e, "%s are not well-formed: %s", kind->what, where.text);
	if (every < 0 || keep < 0 || max < 0 || deadline < 0)
		return err_set(e, "%s cannot have a negative 'every', 'keep_ns' or 'max'",
			       kind->what);
	s->data = taken = calloc(1, sizeof(*taken));
	if (!taken)
		return err_set(e, "no memory for %s", kind->what);
	*taken = (struct taken) { .kind = kind,
				  .start = start,
				  .stop = stop,
				  .every = every,
				  .keep_ns = keep,
				  .max = max,
				  .deadline = deadline };
	s->finish = deadline;
	return taken_check(s, taken, e);
}

struct measure {
	const struct taken *taken;
	struct reader *reader;
	uint64_t until;    /* boot clock */
	unsigned int left; /* how many files may still be read */
	uint64_t bytes;
};

static void auto_measure(struct measure *m)
{
	reader_free(m->reader);
}

/* Asks once for the size. Returns the errno, 0 if there was no time to look. */
static int measure_one(struct measure *m, const char *text)
{
	struct reader_answer a = { .size = TAKEN_SIZE_UNKNOWN };

	if (m->left > 0 && clock_boot() < m->until) {
		m->left--;
		reader_call(m->reader, m->taken->kind->op, text, &a);
	}
	m->bytes += TAKEN_RECORD_HEAD + (a.error == READER_TIMEOUT ? TAKEN_SIZE_UNKNOWN : a.size);
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
		measure_one(m, path);
	return 0;
}

/* A literal path that is not there is the recipe's error for this host, found before anything
 * starts. */
static int measure_path(struct measure *m, const struct taken_item *item, struct err *e)
{
	int error;

	if (item->glob)
		return measure_glob(m, item->text, e);
	error = measure_one(m, item->text);
	if (item->optional ||
	    (error != ENOENT && error != ENOTDIR && error != EISDIR && error != READER_REFUSED))
		return 0;
	if (error == READER_REFUSED)
		err_set(e, "'%s' is a device, pipe or socket, which could be read for ever",
			item->text);
	else if (error == EISDIR)
		err_set(e, "'%s' is a directory; '%s/*' stands for the files in it", item->text,
			item->text);
	else
		err_set(e, "this host has no '%s'; t.try takes it where it is", item->text);
	return err_exit(e, EXIT_HOST);
}

static int measure_item(struct measure *m, const struct taken_item *item, struct err *e)
{
	int error;

	if (item->template)
		return 0;
	if (!m->taken->kind->dir)
		return measure_path(m, item, e);
	error = measure_one(m, item->text);
	if (!error || error == READER_TIMEOUT)
		return 0;
	err_set(e, "%s cannot be taken: %s", m->taken->kind->what, reader_error_text(error));
	return err_exit(e, EXIT_HOST);
}

/* Half as much again as the measured sizes ask for: what /proc says grows. */
static uint64_t taken_ring_size(const struct taken *taken)
{
	uint64_t least = TAKEN_RING_MIN > taken->max * 2 ? TAKEN_RING_MIN : taken->max * 2;
	uint64_t rounds = taken->keep_ns / taken->every + 1;
	uint64_t size;

	if (__builtin_mul_overflow(taken->round, rounds, &size) || size > TAKEN_RING_MAX / 3 * 2)
		return TAKEN_RING_MAX;
	size += size / 2;
	return size < least ? least : size;
}

static uint64_t taken_snapshot_size(const struct taken *taken)
{
	uint64_t want = taken->round + taken->round / 2 + TAKEN_RING_MIN;
	uint64_t most = taken_phase_max(taken);

	return (taken->start + taken->stop) * (want < most ? want : most);
}

int taken_probe(struct source *s, struct cost *cost, struct err *e)
{
	__attribute__((cleanup(auto_measure))) struct measure m = { .taken = s->data,
								    .left = TAKEN_MEASURE_MAX };
	struct taken *taken = s->data;
	const struct reader_setup setup = taken_reader(taken);
	uint64_t bytes;

	m.bytes = taken->kind->expected;
	if (!m.bytes && reader_create(&m.reader, &setup, e) < 0)
		return e->code;
	m.until = clock_boot() + TAKEN_MEASURE_NS;
	for (size_t i = 0; m.reader && i < taken->n; i++) {
		if (measure_item(&m, &taken->items[i], e) < 0)
			return e->code;
	}
	taken->round = m.bytes;
	bytes = taken_snapshot_size(taken) + (taken->every ? taken_ring_size(taken) : 0);
	cost->tmpfs_bytes += bytes;
	cost->output_bytes += bytes;
	return 0;
}

int taken_arm(struct source *s, struct capture *c, struct err *e)
{
	struct taken *taken = s->data;

	if (!taken->every)
		return 0;
	return ring_create(&taken->ring, c->state->fd, taken_name(s, ".ring").text,
			   taken_ring_size(taken), e);
}

void taken_free(struct source *s)
{
	struct taken *taken = s->data;

	if (!taken)
		return;
	ring_free(taken->ring);
	free(taken->items);
	free(taken->query);
	free(taken);
	s->data = NULL;
}
