#include "packet/packetprogram.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/units.h"
#include "process/sandbox.h"

#define COMPILE_TIME (2 * NS_PER_S)
#define PROGRAM_MAX 4096u /* instructions that the kernel takes */

/* What comes back from the child: instructions, or why there are none. */
struct compiled {
	uint32_t n; /* of the instructions, 0: see text */
	char text[PCAP_ERRBUF_SIZE];
	struct bpf_insn code[PROGRAM_MAX];
};

bool packetprogram_has_tags(int link)
{
	return link == DLT_EN10MB;
}

/* What would have to be looked up cannot be: errno is then set. libpcap does not always tell: to
 * it, "ip proto NAME" is then "ip proto 0". */
static void compile_text(pcap_t *pcap, const char *filter, struct compiled *result)
{
	struct bpf_program program = { 0 };
	const char *failure = NULL;
	bool looked_up;

	errno = 0;
	if (pcap_compile(pcap, &program, filter, 1, PCAP_NETMASK_UNKNOWN) < 0)
		failure = pcap_geterr(pcap);
	looked_up = errno != 0;
	if (!failure && program.bf_len > PROGRAM_MAX)
		failure = "too long for the kernel";
	if (!failure && looked_up)
		failure = "it has a name";
	if (failure) {
		snprintf(result->text, sizeof(result->text), "%.200s%s", failure,
			 looked_up ? " (only numeric addresses, ports and protocols)" : "");
		return;
	}
	result->n = program.bf_len;
	memcpy(result->code, program.bf_insns, program.bf_len * sizeof(*result->code));
}

/* Standard output is all that is left open. Opening more is impossible, with and without system
 * call filters. */
static int compile_confine(int out, struct err *e)
{
	const struct rlimit none = { 0 };

	if (dup2(out, STDOUT_FILENO) < 0)
		return err_sys(e, "cannot compile");
	close(STDIN_FILENO);
	syscall(SYS_close_range, STDERR_FILENO, ~0u, 0);
	if (sandbox_enter(SANDBOX_COMPUTE, e) < 0)
		return e->code;
	return setrlimit(RLIMIT_NOFILE, &none) < 0 && errno != EPERM
		       ? err_sys(e, "cannot give up files")
		       : 0;
}

static void compile_child(int out, pcap_t *pcap, const char *filter, struct compiled *result)
{
	struct err e = ERR_INIT;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (compile_confine(out, &e) < 0)
		snprintf(result->text, sizeof(result->text), "%.200s", e.text);
	else
		compile_text(pcap, filter, result);
	_exit(io_write(STDOUT_FILENO, result, sizeof(*result), &e) < 0);
}

/* Takes what the child writes, until the deadline. True if all of it came. */
static bool compile_receive(int in, struct compiled *result)
{
	uint64_t deadline = clock_boot() + COMPILE_TIME;
	size_t got = 0;

	while (got < sizeof(*result)) {
		uint64_t now = clock_boot();
		struct pollfd ready = { .fd = in, .events = POLLIN };
		ssize_t n;

		if (now >= deadline ||
		    (poll(&ready, 1, (deadline - now) / NS_PER_MS + 1) < 0 && errno != EINTR))
			return false;
		if (!ready.revents)
			continue;
		n = read(in, (char *)result + got, sizeof(*result) - got);
		if (n <= 0)
			return false;
		got += n;
	}
	return true;
}

static int compile_in_child(struct compiled *result, pcap_t *pcap, const char *filter,
			    struct err *e)
{
	autoclose int in = -1;
	int ends[2], status;
	bool whole;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(e, "cannot compile the filter");
	in = ends[0];
	pid = fork();
	if (pid == 0)
		compile_child(ends[1], pcap, filter, result);
	close(ends[1]);
	if (pid < 0)
		return err_sys(e, "cannot compile the filter");
	whole = compile_receive(in, result);
	kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (whole)
		return 0;
	if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
		return err_set(e, "compiling it ended by signal %d", WTERMSIG(status));
	return err_set(e, "could not be compiled within %s", duration_text(COMPILE_TIME).text);
}

int packetprogram_compile(struct bpf_program *ret, pcap_t *pcap, const char *filter, struct err *e)
{
	autofree struct compiled *result = calloc(1, sizeof(*result));
	size_t size;

	if (!result)
		return err_sys(e, "cannot compile the filter");
	if (compile_in_child(result, pcap, filter, e) < 0)
		return e->code;
	result->text[sizeof(result->text) - 1] = '\0';
	if (!result->n)
		return err_set(e, "%s", result->text);
	size = result->n * sizeof(*result->code);
	/* the child may be what the text made of it */
	if (result->n > PROGRAM_MAX || !bpf_validate(result->code, result->n))
		return err_set(e, "became a program that is not one");
	ret->bf_insns = malloc(size);
	if (!ret->bf_insns)
		return err_sys(e, "cannot compile the filter");
	memcpy(ret->bf_insns, result->code, size);
	ret->bf_len = result->n;
	return 0;
}

void packetprogram_free(struct bpf_program *program)
{
	free(program->bf_insns);
	*program = (struct bpf_program) { 0 };
}
