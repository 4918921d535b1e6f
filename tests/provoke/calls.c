/* Numbered calls of a function of its own: what a user probe sees.
 *
 * Each number is a calls_number(number), so that the first argument carries it. --calls of them are
 * made, --rate a second; the last --again times over. Before the first it waits
 * for --wait ms. */
#include <unistd.h>

#include "provoke.h"

void calls_number(uint64_t number);
void calls_other(uint64_t number);

/* A nop is what the kernel steps over fastest. */
__attribute__((noinline)) void calls_number(uint64_t number)
{
	__asm__ volatile("nop # number" : : "r"(number) : "memory");
}

/* The same number a second time, elsewhere. */
__attribute__((noinline)) void calls_other(uint64_t number)
{
	__asm__ volatile("nop # other" : : "r"(number) : "memory");
}

struct calls {
	uint64_t calls;
	uint64_t rate; /* calls a second */
	uint64_t again;
	uint64_t wait_ms;
};

int main(int argc, char **argv)
{
	struct calls what = { .calls = 1000, .rate = 10000 };
	const struct option options[] = {
		{ "--calls", &what.calls },
		{ "--rate", &what.rate },
		{ "--again", &what.again },
		{ "--wait", &what.wait_ms },
		{},
	};
	uint64_t number;

	(void)argc;
	options_read(options, argv + 1);
	say("calls pid=%d boot_ns=%lu", getpid(), (unsigned long)boot_ns());
	sleep_ns(what.wait_ms * NS_PER_MS);
	for (number = 1; number <= what.calls; number++) {
		calls_number(number);
		calls_other(number);
		sleep_ns(NS_PER_S / what.rate);
	}
	while (what.again--)
		calls_number(what.calls);
	say("done numbers=%lu boot_ns=%lu", (unsigned long)what.calls, (unsigned long)boot_ns());
	return 0;
}
