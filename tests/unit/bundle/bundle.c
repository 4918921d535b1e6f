/* Tarballs as we seal them, and as others might. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>

#include "base/units.h"
#include "bundle/bundle.h"
#include "bundle/manifest.h"
#include "bundle/output.h"
#include "bundle/seal.h"
#include "owncapture.h"

#define NAME "quiet-box-20260824T031502Z-ABCD"

struct bench {
	struct owncapture own;
	struct about about;
	struct output output;
	char tarball[200];
	char members[1 << 16]; /* "PATH=SIZE:FIRST BYTES;" for each */
	size_t room;           /* how many members are wanted at most */
};

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	owncapture_open(&b->own, "{'schema':1,'name':'unit','max_time':1,'collect':[],'stop':[]}");
	snprintf(b->tarball, sizeof(b->tarball), "%s/made.tar", b->own.dir.path);
	b->room = SIZE_MAX;
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	free((char *)b->about.outdir);
	owncapture_close(&b->own);
	free(b);
	return 0;
}

static int visit(void *arg, struct bundle_member *member, struct err *e)
{
	struct bench *b = arg;
	size_t used = strlen(b->members);
	char data[6] = "";
	int64_t n;

	if (b->room-- == 0)
		return 1;
	n = bundle_read(member, data, sizeof(data) - 1, e);
	if (n < 0)
		return e->code;
	snprintf(b->members + used, sizeof(b->members) - used, "%s=%lld:%s;", member->path,
		 (long long)member->size, data);
	return 0;
}

static int walk(struct bench *b, struct err *e)
{
	autofree char *name = NULL;
	autoclose int fd = bundle_open(b->tarball, &name, e);

	if (fd < 0)
		return fd;
	*b->members = '\0';
	return bundle_walk(fd, visit, b, e);
}

static void assert_walks(struct bench *b, const char *want)
{
	struct err e = ERR_INIT;

	if (walk(b, &e) < 0)
		fail_msg("%s", e.text);
	assert_string_equal(b->members, want);
}

static void put(int dir, const char *path, const char *text)
{
	struct err e = ERR_INIT;

	if (io_create_file(dir, path, text, strlen(text), &e) < 0)
		fail_msg("%s", e.text);
}

/* What save and convert would have left, and how it is to be compressed. */
static void seal(struct bench *b, enum compress compress)
{
	struct err e = ERR_INIT;
	autoclose int dir = -1;

	assert_true(asprintf((char **)&b->about.outdir, "%s/out", b->own.dir.path) > 0);
	b->about.compress = compress;
	b->output = (struct output) { .capture = &b->own.c,
				      .about = &b->about,
				      .outdir = b->about.outdir,
				      .name = NAME,
				      .skipped = "by the user" };
	assert_int_equal(io_make_dirs(b->own.out, NAME "/trace", &e), 0);
	dir = io_open_dir(b->own.out, NAME, &e);
	put(dir, "manifest.json", "{\"schema\":1,\"stop\":{\"event\":{\"wall\":1000000000}}}");
	put(dir, "trace/sched.dat", "binary");
	put(dir, "a.txt", "");
	put(dir, "last.txt", "lines");
	put(dir, "summary.txt", "words");
	put(b->own.state.fd, "tracer.log", "log");
	if (seal_main(&b->output, -1, &e) < 0)
		fail_msg("%s", e.text);
	snprintf(b->tarball, sizeof(b->tarball), "%s/" NAME "%s", b->about.outdir,
		 output_suffixes[compress]);
}

/* The manifest's size is what its own file says: it is left out here. */
static void what_was_sealed_is_walked_with_the_first_things_first(void **state)
{
	struct bench *b = *state;

	for (enum compress compress = COMPRESS_ZSTD; compress <= COMPRESS_NONE; compress++) {
		struct err e = ERR_INIT;
		struct stat st;
		char *rest;

		seal(b, compress);
		if (walk(b, &e) < 0)
			fail_msg("%s", e.text);
		assert_memory_equal(b->members, "summary.txt=5:words;manifest.json=", 34);
		rest = strstr(b->members, ";last.txt");
		assert_non_null(rest);
		assert_string_equal(
			rest,
			";last.txt=5:lines;a.txt=0:;trace/sched.dat=6:binar;tracer.log=3:log;");
		assert_int_equal(stat(b->tarball, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
		assert_int_equal(faccessat(b->own.out, NAME, F_OK, 0), -1);
		assert_int_equal(faccessat(b->own.state.fd, "sealed", F_OK, 0), 0);
		/* again, as recover would: nothing is left to do */
		assert_int_equal(seal_main(&b->output, -1, &e), 0);
		unlinkat(b->own.state.fd, "sealed", 0);
		unlinkat(b->own.state.fd, "tracer.log", 0);
		free((char *)take_ptr(b->about.outdir));
	}
}

static void what_is_there_already_is_not_replaced(void **state)
{
	struct bench *b = *state;
	struct err e = ERR_INIT;
	autofree char *text = NULL;

	put(b->own.out, NAME ".tar", "somebody else's");
	assert_int_equal(io_make_dirs(b->own.out, NAME, &e), 0);
	{
		autoclose int dir = io_open_dir(b->own.out, NAME, &e);

		put(dir, "manifest.json", "{\"schema\":1}");
	}
	assert_true(asprintf((char **)&b->about.outdir, "%s/out", b->own.dir.path) > 0);
	b->about.compress = COMPRESS_NONE;
	b->output = (struct output) {
		.capture = &b->own.c, .about = &b->about, .outdir = b->about.outdir, .name = NAME
	};
	assert_true(seal_main(&b->output, -1, &e) < 0);
	assert_int_equal(e.code, -EEXIST);
	assert_int_equal(io_read_file(b->own.out, NAME ".tar", 100, &text, NULL, &e), 0);
	assert_string_equal(text, "somebody else's");
	assert_int_equal(faccessat(b->own.out, NAME "/manifest.json", F_OK, 0), 0);
	assert_int_equal(faccessat(b->own.out, NAME ".tar.partial", F_OK, 0), -1);
	assert_int_equal(faccessat(b->own.state.fd, "sealed", F_OK, 0), -1);
}

struct entry {
	const char *path;
	mode_t type;
	const char *data; /* or where a link leads */
};

static void make(const struct bench *b, const struct entry *entries, size_t n)
{
	struct archive *archive = archive_write_new();

	archive_write_set_format_pax_restricted(archive);
	assert_int_equal(archive_write_open_filename(archive, b->tarball), ARCHIVE_OK);
	for (size_t i = 0; i < n; i++) {
		struct archive_entry *entry = archive_entry_new();

		archive_entry_set_pathname(entry, entries[i].path);
		archive_entry_set_filetype(entry, entries[i].type);
		archive_entry_set_perm(entry, 0600);
		if (entries[i].type == AE_IFREG)
			archive_entry_set_size(entry, strlen(entries[i].data));
		else if (entries[i].type == AE_IFLNK)
			archive_entry_set_symlink(entry, entries[i].data);
		assert_true(archive_write_header(archive, entry) >= ARCHIVE_WARN);
		if (entries[i].type == AE_IFREG)
			archive_write_data(archive, entries[i].data, strlen(entries[i].data));
		archive_entry_free(entry);
	}
	assert_int_equal(archive_write_close(archive), ARCHIVE_OK);
	archive_write_free(archive);
}

/* Paths are handed on as they are: whoever visits writes nothing to a disk. */
static void only_regular_files_below_a_directory_are_members(void **state)
{
	static const struct entry entries[] = {
		{ "b", AE_IFDIR, "" },           { "top", AE_IFREG, "no" },
		{ "b/one", AE_IFREG, "1" },      { "b/link", AE_IFLNK, "/etc" },
		{ "b/pipe", AE_IFIFO, "" },      { "b/dir/", AE_IFDIR, "" },
		{ "b/dir/two", AE_IFREG, "22" }, { "b/../../x", AE_IFREG, "3" },
		{ "b/one", AE_IFREG, "again" },
	};
	struct bench *b = *state;

	make(b, entries, countof(entries));
	assert_walks(b, "one=1:1;dir/two=2:22;../../x=1:3;one=5:again;");
}

static void a_visitor_can_end_the_walk(void **state)
{
	static const struct entry entries[] = { { "b/one", AE_IFREG, "1" },
						{ "b/two", AE_IFREG, "2" },
						{ "b/three", AE_IFREG, "3" } };
	struct bench *b = *state;

	make(b, entries, countof(entries));
	b->room = 2;
	assert_walks(b, "one=1:1;two=1:2;");
}

/* Cut at any byte: what came before is walked, and it is said or is whole. */
static void a_tarball_that_is_cut_short_is_told(void **state)
{
	struct bench *b = *state;
	autofree char *data = NULL;
	struct err e = ERR_INIT;
	size_t size, told = 0;

	seal(b, COMPRESS_ZSTD);
	assert_int_equal(io_read_file(AT_FDCWD, b->tarball, 1 << 20, &data, &size, &e), 0);
	snprintf(b->tarball, sizeof(b->tarball), "%s/cut.tar.zst", b->own.dir.path);
	for (size_t cut = 1; cut < size; cut += 7) {
		unlink(b->tarball);
		assert_int_equal(io_create_file(AT_FDCWD, b->tarball, data, cut, &e), 0);
		e = (struct err)ERR_INIT;
		if (walk(b, &e) < 0)
			told += strstr(e.text, "no whole bundle") != NULL;
	}
	assert_true(told >= (size - 1) / 7 - 4);
}

static void a_byte_that_was_changed_never_harms(void **state)
{
	struct bench *b = *state;
	autofree char *data = NULL;
	struct err e = ERR_INIT;
	size_t size;

	seal(b, COMPRESS_GZIP);
	assert_int_equal(io_read_file(AT_FDCWD, b->tarball, 1 << 20, &data, &size, &e), 0);
	snprintf(b->tarball, sizeof(b->tarball), "%s/odd.tar.gz", b->own.dir.path);
	for (size_t at = 0; at < size; at += 3) {
		unlink(b->tarball);
		data[at] ^= 0x55;
		assert_int_equal(io_create_file(AT_FDCWD, b->tarball, data, size, &e), 0);
		walk(b, &e);
		data[at] ^= 0x55;
	}
}

static void what_is_no_tarball_is_refused(void **state)
{
	struct bench *b = *state;
	struct err e = ERR_INIT;

	assert_int_equal(walk(b, &e), -ENOENT);
	assert_int_equal(io_create_file(AT_FDCWD, b->tarball,
					"this is no tarball at all, not even nearly one", 46, &e),
			 0);
	assert_true(walk(b, &e) < 0);
	assert_non_null(strstr(e.text, "this is no whole bundle"));
}

static void the_newest_bundle_of_the_directory_is_found(void **state)
{
	struct bench *b = *state;
	static const struct timespec times[][2] = { { { 100 }, { 100 } },
						    { { 300 }, { 300 } },
						    { { 200 }, { 200 } } };
	static const char *const names[] = { "a-h-20260102T030405Z-WXYZ.tar.zst",
					     "b-my-host-20260102T030405Z-0XYZ.tar.gz",
					     "c-h-20260102T030405Z-WXY1.tar" };
	autofree char *name = NULL, *none = NULL;
	struct err e = ERR_INIT;
	autoclose int back = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd;

	assert_int_equal(fchdir(b->own.out), 0);
	assert_true(bundle_open(NULL, &none, &e) < 0);
	assert_non_null(strstr(e.text, "name one"));
	for (int i = 0; i < 3; i++) {
		put(b->own.out, names[i], "x");
		utimensat(b->own.out, names[i], times[i], 0);
	}
	put(b->own.out, "newer.txt", "x");
	put(b->own.out, ".tar", "x");
	put(b->own.out, "backup-h-20260102.tar.gz", "x");
	mkdirat(b->own.out, "d-h-20260102T030405Z-WXYZ.tar.zst", 0700);
	fd = bundle_open(NULL, &name, &e);
	assert_int_equal(fchdir(back), 0);
	assert_true(fd >= 0);
	close(fd);
	assert_string_equal(name, names[1]);
}

#define BUNDLE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BUNDLE_TEST(what_was_sealed_is_walked_with_the_first_things_first),
		BUNDLE_TEST(what_is_there_already_is_not_replaced),
		BUNDLE_TEST(only_regular_files_below_a_directory_are_members),
		BUNDLE_TEST(a_visitor_can_end_the_walk),
		BUNDLE_TEST(a_tarball_that_is_cut_short_is_told),
		BUNDLE_TEST(a_byte_that_was_changed_never_harms),
		BUNDLE_TEST(what_is_no_tarball_is_refused),
		BUNDLE_TEST(the_newest_bundle_of_the_directory_is_found),
	};

	return cmocka_run_group_tests_name("bundle", tests, NULL, NULL);
}
