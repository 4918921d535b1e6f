/* A process whose threads come and go, and which then ends: threads N CODE
 *
 * Says "ready" once N threads, one after the other, have begun and ended, waits for a line on its
 * standard input or the end of it, and ends by its second thread, with that code. */
#include <pthread.h>
#include <unistd.h>

#include "provoke.h"

static void *come_and_go(void *arg)
{
	return arg;
}

static void *end(void *code)
{
	exit((int)(long)code);
}

int main(int argc, char **argv)
{
	pthread_t thread;
	char c;

	if (argc != 3)
		die("it is called with: N CODE");
	for (uint64_t n = number_of(argv[1]); n; n--) {
		if (pthread_create(&thread, NULL, come_and_go, NULL))
			die_sys("pthread_create");
		pthread_join(thread, NULL);
	}
	say("ready pid=%d", getpid());
	while (read(0, &c, 1) == 1 && c != '\n')
		;
	if (pthread_create(&thread, NULL, end, (void *)(long)number_of(argv[2])))
		die_sys("pthread_create");
	pthread_exit(NULL);
}
