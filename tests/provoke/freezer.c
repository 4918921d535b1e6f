/* Freezes file systems as a backup does: freezer HOLD_MS MOUNT... freezes all in their order, and
 * after that long thaws them in reverse.
 *
 * It is ready before it begins: all are open, and its memory is locked. What it says comes at the
 * end, a line for each call: "freeze|thaw MOUNT BEGIN END ERRNO", in ns of the boot clock. */
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "provoke.h"

#define MOUNTS_MAX 16

struct call {
	const char *what, *mount;
	uint64_t begin, end;
	int error;
};

static struct call calls[2 * MOUNTS_MAX];
static int n_calls;

static void ask(const char *what, const char *mount, int fd, unsigned long cmd)
{
	struct call *call = &calls[n_calls++];

	call->what = what;
	call->mount = mount;
	call->begin = boot_ns();
	call->error = ioctl(fd, cmd, 0) < 0 ? errno : 0;
	call->end = boot_ns();
}

int main(int argc, char **argv)
{
	int fds[MOUNTS_MAX], n = argc - 2;

	if (n < 1 || n > MOUNTS_MAX)
		die("freezer HOLD_MS MOUNT..., up to %d of them", MOUNTS_MAX);
	for (int i = 0; i < n; i++)
		if ((fds[i] = open(argv[2 + i], O_RDONLY | O_CLOEXEC)) < 0)
			die_sys("cannot open '%s'", argv[2 + i]);
	/* what it measures is the kernel's time, and not what others take of it */
	sched_setscheduler(0, SCHED_FIFO, &(struct sched_param) { .sched_priority = 50 });
	mlockall(MCL_CURRENT | MCL_FUTURE);
	for (int i = 0; i < n; i++)
		ask("freeze", argv[2 + i], fds[i], FIFREEZE);
	sleep_ns(number_of(argv[1]) * NS_PER_MS);
	for (int i = n; i-- > 0;)
		ask("thaw", argv[2 + i], fds[i], FITHAW);
	for (int i = 0; i < n_calls; i++)
		printf("%s %s %llu %llu %d\n", calls[i].what, calls[i].mount,
		       (unsigned long long)calls[i].begin, (unsigned long long)calls[i].end,
		       calls[i].error);
	return 0;
}
