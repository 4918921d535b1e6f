#include "tasks.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auto.h"

#define STACK_DEPTH 12

/* A small file of a task; "" if it is gone. */
static void task_read(int task, const char *file, char *text, size_t room)
{
	autoclose int fd = openat(task, file, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, room - 1);

	text[n > 0 ? n : 0] = '\0';
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

static size_t process_describe(const char *pid, char *buffer, size_t room)
{
	char path[300];
	autoclosedir DIR *dir = NULL;
	struct dirent *entry;
	size_t used = 0;

	snprintf(path, sizeof(path), "/proc/%s/task", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		autoclose int task = -1;

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		task = openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (task >= 0)
			used += task_describe(task, buffer + used, room - used);
	}
	return used;
}

size_t tasks_asleep(char *buffer, size_t room)
{
	autoclosedir DIR *proc = opendir("/proc");
	struct dirent *entry;
	size_t used = 0;

	while (proc && (entry = readdir(proc)))
		if (isdigit((unsigned char)entry->d_name[0]))
			used += process_describe(entry->d_name, buffer + used, room - used);
	return used;
}
