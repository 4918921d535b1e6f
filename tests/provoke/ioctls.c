/* Makes ioctls for so many ms, one after the other: ioctls MS. */
#include <sys/ioctl.h>
#include <unistd.h>

#include "provoke.h"

int main(int argc, char **argv)
{
	uint64_t until = boot_ns() + (argc == 2 ? number_of(argv[1]) : 1000) * NS_PER_MS;
	uint64_t made = 0;
	int pipes[2], n;

	if (pipe(pipes) < 0)
		die_sys("no pipe");
	for (; boot_ns() < until; made++)
		ioctl(pipes[0], FIONREAD, &n);
	say("ioctls=%llu", (unsigned long long)made);
	return 0;
}
