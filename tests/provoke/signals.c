/* A process that handles a signal N times, and then dies of it if it is told to: signals N SIGNAL
 * die|live
 *
 * Says "handled n=N" when it has. */
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "provoke.h"

static void handle(int sig)
{
	(void)sig;
}

int main(int argc, char **argv)
{
	const struct rlimit none = { 0, 0 }; /* no core */
	uint64_t n;
	int sig;

	if (argc != 4)
		die("it is called with: N SIGNAL die|live");
	n = number_of(argv[1]);
	sig = number_of(argv[2]);
	signal(sig, handle);
	for (uint64_t i = 0; i < n; i++)
		kill(getpid(), sig);
	say("handled n=%lu", (unsigned long)n);
	setrlimit(RLIMIT_CORE, &none);
	signal(sig, SIG_DFL);
	if (!strcmp(argv[3], "die"))
		kill(getpid(), sig);
	return 0;
}
