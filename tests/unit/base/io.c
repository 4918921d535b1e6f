#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/auto.h"
#include "base/io.h"
#include "process/sandbox.h"
#include "scratch.h"

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct scratch));
	scratch_open(*state);
	return 0;
}

static int teardown(void **state)
{
	struct scratch *place = *state;

	scratch_close(place);
	assert_int_equal(access(place->path, F_OK), -1);
	free(place);
	return 0;
}

static void put(int dirfd, const char *path, const char *text)
{
	struct err e = ERR_INIT;

	assert_int_equal(io_create_file(dirfd, path, text, strlen(text), &e), 0);
}

static void assert_content(int dirfd, const char *path, const char *text)
{
	struct err e = ERR_INIT;
	autofree char *data = NULL;
	size_t size;

	assert_int_equal(io_read_file(dirfd, path, 1 << 20, &data, &size, &e), 0);
	assert_int_equal(size, strlen(text));
	assert_string_equal(data, text);
}

static void what_was_written_is_read_back(void **state)
{
	struct scratch *place = *state;
	struct err e = ERR_INIT;
	autoclose int fd = io_create(place->fd, "a", &e);
	struct stat st;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(io_write(fd, "hello world", 11, &e), 0);
	assert_int_equal(io_pwrite(fd, "W", 1, 6, &e), 0);
	assert_content(place->fd, "a", "hello World");
}

static void a_full_disk_is_told(void **state)
{
	struct err e = ERR_INIT;
	autoclose int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)state;
	assert_int_equal(io_write(fd, "x", 1, &e), -ENOSPC);
	assert_non_null(strstr(e.text, "No space left"));
	assert_int_equal(io_write_file(AT_FDCWD, "/dev/full", "x", &e), -ENOSPC);
	assert_non_null(strstr(e.text, "/dev/full"));
}

static void a_read_stops_at_its_limit(void **state)
{
	struct scratch *place = *state;
	struct err e = ERR_INIT;
	size_t sizes[] = { 0, 1, 4095, 4096, 4097, 10000, 70000 };
	autofree char *big = malloc(70001);

	memset(big, 'x', 70000);
	big[70000] = '\0';
	put(place->fd, "big", big);
	for (size_t i = 0; i < countof(sizes); i++) {
		autofree char *data = NULL;
		size_t size;

		assert_int_equal(io_read_file(place->fd, "big", sizes[i], &data, &size, &e), 0);
		assert_int_equal(size, sizes[i]);
		assert_int_equal(strlen(data), sizes[i]);
	}
	assert_content(place->fd, "big", big);
}

static void a_directory_cannot_be_read_as_a_file(void **state)
{
	struct scratch *place = *state;
	struct err e = ERR_INIT;
	autofree char *data = NULL;

	assert_int_equal(io_read_file(AT_FDCWD, place->path, 100, &data, NULL, &e), -EISDIR);
	assert_int_equal(io_read_file(place->fd, "none", 100, &data, NULL, &e), -ENOENT);
	assert_non_null(strstr(e.text, "'none'"));
}

static void a_knob_is_not_made(void **state)
{
	struct scratch *place = *state;
	struct err e = ERR_INIT;

	assert_int_equal(io_write_file(place->fd, "knob", "1", &e), -ENOENT);
	put(place->fd, "knob", "old");
	assert_int_equal(io_write_file(place->fd, "knob", "new", &e), 0);
	assert_content(place->fd, "knob", "new");
}

/* Both with openat2 and, in a child whose filter denies it, without. */
static void nothing_leads_out(struct scratch *place)
{
	struct err e = ERR_INIT;
	autofree char *data = NULL;

	assert_int_equal(io_create(place->fd, "there", &e), -EEXIST);
	assert_int_equal(io_create(place->fd, "link", &e), -EEXIST);
	assert_int_equal(io_create(place->fd, "../up", &e), -EXDEV);
	assert_int_equal(io_create(place->fd, "/tmp/absolute", &e), -EXDEV);
	assert_true(io_create(place->fd, "out/x", &e) < 0);
	assert_int_equal(io_read_file(place->fd, "../passwd", 10, &data, NULL, &e), -EXDEV);
	assert_true(io_read_file(place->fd, "out/passwd", 10, &data, NULL, &e) < 0);
	assert_true(io_open_dir(place->fd, "out", &e) < 0);
	assert_int_equal(io_read_file(place->fd, "dir/file", 10, &data, NULL, &e), 0);
	assert_string_equal(data, "inside");
}

static void make_ways_out(struct scratch *place)
{
	struct err e = ERR_INIT;

	put(place->fd, "there", "x");
	assert_int_equal(io_make_dirs(place->fd, "dir", &e), 0);
	put(place->fd, "dir/file", "inside");
	assert_int_equal(symlinkat("nowhere", place->fd, "link"), 0);
	assert_int_equal(symlinkat("/etc", place->fd, "out"), 0);
}

static void no_path_leads_out_of_its_directory(void **state)
{
	make_ways_out(*state);
	nothing_leads_out(*state);
}

static void nor_on_a_kernel_without_openat2(void **state)
{
	struct err e = ERR_INIT;
	int status;
	pid_t pid;

	make_ways_out(*state);
	pid = fork();
	if (pid == 0) {
		if (sandbox_enter(SANDBOX_READER, &e) < 0)
			_exit(3);
		nothing_leads_out(*state);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void directories_are_made_once(void **state)
{
	struct scratch *place = *state;
	struct err e = ERR_INIT;
	autofree char *plain = NULL;
	struct stat st;

	assert_int_equal(io_make_dirs(place->fd, "a/b//c", &e), 0);
	assert_int_equal(io_make_dirs(place->fd, "a/b/c", &e), 0);
	assert_int_equal(fstatat(place->fd, "a/b/c", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_true(asprintf(&plain, "%s/p/q", place->path) > 0);
	assert_int_equal(io_make_dirs(AT_FDCWD, plain, &e), 0);
	assert_int_equal(access(plain, X_OK), 0);
}

static void directories_are_not_made_through_a_link(void **state)
{
	struct scratch *place = *state;
	struct err e = ERR_INIT;

	assert_int_equal(io_make_dirs(place->fd, "real", &e), 0);
	assert_int_equal(symlinkat("real", place->fd, "link"), 0);
	put(place->fd, "file", "x");
	assert_true(io_make_dirs(place->fd, "link/below", &e) < 0);
	assert_true(io_make_dirs(place->fd, "file/below", &e) < 0);
	assert_true(io_make_dirs(place->fd, "real/../up", &e) < 0);
	assert_int_equal(io_make_dirs(place->fd, "/tmp/absolute", &e), -EXDEV);
	assert_int_equal(faccessat(place->fd, "real/below", F_OK, 0), -1);
	assert_int_equal(faccessat(place->fd, "up", F_OK, 0), -1);
}

static void a_tree_is_removed_and_what_links_point_to_stays(void **state)
{
	struct scratch *place = *state;
	struct err e = ERR_INIT;

	assert_int_equal(io_make_dirs(place->fd, "keep", &e), 0);
	put(place->fd, "keep/file", "x");
	assert_int_equal(io_make_dirs(place->fd, "tree/a/b", &e), 0);
	put(place->fd, "tree/a/file", "x");
	assert_int_equal(symlinkat("../../keep", place->fd, "tree/a/link"), 0);
	assert_int_equal(symlinkat("keep", place->fd, "way"), 0);
	assert_true(io_remove_tree(place->fd, "way/file", &e) < 0);
	assert_int_equal(io_remove_tree(place->fd, "tree/a", &e), 0);
	assert_int_equal(faccessat(place->fd, "tree", F_OK, 0), 0);
	assert_int_equal(io_remove_tree(place->fd, "tree", &e), 0);
	assert_int_equal(faccessat(place->fd, "tree", F_OK, 0), -1);
	assert_int_equal(io_remove_tree(place->fd, "tree", &e), 0);
	assert_int_equal(io_remove_tree(place->fd, "tree/x/y", &e), 0);
	assert_int_equal(io_remove_tree(place->fd, "way", &e), 0);
	assert_content(place->fd, "keep/file", "x");
}

static void what_is_no_name_is_not_removed(void **state)
{
	struct scratch *place = *state;
	const char *names[] = { "", ".", "..", "a/..", "a/.", "../a", "/" };
	struct err e = ERR_INIT;

	assert_int_equal(io_make_dirs(place->fd, "a", &e), 0);
	for (size_t i = 0; i < countof(names); i++)
		assert_true(io_remove_tree(place->fd, names[i], &e) < 0);
	assert_true(io_remove_tree(AT_FDCWD, "/", &e) < 0);
	assert_int_equal(faccessat(place->fd, "a", F_OK, 0), 0);
}

static void remove_around_a_mount(struct scratch *place)
{
	autofree char *busy = NULL;
	struct err e = ERR_INIT;

	if (asprintf(&busy, "%s/tree/busy", place->path) < 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", busy, "tmpfs", 0, NULL) < 0)
		_exit(3);
	if (io_remove_tree(place->fd, "tree", &e) != -EBUSY || !strstr(e.text, "'busy'"))
		_exit(4);
	_exit(faccessat(place->fd, "tree/a", F_OK, 0) == 0 ||
	      faccessat(place->fd, "tree/z", F_OK, 0) == 0);
}

static void removing_goes_on_and_keeps_the_first_error(void **state)
{
	struct scratch *place = *state;
	const char *dirs[] = { "tree/a", "tree/busy", "tree/z" };
	struct err e = ERR_INIT;
	int status;
	pid_t pid;

	for (size_t i = 0; i < countof(dirs); i++)
		assert_int_equal(io_make_dirs(place->fd, dirs[i], &e), 0);
	pid = fork();
	if (pid == 0)
		remove_around_a_mount(place);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void the_rest_is_copied(void **state)
{
	struct scratch *place = *state;
	struct err e = ERR_INIT;
	autofree char *big = malloc(200001);
	autoclose int in = -1, out = io_create(place->fd, "out", &e),
		      full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	for (int i = 0; i < 200000; i++)
		big[i] = 'a' + i % 23;
	big[200000] = '\0';
	put(place->fd, "in", big);
	in = openat(place->fd, "in", O_RDONLY | O_CLOEXEC);
	assert_int_equal(lseek(in, 7, SEEK_SET), 7);
	assert_int_equal(io_copy(in, out, &e), 199993);
	assert_content(place->fd, "out", big + 7);
	assert_int_equal(lseek(in, 0, SEEK_SET), 0);
	assert_int_equal(io_copy(in, full, &e), -ENOSPC);
	assert_true(io_copy(full, out, &e) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_was_written_is_read_back, setup, teardown),
		cmocka_unit_test(a_full_disk_is_told),
		cmocka_unit_test_setup_teardown(a_read_stops_at_its_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(a_directory_cannot_be_read_as_a_file, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_knob_is_not_made, setup, teardown),
		cmocka_unit_test_setup_teardown(no_path_leads_out_of_its_directory, setup,
						teardown),
		cmocka_unit_test_setup_teardown(nor_on_a_kernel_without_openat2, setup, teardown),
		cmocka_unit_test_setup_teardown(directories_are_made_once, setup, teardown),
		cmocka_unit_test_setup_teardown(directories_are_not_made_through_a_link, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_tree_is_removed_and_what_links_point_to_stays,
						setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_name_is_not_removed, setup, teardown),
		cmocka_unit_test_setup_teardown(removing_goes_on_and_keeps_the_first_error, setup,
						teardown),
		cmocka_unit_test_setup_teardown(the_rest_is_copied, setup, teardown),
	};

	return cmocka_run_group_tests_name("io", tests, NULL, NULL);
}
