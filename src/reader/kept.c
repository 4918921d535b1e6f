#include "reader/kept.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct kept_file *kept_file(struct kept *kept, const char *path)
{
	for (unsigned int i = 0; i < kept->n; i++)
		if (!strcmp(kept->files[i].path, path))
			return &kept->files[i];
	return NULL;
}

void kept_remove(struct kept *kept, const char *path)
{
	struct kept_file *file = kept_file(kept, path);

	if (!file)
		return;
	close(file->fd);
	free(file->path);
	*file = kept->files[--kept->n];
}

int kept_find(struct kept *kept, const char *path)
{
	const struct kept_file *file = kept_file(kept, path);

	return file && lseek(file->fd, 0, SEEK_SET) == 0 ? file->fd : -1;
}

static bool kept_is_of_system(const char *path)
{
	static const char proc[] = "/proc/";
	const char *name = path + sizeof(proc) - 1;

	return !strncmp(path, proc, sizeof(proc) - 1) && !isdigit((unsigned char)*name) &&
	       strncmp(name, "self/", 5) != 0 && strncmp(name, "thread-self/", 12) != 0;
}

void kept_add(struct kept *kept, const char *path, int fd)
{
	char *copy = kept->n < KEPT_MAX && kept_is_of_system(path) && lseek(fd, 0, SEEK_SET) == 0
			     ? strdup(path)
			     : NULL;

	if (copy)
		kept->files[kept->n++] = (struct kept_file) { copy, fd };
	else
		close(fd);
}
