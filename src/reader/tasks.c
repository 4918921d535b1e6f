#include "reader/tasks.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/text.h"
#include "reader/query.h"

#define STACK_DEPTH 12
#define TASKS_WRITE_NS (READER_DEADLINE / 4 * 3) /* so that there is an answer in time */

/* A small file of a task; "" if it is gone. */
static void task_read(int task, const char *file, char *text, size_t room)
{
	autoclose int fd = openat(task, file, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, room - 1);

	text[n > 0 ? n : 0] = '\0';
}

/* What is done with each task, whose directory below /proc is open. */
typedef void task_visit(void *arg, int task, int pid, int tid);

static void process_each(const char *pid, task_visit *visit, void *arg)
{
	char path[300];
	autoclosedir DIR *dir = NULL;
	struct dirent *entry;

	snprintf(path, sizeof(path), "/proc/%s/task", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		autoclose int task = -1;

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		task = openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (task >= 0)
			visit(arg, task, atoi(pid), atoi(entry->d_name));
	}
}

/* The next process in /proc, NULL at the end. */
static const char *process_next(DIR *proc)
{
	struct dirent *entry;

	while (proc && (entry = readdir(proc)))
		if (isdigit((unsigned char)entry->d_name[0]))
			return entry->d_name;
	return NULL;
}

static void tasks_each(task_visit *visit, void *arg)
{
	autoclosedir DIR *proc = opendir("/proc");
	const char *pid;

	while ((pid = process_next(proc)))
		process_each(pid, visit, arg);
}

/* "[<0>] io_schedule+0x46/0x70" a line becomes "io_schedule < ...". */
static void task_stack(int task, char *stack, size_t room)
{
	char text[4096], *rest = text, *line;
	size_t used = 0;

	task_read(task, "stack", text, sizeof(text));
	*stack = '\0';
	for (int depth = 0; depth < STACK_DEPTH && (line = strsep(&rest, "\n")) && *line; depth++) {
		char *name = strchr(line, ' ');

		if (!name || used >= room)
			return;
		used += snprintf(stack + used, room - used, "%s%.*s", depth ? " < " : "",
				 (int)strcspn(name + 1, "+"), name + 1);
	}
}

static unsigned long long task_switches(int task)
{
	char text[8192];
	unsigned long long sum = 0;

	task_read(task, "status", text, sizeof(text));
	for (const char *at = text; (at = strstr(at, "_ctxt_switches:")); at++)
		sum += strtoull(at + strlen("_ctxt_switches:"), NULL, 10);
	return sum;
}

/* Returns the bytes of its text, 0 if it does not sleep so or does not fit. */
static size_t task_describe(int task, char *buffer, size_t room)
{
	char stat[1024], stack[700], *open, *close;
	unsigned long long start = 0;
	int n;

	task_read(task, "stat", stat, sizeof(stat));
	open = strchr(stat, '(');
	close = strrchr(stat, ')');
	if (!open || !close || strncmp(close, ") D ", 4))
		return 0;
	/* the 22nd field, 20 behind the name */
	sscanf(close + 2,
	       "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d "
	       "%llu",
	       &start);
	*close = '\0';
	task_stack(task, stack, sizeof(stack));
	n = snprintf(buffer, room, "%d %llu %llu %s\t%s", atoi(stat), start, task_switches(task),
		     open + 1, stack);
	return n > 0 && (size_t)n < room ? (size_t)n + 1 : 0;
}

/* Where tasks_asleep writes. */
struct asleep {
	char *buffer;
	size_t used, room;
};

static void asleep_visit(void *arg, int task, int pid, int tid)
{
	struct asleep *asleep = arg;

	(void)pid;
	(void)tid;
	asleep->used +=
		task_describe(task, asleep->buffer + asleep->used, asleep->room - asleep->used);
}

size_t tasks_asleep(char *buffer, size_t room)
{
	struct asleep asleep = { .buffer = buffer, .room = room };

	tasks_each(asleep_visit, &asleep);
	return asleep.used;
}

bool tasks_cgroup_is_below(const char *path, size_t n, const char *cgroup)
{
	size_t length = strlen(cgroup);

	return length && n >= length && !memcmp(path, cgroup, length) &&
	       (n == length || path[length] == '/' || cgroup[length - 1] == '/');
}

/* Of any hierarchy. */
static bool task_is_in_cgroup(int task, const char *cgroup)
{
	char text[8192], *rest = text, *line;

	task_read(task, "cgroup", text, sizeof(text));
	while ((line = strsep(&rest, "\n"))) {
		const char *path = strstr(line, ":/");

		if (path && tasks_cgroup_is_below(path + 1, strlen(path + 1), cgroup))
			return true;
	}
	return false;
}

/* A program that was replaced on the disk is still the same one. */
static bool task_runs(int task, const char *exe)
{
	char target[PATH_MAX + 20];
	ssize_t n = readlinkat(task, "exe", target, sizeof(target) - 1);
	size_t length = strlen(exe);

	if (n < 0)
		return false;
	target[n] = '\0';
	return !strncmp(target, exe, length) &&
	       (!target[length] || !strcmp(target + length, " (deleted)"));
}

static bool task_has_comm(int task, const char *comm)
{
	char text[64];

	task_read(task, "comm", text, sizeof(text));
	text[strcspn(text, "\n")] = '\0';
	return !strcmp(text, comm);
}

static void members_visit(void *arg, int task, int pid, int tid)
{
	(void)task;
	fprintf(arg, "%d %d\n", pid, tid);
}

int tasks_members(FILE *out, const char *who)
{
	static const struct {
		const char *word;
		bool (*is)(int task, const char *what);
	} kinds[] = { { "comm ", task_has_comm },
		      { "exe ", task_runs },
		      { "cgroup ", task_is_in_cgroup } };
	autoclosedir DIR *proc = opendir("/proc");
	size_t kind = 0, skip;
	const char *pid;

	while (kind < countof(kinds) && strncmp(who, kinds[kind].word, strlen(kinds[kind].word)))
		kind++;
	if (kind == countof(kinds))
		return EINVAL;
	skip = strlen(kinds[kind].word);
	fprintf(out, "%llu\n", (unsigned long long)clock_boot());
	while ((pid = process_next(proc))) {
		autoclose int task = openat(dirfd(proc), pid, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (task >= 0 && kinds[kind].is(task, who + skip))
			process_each(pid, members_visit, out);
	}
	return 0;
}

/* What tasks_write was asked for; the lists are NULL where everything passes. */
struct task_query {
	json_t *json;
	const json_t *pids, *comms;
	const char *cgroup, *states;
	FILE *out;
	size_t shown;
	off_t max;
	uint64_t until; /* boot clock */
	bool cut;
};

static void auto_query(struct task_query *q)
{
	json_decref(q->json);
}

/* A number, or its digits, which a field of the stop event has left there. */
static long long query_number(const json_t *value)
{
	return json_is_string(value) ? atoll(json_string_value(value)) : json_integer_value(value);
}

static bool query_has_pid(const struct task_query *q, int pid, int tid)
{
	size_t i;
	json_t *value;

	json_array_foreach (q->pids, i, value)
		if (query_number(value) == pid || query_number(value) == tid)
			return true;
	return !q->pids;
}

static bool query_has_comm(const struct task_query *q, const char *comm)
{
	size_t i;
	json_t *value;

	json_array_foreach (q->comms, i, value)
		if (!strcmp(json_string_value(value) ? json_string_value(value) : "", comm))
			return true;
	return !q->comms;
}

/* A file of it under its name, unless there is nothing. */
static void task_copy(FILE *out, int task, const char *file)
{
	char text[16384];

	task_read(task, file, text, sizeof(text));
	if (*text)
		fprintf(out, "-- %s\n%s%s", file, text, text[strlen(text) - 1] == '\n' ? "" : "\n");
}

static void task_files(FILE *out, int task)
{
	autoclose int fd = openat(task, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	autoclosedir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (dir)
		take_fd(&fd);
	fputs("-- open files\n", out);
	while (dir && (entry = readdir(dir))) {
		char target[4096];
		ssize_t n = *entry->d_name == '.' ? -1
						  : readlinkat(dirfd(dir), entry->d_name, target,
							       sizeof(target) - 1);

		if (n < 0)
			continue;
		fprintf(out, "%s ", entry->d_name);
		text_put(out, target, n);
		fputc('\n', out);
	}
}

static void task_show(FILE *out, int task, int pid, int tid, const char *comm, char state)
{
	char waits[200];

	task_read(task, "wchan", waits, sizeof(waits));
	fprintf(out, "== task %d '", tid);
	text_put(out, comm, strlen(comm));
	fprintf(out, "', state %c", state);
	if (tid != pid)
		fprintf(out, ", of process %d", pid);
	if (*waits && strcmp(waits, "0"))
		fprintf(out, ", waits in %s", waits);
	fputc('\n', out);
	task_copy(out, task, "stack");
	task_copy(out, task, "syscall");
	task_copy(out, task, "status");
	if (tid != pid)
		return;
	task_copy(out, task, "cgroup");
	task_files(out, task);
}

static void query_visit(void *arg, int task, int pid, int tid)
{
	struct task_query *q = arg;
	char stat[1024], *open, *close;

	q->cut = q->cut || ftello(q->out) > q->max || clock_boot() > q->until;
	if (q->cut || !query_has_pid(q, pid, tid))
		return;
	task_read(task, "stat", stat, sizeof(stat));
	open = strchr(stat, '(');
	close = strrchr(stat, ')');
	if (!open || !close || close[1] != ' ' || (q->states && !strchr(q->states, close[2])))
		return;
	*close = '\0';
	if (!query_has_comm(q, open + 1) || (q->cgroup && !task_is_in_cgroup(task, q->cgroup)))
		return;
	task_show(q->out, task, pid, tid, open + 1, close[2]);
	q->shown++;
}

int tasks_write(FILE *out, const char *query, size_t max, bool *cut)
{
	__attribute__((cleanup(auto_query))) struct task_query q = {
		.json = json_loads(query, 0, NULL),
		.out = out,
		.max = max,
		.until = clock_boot() + TASKS_WRITE_NS,
	};

	if (!q.json)
		return EINVAL;
	q.pids = json_object_get(q.json, "pid");
	q.comms = json_object_get(q.json, "comm");
	q.cgroup = json_string_value(json_object_get(q.json, "cgroup"));
	q.states = json_string_value(json_object_get(q.json, "state"));
	tasks_each(query_visit, &q);
	*cut = q.cut;
	if (!q.shown)
		fputs("# there was no such task\n", out);
	return 0;
}
