#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/io.h"
#include "bundle/tree.h"
#include "scratch.h"

struct bench {
	struct scratch dir;
	char seen[1000];
	const char *refused; /* the file at which the visitor fails */
};

static void put(const struct bench *b, const char *path)
{
	struct err e = ERR_INIT;

	assert_int_equal(io_create_file(b->dir.fd, path, "x", 1, &e), 0);
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct err e = ERR_INIT;

	scratch_open(&b->dir);
	assert_int_equal(io_make_dirs(b->dir.fd, "b/deep/er", &e), 0);
	assert_int_equal(io_make_dirs(b->dir.fd, "empty", &e), 0);
	put(b, "c");
	put(b, "b/two");
	put(b, "b/deep/er/.hidden");
	put(b, "a");
	assert_int_equal(symlinkat("a", b->dir.fd, "link"), 0);
	assert_int_equal(symlinkat("b", b->dir.fd, "b/deep/loop"), 0);
	assert_int_equal(mkfifoat(b->dir.fd, "pipe", 0600), 0);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	scratch_close(&b->dir);
	free(b);
	return 0;
}

static int visit(void *arg, int dirfd, const char *path, struct err *e)
{
	struct bench *b = arg;

	assert_int_equal(faccessat(dirfd, path, F_OK, AT_SYMLINK_NOFOLLOW), 0);
	strcat(strcat(b->seen, path), " ");
	return b->refused && !strcmp(path, b->refused) ? err_set(e, "refused") : 0;
}

static void every_regular_file_is_visited_in_order_and_nothing_else(void **state)
{
	struct bench *b = *state;
	struct err e = ERR_INIT;

	assert_int_equal(tree_walk(b->dir.fd, visit, b, &e), 0);
	assert_string_equal(b->seen, "a b/deep/er/.hidden b/two c ");
}

static void the_first_error_ends_the_walk(void **state)
{
	struct bench *b = *state;
	struct err e = ERR_INIT;

	b->refused = "b/deep/er/.hidden";
	assert_true(tree_walk(b->dir.fd, visit, b, &e) < 0);
	assert_string_equal(e.text, "refused");
	assert_string_equal(b->seen, "a b/deep/er/.hidden ");
}

static void a_tree_is_synced_with_links_and_all(void **state)
{
	struct bench *b = *state;
	struct err e = ERR_INIT;

	if (tree_sync(b->dir.fd, &e) < 0)
		fail_msg("%s", e.text);
}

static void what_is_no_directory_is_said(void **state)
{
	struct bench *b = *state;
	autoclose int file = openat(b->dir.fd, "a", O_RDONLY | O_CLOEXEC);
	struct err e = ERR_INIT;

	assert_int_equal(tree_walk(file, visit, b, &e), -ENOTDIR);
	assert_int_equal(tree_sync(file, &e), -ENOTDIR);
}

#define TREE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TREE_TEST(every_regular_file_is_visited_in_order_and_nothing_else),
		TREE_TEST(the_first_error_ends_the_walk),
		TREE_TEST(a_tree_is_synced_with_links_and_all),
		TREE_TEST(what_is_no_directory_is_said),
	};

	return cmocka_run_group_tests_name("tree", tests, NULL, NULL);
}
