/* What the parts of the files source share: the plan's words, and the files in the state directory.
 *
 * files-N.ring    the samples: kind is the path's number, aux an errno and FILES_* flags
 * files-N.names   the paths in the order of their numbers, each ended by a NUL; appended to as
 * paths appear files-N.index   struct files_entry after struct files_entry: what became of each
 * snapshot, and of odd paths files-N/start/PATH, files-N/stop/PATH   the snapshots' content */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ring.h"
#include "source.h"

#define FILES_PATHS_MAX 1000u       /* in a plan */
#define FILES_NAMES_MAX 65536u      /* that globs can grow them to */
#define FILES_MAX (16u << 20)       /* bytes of a single file that can be asked for */
#define FILES_ALL_MAX (64u << 20)   /* bytes of all snapshots of a source */
#define FILES_RING_MIN (256u << 10) /* and never less than one file of `max` bytes */
#define FILES_RING_MAX (256u << 20)

enum files_phase { FILES_START, FILES_STOP, FILES_SAMPLE, FILES_PHASES };

/* "start", "stop", "samples" */
extern const char *const files_phase_text[FILES_PHASES];

enum {
	FILES_ERRNO = 0xffff,      /* the bits of aux that are the errno */
	FILES_TRUNCATED = 1 << 16, /* cut at `max` */
	FILES_OPTIONAL = 1 << 17,  /* its failure is no failure of the source */
	FILES_DONE = 1 << 18,      /* in the index: this phase is complete */
};

struct files_path {
	const char *path; /* owned by the spec */
	bool optional;
	bool glob;
	bool template; /* has a {FIELD} of the stop event */
};

struct files {
	struct files_path *paths;
	size_t n;
	bool start;
	bool stop;
	uint64_t every; /* ns, 0: no samples */
	uint64_t keep_ns;
	uint64_t max;
	uint64_t round; /* bytes of one round, as probe has measured it */
	struct ring *ring;
};

/* In the index; followed by the path, then by the note, neither with a NUL. */
struct files_entry {
	uint32_t phase; /* enum files_phase */
	uint32_t what;  /* errno and flags, like aux */
	uint64_t time;  /* boot clock */
	uint64_t size;  /* of the content */
	uint32_t path_size;
	uint32_t note_size;
};

struct files_name {
	char text[64];
};

/* "files-N" and SUFFIX. */
struct files_name files_name(const struct source *s, const char *suffix);

/* Why this cannot be a path below which something is kept, NULL if it can. */
const char *files_path_fault(const char *path);

/* The length of the "{FIELD}" that TEXT begins with, 0 if it does not. */
size_t files_field(const char *text);

/* The most bytes that the snapshots of one phase may have. */
uint64_t files_phase_max(const struct files *files);

int files_live(struct source *s, struct live *live, struct err *e);
int files_save(struct source *s, struct save *save, struct err *e);
