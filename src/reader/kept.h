/* Files of /proc that a helper keeps open from one read to the next: what they have is made when it
 * is read. Only those of the whole system: those of a process are bound to what it was when they
 * were opened. */
#pragma once

#include <stdbool.h>

#define KEPT_MAX 256

struct kept_file {
	char *path;
	int fd;
};

struct kept {
	struct kept_file files[KEPT_MAX];
	unsigned int n;
};

/* The descriptor of PATH, at its begin; -1 if it is not kept. */
int kept_find(struct kept *kept, const char *path);

/* Takes FD over, and keeps it or closes it. */
void kept_add(struct kept *kept, const char *path, int fd);

/* It could not be read any more. */
void kept_remove(struct kept *kept, const char *path);
