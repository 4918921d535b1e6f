#include "capture/board.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"

const char *stage_text(enum stage stage)
{
	static const char *const words[] = {
		[STAGE_ARM] = "arm",   [STAGE_WATCH] = "watch",       [STAGE_HALT] = "halt",
		[STAGE_SAVE] = "save", [STAGE_CONVERT] = "convert",   [STAGE_SEAL] = "seal",
		[STAGE_DONE] = "done", [STAGE_COOLDOWN] = "cooldown", [STAGE_THAW] = "thaw",
	};

	return stage < countof(words) ? words[stage] : "unknown";
}

static int board_map(struct board **ret, int fd, int protection, struct err *e)
{
	void *map = mmap(NULL, sizeof(struct board), protection, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED)
		return err_sys(e, "cannot map the live figures");
	*ret = map;
	return 0;
}

int board_create(struct board **ret, int statedir, struct err *e)
{
	autoclose int fd =
		openat(statedir, "board", O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_sys(e, "cannot make the page of live figures");
	errno = posix_fallocate(fd, 0, sizeof(struct board));
	if (errno)
		return err_sys(e, "no room for the live figures");
	if (board_map(ret, fd, PROT_READ | PROT_WRITE, e) < 0)
		return e->code;
	(*ret)->schema = BOARD_SCHEMA;
	(*ret)->pid = getpid();
	return 0;
}

int board_open(struct board **ret, int statedir, struct err *e)
{
	autoclose int fd = openat(statedir, "board", O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "cannot open the live figures");
	if (st.st_size < (off_t)sizeof(struct board))
		return err_set(e, "the live figures are cut short");
	if (board_map(ret, fd, PROT_READ | PROT_WRITE, e) < 0)
		return e->code;
	if ((*ret)->schema == BOARD_SCHEMA)
		return 0;
	board_close(*ret);
	return err_set(e, "the live figures are of another version");
}

void board_close(struct board *board)
{
	if (board)
		munmap(board, sizeof(*board));
}
