#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/io.h"
#include "packet/tap.h"
#include "source/packets.h"

#define NAMES_SIZE_MAX 65536u

/* One line a fact: "link 276", "interface 2 eth0". */

static void names_add_all(int fd)
{
	struct if_nameindex *all = if_nameindex();

	/* what is missing here is added when its first packet comes */
	for (const struct if_nameindex *one = all; one && one->if_index; one++)
		packets_names_add(fd, one->if_index, one->if_name);
	if (all)
		if_freenameindex(all);
}

int packets_names_create(int statedir, const char *file, const char *interface, struct err *e)
{
	autoclose int fd = io_create(statedir, file, e);

	if (fd < 0)
		return fd;
	if (!strcmp(interface, TAP_ANY))
		names_add_all(fd);
	else
		packets_names_add(fd, if_nametoindex(interface), interface);
	return 0;
}

int packets_names_open(int statedir, const char *file, struct err *e)
{
	int fd = openat(statedir, file, O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? err_sys(e, "cannot open '%s'", file) : fd;
}

void packets_names_add(int fd, uint32_t index, const char *name)
{
	struct err ignored = ERR_INIT;
	char line[64];
	int n = snprintf(line, sizeof(line), "interface %u %s\n", index, name);

	/* a name that cannot be written costs that name */
	io_write(fd, line, n, &ignored);
}

int packets_names_link(int fd, int link, struct err *e)
{
	char line[32];
	int n = snprintf(line, sizeof(line), "link %d\n", link);

	return io_write(fd, line, n, e);
}

static void names_line(struct packets_names *names, const char *line)
{
	struct packets_name name = { 0 };

	if (sscanf(line, "link %d", &names->link) == 1)
		return;
	if (names->n < countof(names->list) &&
	    sscanf(line, "interface %u %15s", &name.index, name.name) == 2)
		names->list[names->n++] = name;
}

int packets_names_read(struct packets_names *names, int statedir, const char *file, struct err *e)
{
	autofree char *text = NULL;
	char *rest = NULL;

	*names = (struct packets_names) { .link = -1 };
	if (io_read_file(statedir, file, NAMES_SIZE_MAX, &text, NULL, e) < 0)
		return e->code;
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		names_line(names, line);
	return 0;
}

const char *packets_names_find(const struct packets_names *names, uint32_t index)
{
	/* the newest name of an index that was used again */
	for (size_t i = names->n; i-- > 0;)
		if (names->list[i].index == index)
			return names->list[i].name;
	return NULL;
}
