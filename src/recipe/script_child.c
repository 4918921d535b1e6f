#include "recipe/script_child.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "process/memory.h"
#include "process/sandbox.h"
#include "recipe/script_state.h"
#include "recipe/script_wire.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#define DESCRIPTORS_MAX 65536u

struct limit {
	int resource;
	rlim_t max;
};

static const struct limit limits[] = {
	{ RLIMIT_CORE, 0 },
	{ RLIMIT_FSIZE, 0 },
	{ RLIMIT_NPROC, 0 },
};

/* Seconds: for a script whose engine, the watchdog, is gone. One that runs tests lives as long as
 * the capture. */
static const struct limit cpu_limit = { RLIMIT_CPU, 10 };

/* Lua's own limit comes first and says so; a sanitizer needs terabytes of address space. */
static const struct limit memory_limit = { RLIMIT_AS, 512u << 20 };

static int child_limit(const struct limit *limit, struct err *e)
{
	struct rlimit r = { .rlim_cur = limit->max, .rlim_max = limit->max };

	return setrlimit((__rlimit_resource_t)limit->resource, &r) < 0
		       ? err_sys(e, "cannot limit the script")
		       : 0;
}

static int child_limits(bool tests, struct err *e)
{
	for (size_t i = 0; i < countof(limits); i++)
		if (child_limit(&limits[i], e) < 0)
			return e->code;
	if (!tests && child_limit(&cpu_limit, e) < 0)
		return e->code;
	return SANITIZED ? 0 : child_limit(&memory_limit, e);
}

static void child_close_range(unsigned int first, unsigned int last)
{
	if (first > last || syscall(SYS_close_range, first, last, 0) == 0)
		return;
	for (unsigned int fd = first; fd <= last && fd < DESCRIPTORS_MAX; fd++)
		close((int)fd);
}

/* Descriptors A and B; -1 is none. */
static void child_close_all_but(int a, int b)
{
	int low = a < b ? a : b, high = a < b ? b : a;

	if (low > 0)
		child_close_range(0, (unsigned int)low - 1);
	if (high > 0)
		child_close_range((unsigned int)low + 1, (unsigned int)high - 1);
	child_close_range((unsigned int)high + 1, ~0u);
}

/* Only the engine decides when the process ends. */
static void child_leave_terminal(void)
{
	static const int ignored[] = {
		SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGPIPE, SIGUSR1
	};

	setpgid(0, 0);
	for (size_t i = 0; i < countof(ignored); i++)
		signal(ignored[i], SIG_IGN);
}

static int child_confine(const struct script_child *child, struct err *e)
{
	child_leave_terminal();
	child_close_all_but(child->fd, child->tests ? child->tests->script_fd : -1);
	if (child->tests && child->rq->locked && memory_lock(e) < 0)
		return e->code;
	if (child_limits(child->tests, e) < 0)
		return e->code;
	return sandbox_enter(SANDBOX_COMPUTE, e);
}

static int child_say(const struct script_child *child, enum wire_kind kind, const char *text)
{
	return wire_send(child->fd, kind, text, strlen(text), UINT64_MAX);
}

static int child_work(const struct script_child *child)
{
	struct script_state state = { .child = child };
	struct err e = ERR_INIT;

	if (child_confine(child, &e) < 0)
		return child_say(child, WIRE_FAULT, e.text);
	if (script_run(&state, &e) < 0)
		return child_say(child, e.exit == EXIT_USAGE ? WIRE_ERROR : WIRE_FAULT, e.text);
	if (child_say(child, WIRE_RESULT, state.result) == -EMSGSIZE)
		return child_say(child, WIRE_ERROR, "the recipe's plan is larger than 8M");
	return child->tests ? script_serve_tests(&state, &e) : 0;
}

_Noreturn void script_child_run(const struct script_child *child)
{
	prctl(PR_SET_NAME, "tracer-script");
	/* without handlers of the engine's, or its buffered output */
	_exit(child_work(child) < 0);
}
