/* Questions that are answered in the last moment before a deadline, each over another way than it
 * came.
 *
 *   answers event|packet [--count N] [--within US] [--before US] [--after US]
 *
 * With "event" a question is a setpriority(94, NUMBER, 0) and its answer a packet to port 19777 of
 * this machine with the number as its 8 bytes; with "packet" a question is a packet to port 19778
 * and its answer a setpriority(93, NUMBER, 0). Each of --count questions is answered --before us
 * before it is --within us old. With --after one more is, so long behind that: "missed number=N
 * before=NS after=NS", between which it was asked. At the end "asked=N late=N": how many answers
 * were not in time by this program's own clock, since the machine had other things to do. */
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "provoke.h"

enum { WHICH_ANSWER = 93, WHICH_QUESTION = 94, PORT_ANSWER = 19777, PORT_QUESTION = 19778 };

#define NS_PER_US 1000ull
#define SPIN (200 * NS_PER_US) /* before its time, instead of a sleep */

struct answers {
	uint64_t count, within_us, before_us, after_us;
	bool by_event; /* the questions */
	int questions, answers;
	uint64_t number;
};

static void ask(const struct answers *a)
{
	if (a->by_event)
		syscall(SYS_setpriority, WHICH_QUESTION, a->number, 0);
	else
		packet_send(a->questions, a->number);
}

static void answer(const struct answers *a)
{
	if (a->by_event)
		packet_send(a->answers, a->number);
	else
		syscall(SYS_setpriority, WHICH_ANSWER, a->number, 0);
}

static void wait_until(uint64_t time)
{
	uint64_t now = boot_ns();

	if (now + SPIN < time)
		sleep_ns(time - SPIN - now);
	while (boot_ns() < time)
		;
}

/* Whether the answer was in time for certain. */
static bool answer_in_time(struct answers *a)
{
	uint64_t deadline = boot_ns() + a->within_us * NS_PER_US;

	a->number++;
	ask(a);
	wait_until(deadline - a->before_us * NS_PER_US);
	answer(a);
	return boot_ns() <= deadline;
}

static void answer_too_late(struct answers *a)
{
	uint64_t before = boot_ns(), after;

	a->number++;
	ask(a);
	after = boot_ns();
	wait_until(after + (a->within_us + a->after_us) * NS_PER_US);
	answer(a);
	say("missed number=%lu before=%lu after=%lu", (unsigned long)a->number,
	    (unsigned long)before, (unsigned long)after);
}

int main(int argc, char **argv)
{
	struct answers a = { .count = 100, .within_us = 20000, .before_us = 900 };
	const struct option options[] = {
		{ "--count", &a.count },
		{ "--within", &a.within_us },
		{ "--before", &a.before_us },
		{ "--after", &a.after_us },
		{},
	};
	const struct sched_param first = { .sched_priority = 1 };
	uint64_t late = 0;

	if (argc < 2 || (strcmp(argv[1], "event") && strcmp(argv[1], "packet")))
		die("it is called with: event, or: packet");
	options_read(options, argv + 2);
	a.by_event = !strcmp(argv[1], "event");
	a.questions = packet_socket(PORT_QUESTION);
	a.answers = packet_socket(PORT_ANSWER);
	sched_setscheduler(0, SCHED_FIFO, &first); /* a comfort: what is late is said */
	for (uint64_t i = 0; i < a.count; i++)
		late += !answer_in_time(&a);
	if (a.after_us)
		answer_too_late(&a);
	say("asked=%lu late=%lu", (unsigned long)a.number, (unsigned long)late);
	return 0;
}
