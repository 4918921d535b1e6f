#include "capture/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/io.h"

/* Where state directories are, best first; /dev/shm is everybody's, so only root's own 0700 ones
 * count there. */
static const struct state_place {
	const char *mount;
	const char *dir;
	const char *prefix; /* of a directory's name, before the ID */
} state_places[] = {
	{ "/run", "/run/tracer", "" },
	{ "/dev/shm", "/dev/shm", "tracer-" },
};

static bool state_is_tmpfs(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
}

static const struct state_place *state_place(void)
{
	for (size_t i = 0; i < countof(state_places); i++)
		if (state_is_tmpfs(state_places[i].mount))
			return &state_places[i];
	return NULL;
}

uint64_t state_room(void)
{
	const struct state_place *place = state_place();
	struct statvfs fs;

	if (!place || statvfs(place->mount, &fs) < 0)
		return 0;
	return (uint64_t)fs.f_bavail * fs.f_frsize;
}

char *state_shared_path(const char *name)
{
	const struct state_place *place = state_place();
	char *path;

	if (!place || asprintf(&path, "%s/%s%s", place->dir, place->prefix, name) < 0)
		return NULL;
	return path;
}

static int state_lock(struct state *state, int flags, struct err *e)
{
	state->lock = openat(state->fd, "lock", O_RDWR | O_NOFOLLOW | O_CLOEXEC | flags, 0600);
	if (state->lock < 0)
		return err_sys(e, "cannot open the lock in '%s'", state->path);
	if (flock(state->lock, LOCK_EX | LOCK_NB) < 0) {
		close(take_fd(&state->lock));
		return err_sys(e, "capture %s is still alive", state->id);
	}
	return 0;
}

static struct state *state_new(const char *id, const char *path)
{
	struct state *state = calloc(1, sizeof(*state));

	if (!state)
		return NULL;
	snprintf(state->id, sizeof(state->id), "%s", id);
	snprintf(state->path, sizeof(state->path), "%s", path);
	state->fd = -1;
	state->lock = -1;
	return state;
}

static int state_setup(struct state *state, int lock_flags, struct err *e)
{
	state->fd = io_open_dir(AT_FDCWD, state->path, e);
	if (state->fd < 0)
		return state->fd;
	return state_lock(state, lock_flags, e);
}

/* The last capture that ends takes the parent along, which may be just when ours has found it. */
static int state_make_dir(const struct state_place *place, const char *path, struct err *e)
{
	for (int tries = 0; tries < 100; tries++) {
		if (mkdir(place->dir, 0700) < 0 && errno != EEXIST)
			return err_sys(e, "cannot make '%s'", place->dir);
		if (mkdir(path, 0700) == 0)
			return 0;
		if (errno != ENOENT)
			break;
	}
	return err_sys(e, "cannot make the state directory '%s'", path);
}

int state_create(struct state **ret, const char *id, struct err *e)
{
	const struct state_place *place = state_place();
	struct state *state;
	char path[64];

	if (!place) {
		err_set(e, "neither /run nor /dev/shm is a tmpfs: there is no place for the rings");
		return err_exit(e, EXIT_HOST);
	}
	snprintf(path, sizeof(path), "%s/%s%s", place->dir, place->prefix, id);
	if (state_make_dir(place, path, e) < 0)
		return e->code;
	state = state_new(id, path);
	if (!state)
		return err_set(e, "no memory");
	if (state_setup(state, O_CREAT | O_EXCL, e) < 0) {
		state_close(state);
		return e->code;
	}
	*ret = state;
	return 0;
}

void state_close(struct state *state)
{
	if (!state)
		return;
	if (state->fd >= 0)
		close(state->fd);
	if (state->lock >= 0)
		close(state->lock);
	free(state);
}

int state_remove(struct state *state, struct err *e)
{
	int r = io_remove_tree(AT_FDCWD, state->path, e);

	rmdir("/run/tracer"); /* the last one takes the parent along */
	state_close(state);
	return r;
}

static bool state_is_alive(int dir)
{
	autoclose int lock = openat(dir, "lock", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	return lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) < 0;
}

/* Only a directory of root's (of ours), closed to all others, can be a state directory. */
static int state_open_entry(const char *path)
{
	autoclose int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_uid != geteuid() || (st.st_mode & 07777) != 0700)
		return -1;
	return take_fd(&fd);
}

static int state_add(struct state_entry **list, size_t *n, const struct state_place *place,
		     const char *name)
{
	struct state_entry entry = { 0 };
	size_t prefix = strlen(place->prefix);
	struct state_entry *grown;
	autoclose int fd = -1;

	if (strncmp(name, place->prefix, prefix) || strlen(name) != prefix + ULID_SIZE - 1)
		return 0;
	if (snprintf(entry.path, sizeof(entry.path), "%s/%s", place->dir, name) >=
	    (int)sizeof(entry.path))
		return 0;
	memcpy(entry.id, name + prefix, ULID_SIZE);
	fd = state_open_entry(entry.path);
	if (fd < 0)
		return 0;
	entry.alive = state_is_alive(fd);
	grown = realloc(*list, (*n + 1) * sizeof(entry));
	if (!grown)
		return -ENOMEM;
	grown[*n] = entry;
	*list = grown;
	++*n;
	return 0;
}

static int state_entry_order(const void *a, const void *b)
{
	return strcmp(((const struct state_entry *)a)->id, ((const struct state_entry *)b)->id);
}

int state_list(struct state_entry **ret, size_t *n, struct err *e)
{
	autofree struct state_entry *list = NULL;
	struct dirent *entry;

	*n = 0;
	for (size_t i = 0; i < countof(state_places); i++) {
		autoclosedir DIR *dir = opendir(state_places[i].dir);

		while (dir && (entry = readdir(dir)))
			if (state_add(&list, n, &state_places[i], entry->d_name) < 0)
				return err_set(e, "no memory");
	}
	if (*n)
		qsort(list, *n, sizeof(*list), state_entry_order);
	*ret = take_ptr(list);
	return 0;
}

void state_tell_interrupted(void)
{
	autofree struct state_entry *list = NULL;
	struct err ignored = ERR_INIT;
	size_t n;

	if (state_list(&list, &n, &ignored) < 0)
		return;
	for (size_t i = 0; i < n; i++)
		if (!list[i].alive)
			fprintf(stderr,
				"capture %s was interrupted: `tracer recover %s` saves what it has "
				"recorded and cleans up\n",
				list[i].id, list[i].id);
}

int state_find(struct state_entry *ret, const char *id, bool alive, struct err *e)
{
	const char *what = alive ? "running capture" : "interrupted capture";
	autofree struct state_entry *list = NULL;
	size_t n, found = 0;

	if (state_list(&list, &n, e) < 0)
		return e->code;
	for (size_t i = 0; i < n; i++) {
		/* the last characters are in the bundle's name: they serve as well as the first */
		bool named = !id || !strncasecmp(list[i].id, id, strlen(id)) ||
			     (strlen(id) == 4 && !strcasecmp(list[i].id + 22, id));

		if (list[i].alive == alive && named && found++ == 0)
			*ret = list[i];
	}
	if (found == 1)
		return 0;
	if (found)
		return err_set(e, "there are %zu: say which by its ID (`tracer status` lists them)",
			       found);
	return id ? err_set(e, "no %s has the ID '%s'", what, id)
		  : err_set(e, "there is no %s", what);
}

int state_adopt(struct state **ret, const char *id, struct err *e)
{
	struct state_entry entry;
	struct state *state;

	if (state_find(&entry, id, false, e) < 0)
		return e->code;
	state = state_new(entry.id, entry.path);
	if (!state)
		return err_set(e, "no memory");
	if (state_setup(state, O_CREAT, e) < 0) {
		state_close(state);
		return e->code;
	}
	*ret = state;
	return 0;
}
