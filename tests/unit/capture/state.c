/* In a mount namespace of its own, with a /run and a /dev/shm that nobody else sees. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/auto.h"
#include "base/io.h"
#include "capture/state.h"

#define FIRST "01J00000000000000000000AAA"
#define SECOND "01J11111111111111111111BBB"
#define THIRD "01J11111111111111111112CCC"

static int setup_on(const char *run, const char *shm)
{
	if (mount("none", "/run", run, 0, NULL) < 0 || mount("none", "/dev/shm", shm, 0, NULL) < 0)
		return -1;
	return 0;
}

static int setup_shm(void **state)
{
	(void)state;
	return setup_on("ramfs", "tmpfs");
}

static int setup_run(void **state)
{
	(void)state;
	return setup_on("tmpfs", "tmpfs");
}

static int setup_none(void **state)
{
	(void)state;
	return setup_on("ramfs", "ramfs");
}

static int teardown(void **state)
{
	(void)state;
	return umount2("/run", MNT_DETACH) | umount2("/dev/shm", MNT_DETACH);
}

static struct state *make(const char *id)
{
	struct state *state;
	struct err e = ERR_INIT;

	if (state_create(&state, id, &e) < 0)
		fail_msg("%s", e.text);
	return state;
}

/* One whose process is gone. */
static void make_dead(const char *id)
{
	state_close(make(id));
}

static void it_is_a_closed_directory_on_tmpfs(void **unused)
{
	struct state *state = make(FIRST);
	struct err e = ERR_INIT;
	struct stat st;

	(void)unused;
	assert_string_equal(state->id, FIRST);
	assert_string_equal(state->path, "/dev/shm/tracer-" FIRST);
	assert_int_equal(stat(state->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(fcntl(state->fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_true(state_room() > 1 << 20);
	assert_int_equal(io_create_file(state->fd, "deep", "x", 1, &e), 0);
	assert_int_equal(state_remove(state, &e), 0);
	assert_int_equal(stat("/dev/shm/tracer-" FIRST, &st), -1);
}

static void run_goes_first_where_it_is_tmpfs(void **unused)
{
	struct state *first = make(FIRST), *second = make(SECOND);
	struct err e = ERR_INIT;
	struct stat st;

	(void)unused;
	assert_string_equal(first->path, "/run/tracer/" FIRST);
	assert_int_equal(stat("/run/tracer", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(state_remove(first, &e), 0);
	assert_int_equal(stat("/run/tracer", &st), 0);
	assert_int_equal(state_remove(second, &e), 0);
	assert_int_equal(stat("/run/tracer", &st), -1);
}

static void without_tmpfs_this_host_cannot(void **unused)
{
	struct state *state;
	struct err e = ERR_INIT;

	(void)unused;
	assert_true(state_create(&state, FIRST, &e) < 0);
	assert_int_equal(e.exit, EXIT_HOST);
	assert_int_equal(state_room(), 0);
}

static void an_id_is_taken_once(void **unused)
{
	struct state *state = make(FIRST), *again;
	struct err e = ERR_INIT;

	(void)unused;
	assert_int_equal(state_create(&again, FIRST, &e), -EEXIST);
	state_close(state);
	state_close(NULL);
}

static void assert_found(const char *id, bool alive, const char *want)
{
	struct state_entry entry;
	struct err e = ERR_INIT;

	if (state_find(&entry, id, alive, &e) < 0)
		fail_msg("%s", e.text);
	assert_string_equal(entry.id, want);
	assert_int_equal(entry.alive, alive);
}

static void assert_not_found(const char *id, bool alive, const char *why)
{
	struct state_entry entry;
	struct err e = ERR_INIT;

	assert_true(state_find(&entry, id, alive, &e) < 0);
	if (!strstr(e.text, why))
		fail_msg("'%s' is not in '%s'", why, e.text);
}

static void a_capture_is_found_by_either_end_of_its_id(void **unused)
{
	(void)unused;
	make_dead(THIRD);
	make_dead(SECOND);
	assert_not_found(NULL, false, "there are 2: say which");
	assert_not_found("01J1", false, "there are 2: say which");
	assert_not_found("", false, "there are 2");
	assert_found("01J11111111111111111111", false, SECOND);
	assert_found("01j11111111111111111112", false, THIRD);
	assert_found(THIRD, false, THIRD);
	assert_found("2CCC", false, THIRD);
	assert_found("1bbb", false, SECOND);
	assert_not_found("BBB", false, "no interrupted capture has the ID 'BBB'");
	assert_not_found(THIRD "X", false, "no interrupted capture");
	assert_not_found(SECOND, true, "no running capture has the ID");
	assert_not_found(NULL, true, "there is no running capture");
}

static void the_living_are_told_from_the_dead(void **unused)
{
	struct state *alive = make(FIRST), *adopted;
	autofree struct state_entry *list = NULL;
	struct err e = ERR_INIT;
	size_t n;

	(void)unused;
	make_dead(SECOND);
	assert_int_equal(state_list(&list, &n, &e), 0);
	assert_int_equal(n, 2);
	assert_string_equal(list[0].id, FIRST);
	assert_true(list[0].alive);
	assert_string_equal(list[1].id, SECOND);
	assert_false(list[1].alive);
	assert_found(NULL, true, FIRST);
	assert_found(NULL, false, SECOND);
	assert_true(state_adopt(&adopted, FIRST, &e) < 0);
	state_close(alive);
	assert_int_equal(state_adopt(&adopted, FIRST, &e), 0);
	assert_string_equal(adopted->id, FIRST);
	/* who adopts it makes it live */
	assert_found(FIRST, true, FIRST);
	state_close(adopted);
}

static void one_that_was_killed_is_dead(void **unused)
{
	struct state *adopted;
	struct err e = ERR_INIT;
	int ready[2];
	pid_t pid;
	char c;

	(void)unused;
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		struct state *state;

		if (state_create(&state, FIRST, &e) < 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_found(NULL, true, FIRST);
	assert_not_found(NULL, false, "there is no interrupted capture");
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_found(NULL, false, FIRST);
	assert_int_equal(state_adopt(&adopted, NULL, &e), 0);
	assert_int_equal(state_remove(adopted, &e), 0);
	close(ready[0]);
	close(ready[1]);
}

/* /dev/shm is everybody's. */
static void what_another_user_could_have_made_is_none(void **unused)
{
	autofree struct state_entry *list = NULL;
	struct err e = ERR_INIT;
	size_t n;

	(void)unused;
	make_dead(FIRST);
	assert_int_equal(mkdir("/dev/shm/tracer-" SECOND, 0755), 0);
	assert_int_equal(mkdir("/dev/shm/tracer-" THIRD, 0700), 0);
	assert_int_equal(chown("/dev/shm/tracer-" THIRD, 12345, 12345), 0);
	assert_int_equal(mkdir("/dev/shm/tracer-short", 0700), 0);
	assert_int_equal(mkdir("/dev/shm/" SECOND, 0700), 0);
	assert_int_equal(mkdir("/dev/shm/tracer-" SECOND "X", 0700), 0);
	assert_int_equal(
		symlink("/dev/shm/tracer-" FIRST, "/dev/shm/tracer-01J000000000000000000000LN"), 0);
	assert_int_equal(
		io_create_file(AT_FDCWD, "/dev/shm/tracer-01J00000000000000000000FIL", "", 0, &e),
		0);
	assert_int_equal(state_list(&list, &n, &e), 0);
	assert_int_equal(n, 1);
	assert_string_equal(list[0].id, FIRST);
}

static void the_interrupted_are_told(void **unused)
{
	struct state *alive = make(FIRST);
	autofree char *text = NULL;
	struct err e = ERR_INIT;
	int error = dup(STDERR_FILENO),
	    file = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	(void)unused;
	make_dead(SECOND);
	dup2(file, STDERR_FILENO);
	state_tell_interrupted();
	dup2(error, STDERR_FILENO);
	lseek(file, 0, SEEK_SET);
	assert_int_equal(io_read(file, 4096, &text, NULL, &e), 0);
	assert_non_null(strstr(text, "`tracer recover " SECOND "`"));
	assert_null(strstr(text, FIRST));
	close(error);
	close(file);
	state_close(alive);
}

#define ON_SHM(name) cmocka_unit_test_setup_teardown(name, setup_shm, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_SHM(it_is_a_closed_directory_on_tmpfs),
		cmocka_unit_test_setup_teardown(run_goes_first_where_it_is_tmpfs, setup_run,
						teardown),
		cmocka_unit_test_setup_teardown(without_tmpfs_this_host_cannot, setup_none,
						teardown),
		ON_SHM(an_id_is_taken_once),
		ON_SHM(a_capture_is_found_by_either_end_of_its_id),
		ON_SHM(the_living_are_told_from_the_dead),
		ON_SHM(one_that_was_killed_is_dead),
		ON_SHM(what_another_user_could_have_made_is_none),
		ON_SHM(the_interrupted_are_told),
	};

	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		perror("own mount namespace");
		return 1;
	}
	return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}
