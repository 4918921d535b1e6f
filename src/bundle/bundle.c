#include "bundle/bundle.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "bundle/output.h"

/* RECIPE-HOST-20260102T030405Z-WXYZ.tar.zst, as output_name makes it. */
static bool bundle_is_name(const char *name)
{
	static const char *const pattern = "*-*-[0-9]*T[0-9]*Z-[0-9A-Z][0-9A-Z][0-9A-Z][0-9A-Z]";
	char whole[100];

	for (int i = 0; i < 3; i++) {
		snprintf(whole, sizeof(whole), "%s%s", pattern, output_suffixes[i]);
		if (fnmatch(whole, name, 0) == 0)
			return true;
	}
	return false;
}

static char *bundle_newest(void)
{
	autoclosedir DIR *dir = opendir(".");
	struct timespec best = { 0 };
	char *newest = NULL;
	struct dirent *entry;
	struct stat st;

	while (dir && (entry = readdir(dir))) {
		if (!bundle_is_name(entry->d_name) || stat(entry->d_name, &st) < 0 ||
		    !S_ISREG(st.st_mode))
			continue;
		if (newest &&
		    (st.st_mtim.tv_sec < best.tv_sec ||
		     (st.st_mtim.tv_sec == best.tv_sec && st.st_mtim.tv_nsec < best.tv_nsec)))
			continue;
		best = st.st_mtim;
		free(newest);
		newest = strdup(entry->d_name);
	}
	return newest;
}

int bundle_open(const char *path, char **name, struct err *e)
{
	autoclose int fd = -1;
	struct stat st;

	*name = path ? strdup(path) : bundle_newest();
	if (!*name)
		return err_set(e, "there is no bundle in this directory: name one");
	fd = open(*name, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "cannot open '%s'", *name);
	if (!S_ISDIR(st.st_mode))
		return take_fd(&fd);
	return err_set(e, "'%s' is a directory: name the tarball", *name);
}

static int bundle_error(struct archive *archive, struct err *e)
{
	const char *words = archive_error_string(archive);

	return err_set(e, "this is no whole bundle: %s", words ? words : "it cannot be read");
}

/* Each member lies below one directory that has the bundle's name. */
static int bundle_member(struct archive *archive, struct archive_entry *entry, bundle_visit *visit,
			 void *arg, struct err *e)
{
	const char *path = archive_entry_pathname(entry);
	const char *slash = path ? strchr(path, '/') : NULL;
	struct bundle_member member = { .archive = archive, .size = archive_entry_size(entry) };

	if (!slash || !slash[1] || archive_entry_filetype(entry) != AE_IFREG)
		return 0;
	member.path = slash + 1;
	return visit(arg, &member, e);
}

static int bundle_members(struct archive *archive, bundle_visit *visit, void *arg, struct err *e)
{
	struct archive_entry *entry;
	int r = 0, got;

	while (r == 0 && (got = archive_read_next_header(archive, &entry)) != ARCHIVE_EOF) {
		if (got < ARCHIVE_WARN)
			return bundle_error(archive, e);
		r = bundle_member(archive, entry, visit, arg, e);
	}
	return r < 0 ? r : 0;
}

int bundle_walk(int fd, bundle_visit *visit, void *arg, struct err *e)
{
	struct archive *archive = archive_read_new();
	int r;

	if (!archive)
		return err_set(e, "no memory");
	archive_read_support_format_tar(archive);
	archive_read_support_filter_zstd(archive);
	archive_read_support_filter_gzip(archive);
	if (archive_read_open_fd(archive, fd, 1 << 16) != ARCHIVE_OK)
		r = bundle_error(archive, e);
	else
		r = bundle_members(archive, visit, arg, e);
	archive_read_free(archive);
	return r;
}

int64_t bundle_read(struct bundle_member *member, void *data, size_t size, struct err *e)
{
	la_ssize_t n = archive_read_data(member->archive, data, size);

	return n < 0 ? bundle_error(member->archive, e) : n;
}
