/* Which mount something is on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "reader/mounts.h"
#include "scratch.h"

static void a_line_is_read(void **state)
{
	struct mount m;

	(void)state;
	assert_true(mount_parse(&m,
				"36 35 98:7 /sub /mnt/a\\040b\\134 rw,noatime master:1 shared:2 "
				"- ext4 /dev/mapper/a\\040b rw,errors=continue\n"));
	assert_int_equal(m.id, 36);
	assert_int_equal(m.major, 98);
	assert_int_equal(m.minor, 7);
	assert_string_equal(m.point, "/mnt/a b\\");
	assert_string_equal(m.type, "ext4");
	assert_string_equal(m.source, "/dev/mapper/a b");
	assert_true(mount_parse(&m, "36 35 98:7 / / rw - tmpfs none rw"));
	assert_string_equal(m.source, "none");
}

static void what_is_none_is_refused(void **state)
{
	static const char *const lines[] = { "", "36", "36 35 98:7 / /mnt rw ext4 /dev/a rw",
					     "x 35 98:7 / /mnt rw - ext4 a rw", " - " };
	struct mount m;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_false(mount_parse(&m, lines[i]));
}

/* A mount over another one: what is on it is on the upper one. */
static void a_path_and_a_descriptor_are_on_theirs(void **state)
{
	struct scratch scratch;
	const char *dir = scratch.path;
	struct mount under, over, again;
	struct stat st;
	char below[100];
	int fd;

	(void)state;
	scratch_open(&scratch);
	assert_int_equal(unshare(CLONE_NEWNS), 0);
	assert_int_equal(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	assert_int_equal(mount("lower", dir, "tmpfs", 0, NULL), 0);
	assert_int_equal(mount_of_path(&under, dir), 0);
	assert_string_equal(under.source, "lower");
	assert_string_equal(under.point, dir);
	assert_int_equal(mount("upper", dir, "tmpfs", 0, NULL), 0);
	fd = open(dir, O_RDONLY | O_DIRECTORY);
	assert_int_equal(mount_of_path(&over, dir), 0);
	assert_int_equal(mount_of_fd(&again, getpid(), fd), 0);
	assert_string_equal(over.source, "upper");
	assert_int_equal(over.id, again.id);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(makedev(again.major, again.minor), st.st_dev);
	close(fd);
	snprintf(below, sizeof(below), "%s/no/such", dir);
	assert_int_equal(mount_above(&again, below), 0);
	assert_int_equal(again.id, over.id);
	snprintf(below, sizeof(below), "%sx/no", dir); /* beside it */
	assert_int_equal(mount_above(&again, below), 0);
	assert_int_not_equal(again.id, over.id);
	assert_int_equal(mount_of_fd(&again, getpid(), fd), -ENOENT);
	assert_true(mount_of_path(&again, "/no/such/place") == -ENOENT);
	umount(dir);
	umount(dir);
	scratch_close(&scratch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_read),
		cmocka_unit_test(what_is_none_is_refused),
		cmocka_unit_test(a_path_and_a_descriptor_are_on_theirs),
	};

	return cmocka_run_group_tests_name("mounts", tests, NULL, NULL);
}
