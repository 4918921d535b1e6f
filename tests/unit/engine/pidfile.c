/* The file that names the process of a capture. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/auto.h"
#include "engine/pidfile.h"
#include "scratch.h"

struct place {
	struct scratch dir;
	char path[80];
};

static int setup(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	scratch_open(&place->dir);
	snprintf(place->path, sizeof(place->path), "%s/pid", place->dir.path);
	*state = place;
	return 0;
}

static int teardown(void **state)
{
	struct place *place = *state;

	scratch_close(&place->dir);
	free(place);
	return 0;
}

static void assert_names(const char *path, int pid)
{
	autofree char *text = NULL;
	struct err e = ERR_INIT;

	assert_int_equal(io_read_file(AT_FDCWD, path, 64, &text, NULL, &e), 0);
	assert_int_equal(atoi(text), pid);
}

static void it_is_there_and_goes(void **state)
{
	const struct place *place = *state;
	struct err e = ERR_INIT;

	assert_int_equal(pidfile_write(place->path, &e), 0);
	assert_names(place->path, getpid());
	pidfile_remove(place->path);
	assert_int_equal(access(place->path, F_OK), -1);
}

/* A process of this very program stands for a capture. */
static void one_of_a_capture_that_runs_is_left_alone(void **state)
{
	const struct place *place = *state;
	struct err e = ERR_INIT;
	char text[16];
	pid_t child = fork();

	if (child == 0) {
		pause();
		_exit(0);
	}
	snprintf(text, sizeof(text), "%d\n", child);
	assert_int_equal(io_create_file(place->dir.fd, "pid", text, strlen(text), &e), 0);
	assert_true(pidfile_write(place->path, &e) < 0);
	assert_int_equal(e.exit, EXIT_USAGE);
	assert_non_null(strstr(e.text, "of a capture that runs"));
	pidfile_remove(place->path); /* it is not ours */
	assert_names(place->path, child);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	e = (struct err)ERR_INIT;
	assert_int_equal(pidfile_write(place->path, &e), 0);
	assert_names(place->path, getpid());
}

/* Also not what others have put there. */
static void what_names_no_capture_is_replaced(void **state)
{
	static const char *const texts[] = { "", "1\n", "garbage", "-5\n", "99999999999999999999" };
	const struct place *place = *state;
	struct err e = ERR_INIT;

	for (size_t i = 0; i < countof(texts); i++) {
		unlink(place->path);
		assert_int_equal(
			io_create_file(place->dir.fd, "pid", texts[i], strlen(texts[i]), &e), 0);
		assert_int_equal(pidfile_write(place->path, &e), 0);
		assert_names(place->path, getpid());
	}
	unlink(place->path);
	assert_int_equal(mkfifo(place->path, 0600), 0); /* nobody waits for its other end */
	assert_int_equal(pidfile_write(place->path, &e), 0);
	unlink(place->path);
	assert_int_equal(symlink("/etc/hostname", place->path), 0);
	assert_int_equal(pidfile_write(place->path, &e), 0);
	assert_names(place->path, getpid());
}

static void where_it_cannot_be_made(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	assert_true(pidfile_write("/no/such/place/pid", &e) < 0);
	assert_int_equal(e.exit, EXIT_USAGE);
	assert_string_equal(e.text, "cannot make the file '/no/such/place/pid': No such file or "
				    "directory");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_is_there_and_goes),
		TEST(one_of_a_capture_that_runs_is_left_alone),
		TEST(what_names_no_capture_is_replaced),
		TEST(where_it_cannot_be_made),
	};

	return cmocka_run_group_tests_name("pidfile", tests, NULL, NULL);
}
