#include "reader/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/units.h"

#define EXEC_LOOK_NS (20 * NS_PER_MS)     /* how soon it is seen that it has ended */
#define EXEC_GOODBYE_NS (200 * NS_PER_MS) /* how long a killed one is waited for */

/* A command under way. */
struct command {
	pid_t pid; /* and its process group */
	int output;
	size_t written, max;
	char last; /* of what was written */
	bool more; /* than is kept */
	bool killed, reaped;
	int status;
};

#define EXEC_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

bool exec_is_there(const char *program)
{
	char path[PATH_MAX];

	if (strchr(program, '/'))
		return access(program, X_OK) == 0;
	for (const char *dir = EXEC_PATH; *dir;
	     dir += strcspn(dir, ":") + (dir[strcspn(dir, ":")] == ':')) {
		snprintf(path, sizeof(path), "%.*s/%s", (int)strcspn(dir, ":"), dir, program);
		if (access(path, X_OK) == 0)
			return true;
	}
	return false;
}

/* In the new process; the errno goes to whoever reads FAILED. */
static _Noreturn void command_become(char **argv, int output, int failed)
{
	static char *const environment[] = { "PATH=" EXEC_PATH, "LC_ALL=C", NULL };
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setsid(); /* no terminal, and a group of its own */
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	if (chdir("/") == 0 && dup2(null, 0) == 0 && dup2(output, 1) == 1 && dup2(output, 2) == 2)
		execvpe(argv[0], argv, environment);
	if (write(failed, &errno, sizeof(errno)) < 0)
		_exit(126);
	_exit(127);
}

/* Returns 0 or an errno. */
static int command_start(struct command *c, char **argv)
{
	int output[2], failed[2], error = 0;

	/* not 0 to 2: command_become puts its own there */
	if (pipe2(output, O_CLOEXEC) < 0)
		return errno;
	if (pipe2(failed, O_CLOEXEC) < 0)
		return close(output[0]), close(output[1]), ENFILE;
	c->pid = fork();
	if (c->pid == 0)
		command_become(argv, fcntl(output[1], F_DUPFD_CLOEXEC, 10),
			       fcntl(failed[1], F_DUPFD_CLOEXEC, 10));
	close(output[1]);
	close(failed[1]);
	if (c->pid < 0)
		error = EAGAIN;
	else if (read(failed[0], &error, sizeof(error)) == sizeof(error))
		waitpid(c->pid, NULL, 0);
	close(failed[0]);
	c->output = output[0];
	return error;
}

/* Returns false at the end of its output. */
static bool command_read(struct command *c, FILE *out)
{
	char text[4096];
	ssize_t n = read(c->output, text, sizeof(text));
	size_t left = c->max - c->written, size;

	if (n <= 0)
		return n < 0 && errno == EINTR;
	size = (size_t)n < left ? (size_t)n : left;
	c->more |= size < (size_t)n;
	c->written += fwrite(text, 1, size, out);
	c->last = size ? text[size - 1] : c->last;
	return true;
}

/* It stays a zombie, so that its number cannot become another's. */
static bool command_has_ended(const struct command *c)
{
	siginfo_t info = { 0 };

	return waitid(P_PID, c->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid;
}

/* To its end and that of its output, until it is UNTIL or nobody wants it any more. */
static void command_follow(struct command *c, FILE *out, int owner, uint64_t until)
{
	struct pollfd fds[] = { { .fd = c->output, .events = POLLIN }, { .fd = owner } };
	bool idle = false;
	uint64_t now;

	while ((now = clock_boot()) < until && !fds[1].revents) {
		uint64_t wait = until - now < EXEC_LOOK_NS ? until - now : EXEC_LOOK_NS;

		idle = poll(fds, countof(fds), wait / NS_PER_MS + 1) == 0;
		if (fds[0].revents && !command_read(c, out))
			fds[0].fd = -1;
		fds[0].revents = 0;
		if (command_has_ended(c) && (idle || fds[0].fd < 0))
			return;
	}
	c->killed = true;
}

/* Whoever has left the group is a child of ours once its parent is gone. */
static void command_end_orphans(uint64_t until)
{
	char path[64];
	struct err ignored = ERR_INIT;
	pid_t pid;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	do {
		autofree char *text = NULL;
		size_t n = 0;

		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		if (io_read_file(AT_FDCWD, path, 65536, &text, &n, &ignored) < 0 || !n)
			return;
		for (char *at = text; (pid = strtol(at, &at, 10)) > 0;)
			kill(pid, SIGKILL);
		usleep(1000);
	} while (clock_boot() < until);
}

/* One that is stuck in the kernel is left behind. */
static void command_end(struct command *c)
{
	uint64_t until = clock_boot() + EXEC_GOODBYE_NS;

	kill(-c->pid, SIGKILL); /* and what it has left in the background */
	while (!(c->reaped = waitpid(c->pid, &c->status, WNOHANG) == c->pid) &&
	       clock_boot() < until)
		usleep(1000);
	command_end_orphans(until);
	close(c->output);
}

static void command_conclude(const struct command *c, FILE *out, uint64_t took)
{
	fputs(c->written && c->last != '\n' ? "\n# " : "# ", out);
	if (c->more)
		fprintf(out, "it printed more than is kept; ");
	if (c->killed)
		fprintf(out, "killed at its deadline%s",
			c->reaped ? "" : ", and hangs in the kernel");
	else if (WIFSIGNALED(c->status))
		fprintf(out, "ended by signal %d", WTERMSIG(c->status));
	else
		fprintf(out, "exit code %d", WEXITSTATUS(c->status));
	fprintf(out, ", after %s\n", duration_about(took).text);
}

/* The words of the query; the array is the caller's. NULL if it is not well-formed. */
static char **exec_words(const json_t *argv)
{
	char **words = calloc(json_array_size(argv) + 1, sizeof(*words));
	size_t i;
	json_t *word;

	json_array_foreach (argv, i, word)
		if (words)
			words[i] = (char *)json_string_value(word);
	if (words && words[0])
		return words;
	free(words);
	return NULL;
}

int exec_write(FILE *out, const char *query, size_t max, int owner, bool *cut)
{
	autojson json_t *json = json_loads(query, 0, NULL);
	autofree char **words = exec_words(json_object_get(json, "argv"));
	uint64_t deadline = json_integer_value(json_object_get(json, "deadline"));
	uint64_t began = clock_boot();
	struct command c = { .max = max > 200 ? max - 200 : 0, .output = -1 };
	int error;

	if (!words)
		return EINVAL;
	error = command_start(&c, words);
	if (error) {
		if (c.output >= 0)
			close(c.output);
		return error;
	}
	command_follow(&c, out, owner, began + deadline);
	command_end(&c);
	command_conclude(&c, out, clock_boot() - began);
	*cut = c.more || c.killed;
	return 0;
}
