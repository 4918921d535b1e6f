/* A process that cannot be looked into: mapped FILE. On a signal (SIGUSR1) one thread writes to
 * FILE, which it has mapped, and a moment later another maps something. If the file system is
 * frozen the first waits with the lock of the process's memory, on kernels before 6.4 for good, and
 * the second waits for that lock: then so does whoever reads the process's maps or cmdline. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "provoke.h"

#define PAGES 64
#define PAGE 4096

static volatile char *map;

static void *write_there(void *arg)
{
	(void)arg;
	map[0] = 1;
	return NULL;
}

static void *map_more(void *arg)
{
	(void)arg;
	sleep_ns(200 * NS_PER_MS);
	mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[2];
	int fd, signal_number;
	sigset_t set;

	if (argc != 2)
		die("mapped FILE");
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = open(argv[1], O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, PAGES * PAGE) < 0)
		die_sys("cannot make '%s'", argv[1]);
	map = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		die_sys("cannot map '%s'", argv[1]);
	say("ready %d", map[0]); /* the page is there, to be read */
	sigwait(&set, &signal_number);
	pthread_create(&threads[0], NULL, write_there, NULL);
	pthread_create(&threads[1], NULL, map_more, NULL);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	say("written");
	return 0;
}
