#include "recipe/script_file.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/io.h"
#include "base/text.h"

#define OPEN_FLAGS (O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)

static int script_file_no_escape(const char *path, struct err *e)
{
	err_set(e, "'%.200s' is not a plain path beneath the recipe's directory", path);
	return err_exit(e, EXIT_USAGE);
}

static int script_file_not_opened(const char *path, struct err *e)
{
	if (errno == EXDEV || errno == ELOOP)
		return script_file_no_escape(path, e);
	return err_sys(e, "cannot open '%.200s'", path);
}

static bool component_is_plain(const char *name, size_t length)
{
	return length > 0 && !(length <= 2 && memcmp(name, "..", length) == 0);
}

int script_file_open_stepwise(int dirfd, const char *path, struct err *e)
{
	autoclose int dir = dup(dirfd);
	const char *slash;

	for (; dir >= 0 && (slash = strchr(path, '/')); path = slash + 1) {
		autofree char *name = strndup(path, (size_t)(slash - path));
		int next;

		if (!name || !component_is_plain(path, (size_t)(slash - path)))
			return script_file_no_escape(path, e);
		next = openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (next < 0 && errno == ENOTDIR)
			errno = ELOOP; /* a link, as openat2 would say */
		if (next < 0)
			return script_file_not_opened(path, e);
		close(dir);
		dir = next;
	}
	if (!component_is_plain(path, strlen(path)))
		return script_file_no_escape(path, e);
	dirfd = openat(dir, path, OPEN_FLAGS | O_NOFOLLOW);
	return dirfd < 0 ? script_file_not_opened(path, e) : dirfd;
}

int script_file_open(int dirfd, const char *path, struct err *e)
{
	struct open_how how = {
		.flags = OPEN_FLAGS,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	int fd = (int)syscall(SYS_openat2, dirfd, path, &how, sizeof(how));

	/* EPERM: filters of containers that do not know the call */
	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		return script_file_open_stepwise(dirfd, path, e);
	return fd < 0 ? script_file_not_opened(path, e) : fd;
}

int script_file_check(const char *text, size_t size, struct err *e)
{
	if (size && text[0] == '\033')
		return err_set(e, "it is a compiled chunk, only Lua text is loaded");
	if (memchr(text, '\0', size))
		return err_set(e, "it is not text, it holds a NUL");
	if (!text_is_utf8(text, size))
		return err_set(e, "it is not text in UTF-8");
	return 0;
}

static int script_file_read(struct script_file *ret, int fd, struct err *e)
{
	autofree char *text = NULL;
	struct stat st;
	size_t size;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "cannot look at it");
	if (!S_ISREG(st.st_mode))
		return err_set(e, "it is not a regular file");
	if (io_read(fd, SCRIPT_FILE_MAX + 1, &text, &size, e) < 0)
		return e->code;
	if (size > SCRIPT_FILE_MAX)
		return err_set(e, "it is larger than 1M");
	if (script_file_check(text, size, e) < 0)
		return e->code;
	if (size >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) { /* editors put it there */
		size -= 3;
		memmove(text, text + 3, size + 1);
	}
	ret->text = take_ptr(text);
	ret->size = size;
	return 0;
}

static int script_file_fill(struct script_file *ret, int fd, const char *name, struct err *e)
{
	struct script_file file = { .name = strdup(name) };

	if (!file.name)
		return err_set(e, "no memory for '%.200s'", name);
	if (script_file_read(&file, fd, e) < 0) {
		script_file_clear(&file);
		return err_wrap(e, "'%.200s'", name);
	}
	*ret = file;
	return 0;
}

int script_file_recipe(struct script_file *ret, int *dirfd, const char *path, struct err *e)
{
	const char *slash = strrchr(path, '/');
	autofree char *dirname = slash ? strndup(path, (size_t)(slash - path + 1)) : strdup(".");
	autoclose int fd = open(path, OPEN_FLAGS);
	autoclose int dir = dirname ? open(dirname, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;

	err_exit(e, EXIT_USAGE);
	if (fd < 0 || dir < 0)
		return err_sys(e, "cannot open the recipe '%.400s'", path);
	if (script_file_fill(ret, fd, slash ? slash + 1 : path, e) < 0)
		return e->code;
	*dirfd = take_fd(&dir);
	return 0;
}

/* "lib.net" and "lib/net" are the file "lib/net.lua". */
static char *module_path(const char *name)
{
	char *path;

	if (asprintf(&path, "%s.lua", name) < 0)
		return NULL;
	if (!strchr(name, '/'))
		for (size_t i = 0; name[i]; i++)
			if (name[i] == '.')
				path[i] = '/';
	return path;
}

int script_file_module(struct script_file *ret, int dirfd, const char *name, struct err *e)
{
	autofree char *path = module_path(name);
	autoclose int fd = -1;

	err_exit(e, EXIT_USAGE);
	if (!path)
		return err_set(e, "no memory for '%.200s'", name);
	fd = script_file_open(dirfd, path, e);
	if (fd < 0)
		return e->code;
	return script_file_fill(ret, fd, path, e);
}

void script_file_clear(struct script_file *file)
{
	free(file->name);
	free(file->text);
	*file = (struct script_file) { 0 };
}
