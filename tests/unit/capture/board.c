#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/auto.h"
#include "capture/board.h"
#include "scratch.h"

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct scratch));
	scratch_open(*state);
	return 0;
}

static int teardown(void **state)
{
	scratch_close(*state);
	free(*state);
	return 0;
}

static void another_process_sees_what_is_written(void **state)
{
	struct scratch *dir = *state;
	struct board *board, *again;
	struct err e = ERR_INIT;
	int status;
	pid_t pid;

	assert_int_equal(board_create(&board, dir->fd, &e), 0);
	assert_int_equal(board->schema, BOARD_SCHEMA);
	assert_int_equal(board->pid, getpid());
	assert_int_equal(board->stage, STAGE_ARM);
	pid = fork();
	if (pid == 0) {
		if (board_open(&again, dir->fd, &e) < 0)
			_exit(1);
		again->sources[BOARD_MAX - 1].records = 7;
		again->conditions[BOARD_MAX - 1].seen = 9;
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(board->sources[BOARD_MAX - 1].records, 7);
	assert_int_equal(board->conditions[BOARD_MAX - 1].seen, 9);
	board_close(board);
	board_close(NULL);
}

static void a_board_that_is_not_whole_is_refused(void **state)
{
	struct scratch *dir = *state;
	struct board *board, *again;
	autoclose int fd = -1;
	struct err e = ERR_INIT;

	assert_int_equal(board_open(&board, dir->fd, &e), -ENOENT);
	assert_int_equal(board_create(&board, dir->fd, &e), 0);
	assert_int_equal(board_create(&again, dir->fd, &e), -EEXIST);
	board->schema = BOARD_SCHEMA + 1;
	assert_true(board_open(&again, dir->fd, &e) < 0);
	assert_non_null(strstr(e.text, "another version"));
	board_close(board);
	fd = openat(dir->fd, "board", O_WRONLY | O_CLOEXEC);
	assert_int_equal(ftruncate(fd, sizeof(*board) - 1), 0);
	assert_true(board_open(&again, dir->fd, &e) < 0);
	assert_non_null(strstr(e.text, "cut short"));
	assert_int_equal(unlinkat(dir->fd, "board", 0), 0);
	assert_int_equal(symlinkat("/dev/zero", dir->fd, "board"), 0);
	assert_int_equal(board_open(&again, dir->fd, &e), -ELOOP);
}

static void each_stage_has_its_word(void **state)
{
	(void)state;
	assert_string_equal(stage_text(STAGE_ARM), "arm");
	assert_string_equal(stage_text(STAGE_WATCH), "watch");
	assert_string_equal(stage_text(STAGE_DONE), "done");
	assert_string_equal(stage_text(STAGE_THAW + 1), "unknown");
	for (enum stage a = STAGE_ARM; a <= STAGE_THAW; a++)
		for (enum stage b = STAGE_ARM; b < a; b++)
			assert_string_not_equal(stage_text(a), stage_text(b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(another_process_sees_what_is_written, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_board_that_is_not_whole_is_refused, setup,
						teardown),
		cmocka_unit_test(each_stage_has_its_word),
	};

	return cmocka_run_group_tests_name("board", tests, NULL, NULL);
}
