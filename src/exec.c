#include "exec.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "auto.h"
#include "clock.h"
#include "units.h"

#define EXEC_LOOK_NS (20 * NS_PER_MS) /* how soon it is seen that it ended and left its output open */

/* A command under way. */
struct command {
	pid_t pid; /* and its process group */
	int output;
	size_t written, max;
	char last; /* of what was written */
	bool more; /* than is kept */
	bool killed;
	int status;
};

/* In the new process; the errno goes to whoever reads FAILED. */
static _Noreturn void command_become(char **argv, int output, int failed)
{
	static char *const environment[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C",
		NULL
	};
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0);
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

/* To the end of its output, its own end, or UNTIL. */
static void command_follow(struct command *c, FILE *out, uint64_t until)
{
	struct pollfd p = { .fd = c->output, .events = POLLIN };
	bool ended = false;
	uint64_t now;

	while ((now = clock_boot()) < until) {
		uint64_t wait = until - now < EXEC_LOOK_NS ? until - now : EXEC_LOOK_NS;

		if (poll(&p, 1, wait / NS_PER_MS + 1) > 0) {
			if (p.fd >= 0 && !command_read(c, out))
				p.fd = -1;
		} else if (ended) {
			return;
		}
		ended = ended || waitpid(c->pid, &c->status, WNOHANG) == c->pid;
		if (ended && p.fd < 0)
			return;
	}
	c->killed = !ended;
}

static void command_end(struct command *c)
{
	kill(-c->pid, SIGKILL); /* and what it has left in the background */
	if (c->killed)
		waitpid(c->pid, &c->status, 0);
	close(c->output);
}

static void command_conclude(const struct command *c, FILE *out, uint64_t took)
{
	fputs(c->written && c->last != '\n' ? "\n# " : "# ", out);
	if (c->more)
		fprintf(out, "it printed more than is kept; ");
	if (c->killed)
		fprintf(out, "killed at its deadline");
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

int exec_write(FILE *out, const char *query, size_t max, bool *cut)
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
	command_follow(&c, out, began + deadline);
	command_end(&c);
	command_conclude(&c, out, clock_boot() - began);
	*cut = c.more || c.killed;
	return 0;
}
