#include "bundle/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/io.h"

struct tree_names {
	char **names;
	size_t n;
};

static int tree_name_order(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int tree_list(int dirfd, const char *path, struct tree_names *list, struct err *e)
{
	int fd = openat(dirfd, *path ? path : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	autoclosedir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir)
		return err_sys(e, "cannot list '%s'", path);
	while ((entry = readdir(dir))) {
		char **grown;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		grown = realloc(list->names, (list->n + 1) * sizeof(*grown));
		if (!grown)
			return err_set(e, "no memory");
		list->names = grown;
		if (asprintf(&grown[list->n], "%s%s%s", path, *path ? "/" : "", entry->d_name) < 0)
			return err_set(e, "no memory");
		list->n++;
	}
	if (list->n)
		qsort(list->names, list->n, sizeof(*list->names), tree_name_order);
	return 0;
}

/* Files go to VISIT, directories to LEAVE once all that is in them was visited. */
static int tree_descend(int dirfd, const char *path, tree_visit *visit, tree_visit *leave,
			void *arg, struct err *e)
{
	struct tree_names list = { 0 };
	int r = tree_list(dirfd, path, &list, e);

	for (size_t i = 0; i < list.n; i++) {
		struct stat st;

		if (r == 0 && fstatat(dirfd, list.names[i], &st, AT_SYMLINK_NOFOLLOW) < 0)
			r = err_sys(e, "cannot look at '%s'", list.names[i]);
		if (r == 0 && S_ISDIR(st.st_mode))
			r = tree_descend(dirfd, list.names[i], visit, leave, arg, e);
		else if (r == 0 && S_ISREG(st.st_mode))
			r = visit(arg, dirfd, list.names[i], e);
		free(list.names[i]);
	}
	free(list.names);
	return r == 0 && leave ? leave(arg, dirfd, *path ? path : ".", e) : r;
}

int tree_walk(int dirfd, tree_visit *visit, void *arg, struct err *e)
{
	return tree_descend(dirfd, "", visit, NULL, arg, e);
}

static int tree_sync_one(void *arg, int dirfd, const char *path, struct err *e)
{
	autoclose int fd = openat(dirfd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	(void)arg;
	if (fd < 0 || fsync(fd) < 0)
		return err_sys(e, "cannot sync '%s'", path);
	return 0;
}

int tree_sync(int dirfd, struct err *e)
{
	return tree_descend(dirfd, "", tree_sync_one, tree_sync_one, NULL, e);
}
