#include "replay/recording.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/io.h"
#include "base/units.h"
#include "bundle/bundle.h"
#include "bundle/manifest.h"
#include "process/sandbox.h"
#include "process/worker.h"

#define UNPACK_WAIT (3600 * NS_PER_S)
#define TEXT_MAX (64u << 20)

/* What the manifest's reader needs before it knows what else to ask for. */
static const char *const about_paths[] = { "manifest.json", "recipe/plan.json",
					   "host/formats.txt" };

/* A file that nobody else sees and that nobody has to remove. */
static int file_without_name(struct err *e)
{
	const char *dir = getenv("TMPDIR");
	int fd = open(dir ? dir : "/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		fd = memfd_create("unpacked", MFD_CLOEXEC);
	return fd < 0 ? err_sys(e, "no room to unpack") : fd;
}

/* The unpacking process: */

/* What it is given; `found` is memory that it shares with us. */
struct unpack {
	const struct recording *r;
	size_t first; /* of the files that are wanted */
	bool *found;
};

static int unpack_copy(struct bundle_member *member, int fd, struct err *e)
{
	char block[1 << 16];
	int64_t n;

	while ((n = bundle_read(member, block, sizeof(block), e)) > 0)
		if (io_write(fd, block, n, e) < 0)
			return e->code;
	return n < 0 ? e->code : 0;
}

static int unpack_visit(void *arg, struct bundle_member *member, struct err *e)
{
	struct unpack *unpack = arg;

	for (size_t i = unpack->first; i < unpack->r->n_files; i++) {
		if (strcmp(unpack->r->files[i].path, member->path))
			continue;
		unpack->found[i - unpack->first] = true;
		return unpack_copy(member, unpack->r->files[i].fd, e);
	}
	return 0;
}

static int unpack_main(void *arg, int fd, struct err *e)
{
	struct unpack *unpack = arg;

	(void)fd;
	worker_die_with_parent();
	if (sandbox_enter(SANDBOX_HELD, e) < 0 || lseek(unpack->r->fd, 0, SEEK_SET) < 0)
		return e->code ? e->code : err_sys(e, "cannot read it");
	return bundle_walk(unpack->r->fd, unpack_visit, unpack, e);
}

static int unpack_run(struct unpack *unpack, struct err *e)
{
	size_t n = unpack->r->n_files - unpack->first;
	autofree int *keep = calloc(n + 1, sizeof(*keep));
	struct worker worker;

	if (!keep)
		return err_set(e, "no memory");
	keep[n] = unpack->r->fd;
	for (size_t i = 0; i < n; i++)
		keep[i] = unpack->r->files[unpack->first + i].fd;
	if (worker_start(&worker, "unpack", unpack_main, unpack, keep, n + 1, e) < 0)
		return e->code;
	return worker_finish(&worker, clock_boot() + UNPACK_WAIT, NULL, NULL, e);
}

static int recording_unpack(struct recording *r, size_t first, struct err *e)
{
	size_t n = r->n_files - first;
	struct unpack unpack = { .r = r, .first = first };

	unpack.found = mmap(NULL, n + 1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (unpack.found == MAP_FAILED)
		return err_sys(e, "no memory to unpack");
	for (size_t i = first; i < r->n_files && e->code == 0; i++)
		r->files[i].fd = file_without_name(e);
	if (e->code == 0)
		unpack_run(&unpack, e);
	for (size_t i = first; i < r->n_files; i++) {
		if (unpack.found[i - first])
			lseek(r->files[i].fd, 0, SEEK_SET);
		else
			auto_close(&r->files[i].fd), r->files[i].fd = -1;
	}
	munmap(unpack.found, n + 1);
	return e->code;
}

/* What lies in a directory is opened there. */
static void recording_open_files(struct recording *r, size_t first)
{
	for (size_t i = first; i < r->n_files; i++)
		r->files[i].fd = openat(r->fd, r->files[i].path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
}

int recording_fetch(struct recording *r, const char *const *paths, size_t n, struct err *e)
{
	size_t first = r->n_files;
	struct recording_file *grown = realloc(r->files, (first + n + 1) * sizeof(*grown));
	struct stat st;

	if (!grown)
		return err_set(e, "no memory");
	r->files = grown;
	for (size_t i = 0; i < n; i++) {
		grown[r->n_files] = (struct recording_file) { strdup(paths[i]), -1 };
		if (!grown[r->n_files++].path)
			return err_set(e, "no memory");
	}
	if (fstat(r->fd, &st) == 0 && S_ISDIR(st.st_mode))
		recording_open_files(r, first);
	else if (recording_unpack(r, first, e) < 0)
		return err_wrap(e, "'%s'", r->name);
	return 0;
}

int recording_file(const struct recording *r, const char *path)
{
	for (size_t i = 0; i < r->n_files; i++)
		if (!strcmp(r->files[i].path, path))
			return r->files[i].fd;
	return -1;
}

static int recording_text(const struct recording *r, const char *path, char **ret, struct err *e)
{
	int fd = recording_file(r, path);

	if (fd < 0)
		return err_set(e, "'%s' has no %s", r->name, path);
	return io_read(fd, TEXT_MAX, ret, NULL, e);
}

static int recording_read(struct recording *r, struct err *e)
{
	autofree char *manifest = NULL, *plan = NULL, *formats = NULL;
	struct err none = ERR_INIT;

	if (recording_fetch(r, about_paths, countof(about_paths), e) < 0 ||
	    recording_text(r, "manifest.json", &manifest, e) < 0 ||
	    recording_text(r, "recipe/plan.json", &plan, e) < 0)
		return e->code;
	r->manifest = json_loads(manifest, 0, NULL);
	if (!r->manifest || manifest_int(r->manifest, "schema") != 1)
		return err_set(e, "'%s' has no manifest that this version can read", r->name);
	if (plan_parse(&r->plan, plan, e) < 0 ||
	    manifest_anchors(r->manifest, &r->anchors, &r->n_anchors, e) < 0)
		return err_wrap(e, "'%s'", r->name);
	if (recording_text(r, "host/formats.txt", &formats, &none) == 0 &&
	    tracing_of_formats(&r->tracing, formats, e) < 0)
		return err_wrap(e, "'%s'", r->name);
	return 0;
}

int recording_open(struct recording **ret, const char *path, struct err *e)
{
	struct recording *r = calloc(1, sizeof(*r));

	if (!r || !(r->name = strdup(path))) {
		free(r);
		return err_set(e, "no memory");
	}
	r->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (r->fd < 0)
		err_sys(e, "cannot open '%s'", path);
	if (r->fd < 0 || recording_read(r, e) < 0) {
		recording_close(r);
		return err_exit(e, EXIT_USAGE);
	}
	*ret = r;
	return 0;
}

void recording_close(struct recording *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n_files; i++) {
		auto_close(&r->files[i].fd);
		free(r->files[i].path);
	}
	free(r->files);
	free(r->anchors);
	plan_free(r->plan);
	tracing_close(r->tracing);
	json_decref(r->manifest);
	auto_close(&r->fd);
	free(r->name);
	free(r);
}

uint64_t recording_moment(const struct recording *r, const char *object, const char *member)
{
	const json_t *moment = json_object_get(r->manifest, object);

	return manifest_int(member ? json_object_get(moment, member) : moment, "boot");
}

bool recording_window(const struct recording *r, const char *source, uint64_t *from, uint64_t *to)
{
	size_t i;
	json_t *entry;

	json_array_foreach (json_object_get(r->manifest, "sources"), i, entry) {
		const json_t *got = json_object_get(entry, "got");

		if (strcmp(manifest_text(entry, "name"), source))
			continue;
		*from = manifest_int(got, "from");
		*to = manifest_int(got, "to");
		return strcmp(manifest_text(entry, "outcome"), "failed");
	}
	return false;
}

const char *recording_kernel(const struct recording *r)
{
	return manifest_text(json_object_get(r->manifest, "host"), "kernel");
}

uint32_t recording_cpus(const struct recording *r)
{
	return manifest_int(json_object_get(r->manifest, "host"), "cpus");
}
