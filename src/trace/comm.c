#include "trace/comm.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"

#define COMM_LIST_MAX (1 << 20)

/* Lines "PID NAME". */
static void comm_search(char comm[COMM_SIZE], char *list, int pid)
{
	char *line, *rest;

	for (line = strtok_r(list, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		const char *space = strchr(line, ' ');

		if (space && atoi(line) == pid)
			snprintf(comm, COMM_SIZE, "%s", space + 1);
	}
}

void comm_recorded(char comm[COMM_SIZE], int saved_cmdlines, int pid)
{
	autofree char *list = malloc(COMM_LIST_MAX);
	size_t used = 0;
	ssize_t n;

	snprintf(comm, COMM_SIZE, "%s", pid ? "" : "<idle>");
	if (!list || saved_cmdlines < 0 || pid <= 0)
		return;
	while ((n = pread(saved_cmdlines, list + used, COMM_LIST_MAX - 1 - used, used)) > 0)
		used += n;
	list[used] = '\0';
	comm_search(comm, list, pid);
}

void comm_find(char comm[COMM_SIZE], int saved_cmdlines, int pid)
{
	char path[40];
	autoclose int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	fd = pid > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	n = fd < 0 ? 0 : read(fd, comm, COMM_SIZE - 1);
	if (n <= 0) {
		comm_recorded(comm, saved_cmdlines, pid);
		return;
	}
	comm[n] = '\0';
	comm[strcspn(comm, "\n")] = '\0';
}
