/* Eats memory until somebody ends it, at most the bytes that it is given; exits 0 if nobody does.
 * To be run in a memory cgroup with a smaller limit. */
#include <sys/mman.h>
#include <unistd.h>

#include "provoke.h"

int main(int argc, char **argv)
{
	size_t size = argc > 1 ? number_of(argv[1]) : 256 << 20;
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t i;

	if (memory == MAP_FAILED)
		die_sys("cannot map %zu bytes", size);
	if (mlock2(memory, size, MLOCK_ONFAULT) < 0) /* else it would be swapped out instead */
		die_sys("cannot lock %zu bytes", size);
	printf("eats pid=%d size=%zu boot=%llu\n", getpid(), size, (unsigned long long)boot_ns());
	fflush(stdout);
	for (i = 0; i < size; i += 4096)
		memory[i] = 1;
	printf("lived size=%zu\n", size);
	return 0;
}
