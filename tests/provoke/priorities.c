/* System calls that change nothing, as events with two numbers: priorities WHICH N [WHO [EVERY_US
 * [THEN]]]
 *
 * Makes N calls of setpriority(WHICH, WHO), EVERY_US apart, or one behind the other; where WHO is
 * 0, it is the number of the call, from 1. Then, with THEN, one of setpriority(THEN, WHO). No such
 * priority classes exist. */
#include <sys/syscall.h>
#include <unistd.h>

#include "provoke.h"

int main(int argc, char **argv)
{
	uint64_t args[5] = { 0 };

	if (argc < 3 || argc > 6)
		die("it is called with: WHICH N [WHO [EVERY_US [THEN]]]");
	for (int i = 1; i < argc; i++)
		args[i - 1] = number_of(argv[i]);
	for (uint64_t i = 1; i <= args[1]; i++) {
		syscall(SYS_setpriority, args[0], args[2] ? args[2] : i, 0);
		if (args[3])
			sleep_ns(args[3] * 1000);
	}
	if (args[4])
		syscall(SYS_setpriority, args[4], args[2], 0);
	return 0;
}
