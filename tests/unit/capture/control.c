#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/units.h"
#include "capture/control.h"
#include "scratch.h"

struct bench {
	struct scratch dir;
	struct state state;
	struct control *control;
};

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct err e = ERR_INIT;

	scratch_open(&b->dir);
	strcpy(b->state.path, b->dir.path);
	assert_int_equal(control_open(&b->control, &b->state, &e), 0);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	control_close(b->control);
	scratch_close(&b->dir);
	free(b);
	return 0;
}

static int connected(const struct bench *b)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%.60s/control", b->state.path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static bool is_asked(const struct bench *b)
{
	struct pollfd pollfd = { .fd = control_fd(b->control), .events = POLLIN };

	return poll(&pollfd, 1, 2000) == 1;
}

/* Whether anybody wants it to stop. */
static bool serve(const struct bench *b)
{
	struct wish wish;
	bool any = false;

	while (control_next(b->control, &wish)) {
		control_answer(b->control, NULL);
		any |= wish.what == WISH_STOP;
	}
	return any;
}

static void a_condition_can_be_fired_by_its_name(void **state)
{
	struct bench *b = *state;
	struct err e = ERR_INIT;
	struct wish wish;
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(control_fire(b->state.path, "client lost", &e) < 0 &&
		      !strcmp(e.text, "it does not watch"));
	assert_true(is_asked(b));
	assert_true(control_next(b->control, &wish));
	assert_int_equal(wish.what, WISH_FIRE);
	assert_string_equal(wish.name, "client lost");
	control_answer(b->control, "it does not watch");
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 1);
}

static void another_command_asks_for_the_stop_and_hears_of_it(void **state)
{
	struct bench *b = *state;
	struct err e = ERR_INIT;
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(control_stop(b->state.path, &e) < 0);
	assert_true(is_asked(b));
	assert_true(serve(b));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	/* it is asked once */
	assert_false(serve(b));
}

static void whoever_is_silent_is_not_waited_for(void **state)
{
	struct bench *b = *state;
	autoclose int silent = connected(b);
	uint64_t start = clock_boot();

	assert_false(serve(b));
	assert_in_range(clock_boot() - start, 0, NS_PER_S);
	/* and is hung up on */
	assert_int_equal(send(silent, "stop", 4, MSG_NOSIGNAL), -1);
	assert_int_equal(errno, EPIPE);
}

static void other_words_stop_nothing(void **state)
{
	static const char *const words[] = {
		"sto", "stopp", "STOP", "stop\n", "", "stop it now please", "\xff\xff\xff\xff"
	};
	struct bench *b = *state;

	for (size_t i = 0; i < countof(words); i++) {
		autoclose int fd = connected(b);

		send(fd, words[i], strlen(words[i]), MSG_NOSIGNAL);
		assert_true(is_asked(b));
		if (serve(b))
			fail_msg("'%s' stops it", words[i]);
	}
}

static void one_that_asks_is_heard_among_those_who_do_not(void **state)
{
	struct bench *b = *state;
	autoclose int silent = connected(b), gone = connected(b), asks = connected(b),
		      noise = connected(b);
	char answer[8] = "";

	close(take_fd(&gone));
	assert_int_equal(send(asks, "stop", 4, MSG_NOSIGNAL), 4);
	assert_int_equal(send(noise, "noise", 5, MSG_NOSIGNAL), 5);
	assert_true(serve(b));
	assert_int_equal(recv(asks, answer, sizeof(answer), 0), 2);
	assert_string_equal(answer, "ok");
	assert_int_equal(recv(noise, answer, sizeof(answer), 0), 0);
	(void)silent;
}

static void where_nobody_listens_that_is_said(void **state)
{
	struct bench *b = *state;
	struct err e = ERR_INIT;
	char path[200];

	control_close(take_ptr(b->control));
	assert_int_equal(control_stop(b->state.path, &e), -ECONNREFUSED);
	assert_int_equal(control_stop("/dev/shm/unit-nowhere", &e), -ENOENT);
	assert_non_null(strstr(e.text, "cannot reach the capture"));
	memset(path, 'x', sizeof(path));
	path[199] = '\0';
	assert_true(control_stop(path, &e) < 0);
	assert_non_null(strstr(e.text, "too long"));
	assert_int_equal(control_fd(NULL), -1);
	control_close(NULL);
}

static void a_socket_that_is_there_is_not_taken_over(void **state)
{
	struct bench *b = *state;
	struct control *second;
	struct err e = ERR_INIT;

	assert_int_equal(control_open(&second, &b->state, &e), -EADDRINUSE);
}

#define CONTROL_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CONTROL_TEST(a_condition_can_be_fired_by_its_name),
		CONTROL_TEST(another_command_asks_for_the_stop_and_hears_of_it),
		CONTROL_TEST(whoever_is_silent_is_not_waited_for),
		CONTROL_TEST(other_words_stop_nothing),
		CONTROL_TEST(one_that_asks_is_heard_among_those_who_do_not),
		CONTROL_TEST(where_nobody_listens_that_is_said),
		CONTROL_TEST(a_socket_that_is_there_is_not_taken_over),
	};

	return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
