#include "bundle/seal.h"

/* Seal: the bundle's directory becomes one tarball, complete or not there at all. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/auto.h"
#include "base/io.h"
#include "base/log.h"
#include "base/units.h"
#include "bundle/manifest.h"
#include "bundle/output.h"
#include "bundle/tree.h"
#include "process/message.h"

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#endif

/* What is being sealed. */
struct seal {
	struct archive *archive;
	const char *name; /* of the directory in the tarball */
	char *dir;        /* that the last file was in: it and those above it are in the tarball */
	time_t mtime;
	int engine;
	uint64_t total;
	uint64_t done;
	uint64_t told; /* `done` when progress was last shown */
};

static int seal_error(struct seal *seal, struct err *e)
{
	errno = archive_errno(seal->archive);
	return err_sys(e, "cannot write the tarball");
}

static int seal_set_filter(struct archive *archive, enum compress compress, struct err *e)
{
	char threads[16];

	if (compress == COMPRESS_NONE)
		return 0;
	if (compress == COMPRESS_GZIP)
		return archive_write_add_filter_gzip(archive) < ARCHIVE_WARN
			       ? err_set(e, "gzip is not available")
			       : 0;
	if (archive_write_add_filter_zstd(archive) < ARCHIVE_WARN)
		return err_set(e, "this libarchive cannot compress with zstd: use --compress gzip");
	/* older ones know no threads: slower, but the same bundle */
	snprintf(threads, sizeof(threads), "%ld",
		 sysconf(_SC_NPROCESSORS_ONLN) < 8 ? sysconf(_SC_NPROCESSORS_ONLN) : 8);
	archive_write_set_filter_option(archive, "zstd", "compression-level", "1");
	archive_write_set_filter_option(archive, "zstd", "threads", threads);
	return 0;
}

static void seal_progress(struct seal *seal)
{
	char text[64];

	if (!seal->total || seal->done - seal->told < seal->total / 50)
		return;
	seal->told = seal->done;
	snprintf(text, sizeof(text), "%llu %%",
		 (unsigned long long)(seal->done * 100 / seal->total));
	message_send(seal->engine, MESSAGE_SAY, text);
}

/* The header has promised SIZE bytes: fewer would be padded with zeros without a word, so that is
 * an error. */
static int seal_data(struct seal *seal, int fd, uint64_t size, struct err *e)
{
	autofree char *block = malloc(1 << 20);
	uint64_t left = size;

	if (!block)
		return err_set(e, "no memory");
	while (left) {
		ssize_t n = read(fd, block, left < 1 << 20 ? left : 1 << 20);

		if (n <= 0)
			return n < 0 ? err_sys(e, "cannot read it back")
				     : err_set(e, "it became shorter");
		if (archive_write_data(seal->archive, block, n) != n)
			return seal_error(seal, e);
		left -= n;
		seal->done += n;
		seal_progress(seal);
	}
	return 0;
}

static int seal_entry(struct seal *seal, const char *path, mode_t type, uint64_t size,
		      struct err *e)
{
	autofree char *name = NULL;
	struct archive_entry *entry;
	int r;

	if (asprintf(&name, "%s%s%s", seal->name, *path ? "/" : "", path) < 0 ||
	    !(entry = archive_entry_new()))
		return err_set(e, "no memory");
	archive_entry_set_pathname(entry, name);
	archive_entry_set_filetype(entry, type);
	archive_entry_set_perm(entry, type == AE_IFDIR ? 0700 : 0600);
	archive_entry_set_size(entry, size);
	archive_entry_set_mtime(entry, seal->mtime, 0);
	archive_entry_set_uname(entry, "root");
	archive_entry_set_gname(entry, "root");
	r = archive_write_header(seal->archive, entry);
	archive_entry_free(entry);
	return r < ARCHIVE_WARN ? seal_error(seal, e) : 0;
}

/* The directories of PATH that the last file was not in, so that they are unpacked with our modes.
 * The walk leaves a directory once and for all. */
static int seal_dirs(struct seal *seal, const char *path, struct err *e)
{
	const char *slash = path;

	while ((slash = strchr(slash, '/'))) {
		size_t n = slash++ - path;
		autofree char *dir = strndup(path, n);

		if (!dir)
			return err_set(e, "no memory");
		if (seal->dir && !strncmp(seal->dir, dir, n) && strchr("/", seal->dir[n]))
			continue;
		if (seal_entry(seal, dir, AE_IFDIR, 0, e) < 0)
			return e->code;
		free(seal->dir);
		seal->dir = take_ptr(dir);
	}
	return 0;
}

static int seal_file(struct seal *seal, int dirfd, const char *path, struct err *e)
{
	autoclose int fd = openat(dirfd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "cannot read '%s'", path);
	if (seal_dirs(seal, path, e) < 0 || seal_entry(seal, path, AE_IFREG, st.st_size, e) < 0 ||
	    seal_data(seal, fd, st.st_size, e) < 0)
		return err_wrap(e, "'%s'", path);
	return 0;
}

/* What people look at first comes first: it can be read before the rest is unpacked. */
static const char *const seal_first[] = { "summary.txt", "manifest.json", "last.txt" };

static bool seal_is_first(const char *path)
{
	for (size_t i = 0; i < countof(seal_first); i++)
		if (!strcmp(path, seal_first[i]))
			return true;
	return false;
}

static int seal_visit(void *arg, int dirfd, const char *path, struct err *e)
{
	return seal_is_first(path) ? 0 : seal_file(arg, dirfd, path, e);
}

static int seal_measure(void *arg, int dirfd, const char *path, struct err *e)
{
	struct seal *seal = arg;
	struct stat st;

	(void)e;
	if (fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
		seal->total += st.st_size;
	return 0;
}

static int seal_members(struct seal *seal, int bundledir, struct err *e)
{
	if (tree_walk(bundledir, seal_measure, seal, e) < 0 ||
	    seal_entry(seal, "", AE_IFDIR, 0, e) < 0)
		return e->code;
	for (size_t i = 0; i < countof(seal_first); i++)
		if (faccessat(bundledir, seal_first[i], F_OK, 0) == 0 &&
		    seal_file(seal, bundledir, seal_first[i], e) < 0)
			return e->code;
	return tree_walk(bundledir, seal_visit, seal, e);
}

static int seal_write(struct seal *seal, int out, enum compress compress, int bundledir,
		      struct err *e)
{
	int r;

	seal->archive = archive_write_new();
	if (!seal->archive)
		return err_set(e, "no memory");
	archive_write_set_format_pax_restricted(seal->archive);
	r = seal_set_filter(seal->archive, compress, e);
	if (r == 0 && archive_write_open_fd(seal->archive, out) < ARCHIVE_WARN)
		r = seal_error(seal, e);
	if (r == 0)
		r = seal_members(seal, bundledir, e);
	if (r == 0 && archive_write_close(seal->archive) != ARCHIVE_OK)
		r = seal_error(seal, e);
	archive_write_free(seal->archive);
	free(seal->dir);
	if (r == 0 && fsync(out) < 0)
		r = err_sys(e, "cannot sync the tarball");
	return r;
}

/* What has the name already, without our mark in the state directory, is somebody else's. */
static int seal_publish(int statedir, int outdir, const char *partial, const char *name,
			struct err *e)
{
	unlinkat(statedir, "sealing", 0);
	if (faccessat(outdir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		errno = EEXIST;
		return err_sys(e, "cannot name the bundle '%s'", name);
	}
	if (io_create_file(statedir, "sealing", "", 0, e) < 0)
		return e->code;
	if (syscall(SYS_renameat2, outdir, partial, outdir, name, RENAME_NOREPLACE) < 0 &&
	    ((errno != ENOSYS && errno != EINVAL) || renameat(outdir, partial, outdir, name) < 0))
		return err_sys(e, "cannot rename '%s'", partial);
	return fsync(outdir) < 0 ? err_sys(e, "cannot sync the output directory") : 0;
}

static int seal_tarball(struct seal *seal, int statedir, int outdir, int bundledir,
			enum compress compress, struct err *e)
{
	char name[256], partial[280];
	autoclose int out = -1;

	snprintf(name, sizeof(name), "%s%s", seal->name, output_suffixes[compress]);
	snprintf(partial, sizeof(partial), "%s.partial", name);
	unlinkat(outdir, partial, 0); /* what a seal that was killed has left */
	out = io_create(outdir, partial, e);
	if (out < 0)
		return out;
	if (seal_write(seal, out, compress, bundledir, e) < 0 ||
	    seal_publish(statedir, outdir, partial, name, e) < 0) {
		unlinkat(outdir, partial, 0);
		return e->code;
	}
	return 0;
}

/* The last words: what was skipped, what tracer did, every file with its hash. */
static int seal_manifest(const struct output *output, int bundledir, struct seal *seal,
			 struct err *e)
{
	struct err absent = ERR_INIT;
	autofree char *log = NULL;
	size_t size;
	json_t *manifest;
	int r;

	unlinkat(bundledir, "tracer.log", 0);
	if (io_read_file(output->capture->state->fd, "tracer.log", 64 << 20, &log, &size,
			 &absent) == 0 &&
	    io_create_file(bundledir, "tracer.log", log, size, e) < 0)
		return e->code;
	if (manifest_read(&manifest, bundledir, e) < 0)
		return e->code;
	if (output->skipped)
		json_object_set_new(manifest, "conversion_skipped", json_string(output->skipped));
	seal->mtime =
		manifest_int(json_object_get(json_object_get(manifest, "stop"), "event"), "wall") /
		NS_PER_S;
	r = manifest_add_files(manifest, bundledir, e);
	if (r == 0)
		r = manifest_write(manifest, bundledir, e);
	json_decref(manifest);
	return r;
}

/* From here on there is a bundle, whatever becomes of us: recover must not look for the raw data.
 */
static int seal_remember(const struct output *output, struct err *e)
{
	return io_create_file(output->capture->state->fd, "sealed", "", 0, e);
}

/* Whether the tarball has its name already, which it gets when it is whole: we were killed just
 * behind that. */
static bool seal_is_published(const struct output *output, int outdir)
{
	char name[256];

	snprintf(name, sizeof(name), "%s%s", output->name,
		 output_suffixes[output->about->compress]);
	return faccessat(output->capture->state->fd, "sealing", F_OK, 0) == 0 &&
	       faccessat(outdir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int seal_main(void *arg, int engine, struct err *e)
{
	struct output *output = arg;
	struct seal seal = { .name = output->name, .engine = engine };
	autoclose int outdir = io_open_dir(AT_FDCWD, output->outdir, e);
	autoclose int bundledir = -1;
	char dir[4096];

	if (outdir < 0)
		return outdir;
	output_saved(output, dir, sizeof(dir));
	if (faccessat(output->capture->state->fd, "sealed", F_OK, 0) == 0)
		return io_remove_tree(outdir, output->name, e);
	if (seal_is_published(output, outdir))
		return seal_remember(output, e) < 0 ? e->code
						    : io_remove_tree(outdir, output->name, e);
	bundledir = io_open_dir(outdir, output->name, e);
	if (bundledir < 0 || seal_manifest(output, bundledir, &seal, e) < 0 ||
	    tree_sync(bundledir, e) < 0 ||
	    seal_tarball(&seal, output->capture->state->fd, outdir, bundledir,
			 output->about->compress, e) < 0 ||
	    seal_remember(output, e) < 0)
		return e->code;
	return io_remove_tree(outdir, output->name, e);
}
