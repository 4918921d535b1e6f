/* Numbered system calls on pinned CPUs, as fast as they go: the ground truth of a ring.
 *
 * Each number is a getpriority(100 + worker, number), so that syscalls:sys_enter_getpriority
 * carries it in `who` and the worker in `which`. At its number --stop, worker 0 makes the event to
 * stop at, a setpriority(99, number), and goes on for --storm further numbers; the others go on as
 * long as it does. Every --packet-every numbers worker 0 sends a UDP packet with its own count as
 * its 8 bytes of payload. With --gate 1 all wait for a line on stdin. Nothing of this changes
 * anything: no such priority class exists. */
#include <stdbool.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "provoke.h"

enum { WHICH_STOP = 99, WHICH_WORKER = 100 };

struct numbers {
	uint64_t workers;
	uint64_t stop;  /* number at which it stops, 0 never */
	uint64_t storm; /* numbers after it */
	uint64_t rate;  /* numbers a second and worker, 0 as fast as it goes */
	uint64_t packet_every;
	uint64_t port;
	uint64_t hits; /* stop events, 1000 numbers apart */
	uint64_t stop_which;
	uint64_t max_time_s;
	uint64_t gate;

	int gate_fds[2];
	volatile int *over; /* shared: worker 0 has ended */
};

/* A worker's own state. */
struct worker {
	const struct numbers *what;
	uint64_t index;
	uint64_t number;
	uint64_t packets;
	uint64_t last; /* the number to end with */
	uint64_t started;
	int socket;
};

static void worker_stop(const struct worker *w)
{
	uint64_t before = boot_ns();

	syscall(SYS_setpriority, w->what->stop_which, w->number, 0);
	say("stop number=%lu packets=%lu pid=%d before=%lu after=%lu", (unsigned long)w->number,
	    (unsigned long)w->packets, getpid(), (unsigned long)before, (unsigned long)boot_ns());
}

static bool worker_stops(const struct worker *w)
{
	uint64_t stop = w->what->stop;

	return w->index == 0 && stop && w->number >= stop &&
	       w->number < stop + 1000 * w->what->hits && (w->number - stop) % 1000 == 0;
}

/* Waits until the next number is due. */
static void worker_pace(const struct worker *w)
{
	uint64_t due = w->started + w->number * NS_PER_S / w->what->rate;
	uint64_t now = boot_ns();

	if (due > now + NS_PER_MS)
		sleep_ns(due - now);
}

static void worker_run(struct worker *w)
{
	uint64_t deadline = boot_ns() + w->what->max_time_s * NS_PER_S;

	while (w->number < w->last && !*w->what->over) {
		w->number++;
		syscall(SYS_getpriority, WHICH_WORKER + w->index, w->number);
		if (worker_stops(w))
			worker_stop(w);
		if (w->socket >= 0 && w->number % w->what->packet_every == 0)
			packet_send(w->socket, ++w->packets);
		if (w->what->rate)
			worker_pace(w);
		if (w->number % 1024 == 0 && boot_ns() > deadline)
			break;
	}
}

/* The gate opens when its other end is closed. */
static void worker_wait(const struct worker *w)
{
	close(w->what->gate_fds[1]);
	(void)!read(w->what->gate_fds[0], &(char) { 0 }, 1);
}

static void worker_main(const struct numbers *what, uint64_t index)
{
	struct worker w = {
		.what = what,
		.index = index,
		.last = index == 0 && what->stop ? what->stop + what->storm : UINT64_MAX,
		.socket = index == 0 && what->packet_every ? packet_socket(what->port) : -1,
	};

	pin_to(index % sysconf(_SC_NPROCESSORS_ONLN));
	say("worker=%lu pid=%d", (unsigned long)index, getpid());
	worker_wait(&w);
	w.started = boot_ns();
	worker_run(&w);
	if (index == 0)
		*what->over = 1;
	say("done worker=%lu numbers=%lu packets=%lu ns=%lu", (unsigned long)index,
	    (unsigned long)w.number, (unsigned long)w.packets,
	    (unsigned long)(boot_ns() - w.started));
	exit(0);
}

static void numbers_options(struct numbers *what, char **argv)
{
	const struct option options[] = {
		{ "--workers", &what->workers },
		{ "--stop", &what->stop },
		{ "--storm", &what->storm },
		{ "--rate", &what->rate },
		{ "--packet-every", &what->packet_every },
		{ "--port", &what->port },
		{ "--hits", &what->hits },
		{ "--stop-which", &what->stop_which },
		{ "--max-time", &what->max_time_s },
		{ "--gate", &what->gate },
		{},
	};

	options_read(options, argv);
}

static void worker_fork(const struct numbers *what, uint64_t index)
{
	pid_t parent = getpid();
	pid_t pid = fork();

	if (pid < 0)
		die_sys("cannot fork");
	if (pid > 0)
		return;
	/* nobody is left behind */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		exit(1);
	worker_main(what, index);
}

int main(int argc, char **argv)
{
	struct numbers what = {
		.workers = 1, .hits = 1, .port = 19777, .max_time_s = 60, .stop_which = WHICH_STOP
	};
	uint64_t i;

	(void)argc;
	numbers_options(&what, argv + 1);
	what.over = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (what.over == MAP_FAILED || pipe(what.gate_fds) < 0)
		die_sys("cannot begin");
	for (i = 0; i < what.workers; i++)
		worker_fork(&what, i);
	if (what.gate)
		while (!feof(stdin) && getchar() != '\n')
			;
	close(what.gate_fds[1]);
	while (wait(NULL) > 0)
		;
	return 0;
}
