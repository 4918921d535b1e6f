#include "capture/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/io.h"
#include "capture/knob.h"
#include "trace/instance.h"

struct ledger {
	int fd; /* lines "instance NAME", "probe GROUP NAME" and "knob NAME ID", oldest first */
};

int ledger_open(struct ledger **ret, int statedir, struct err *e)
{
	autofree struct ledger *ledger = calloc(1, sizeof(*ledger));

	if (!ledger)
		return err_set(e, "no memory");
	ledger->fd = openat(statedir, "ledger",
			    O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (ledger->fd < 0)
		return err_sys(e, "cannot open the ledger");
	*ret = take_ptr(ledger);
	return 0;
}

void ledger_close(struct ledger *ledger)
{
	if (!ledger)
		return;
	close(ledger->fd);
	free(ledger);
}

static int ledger_line(struct ledger *ledger, const char *line, struct err *e)
{
	if (io_write(ledger->fd, line, strlen(line), e) < 0)
		return err_wrap(e, "the ledger");
	return 0;
}

int ledger_instance(struct ledger *ledger, const char *name, struct err *e)
{
	char line[300];

	snprintf(line, sizeof(line), "instance %s\n", name);
	return ledger_line(ledger, line, e);
}

int ledger_probe(struct ledger *ledger, const char *group, const char *name, struct err *e)
{
	char line[300];

	snprintf(line, sizeof(line), "probe %s %s\n", group, name);
	return ledger_line(ledger, line, e);
}

int ledger_knob(struct ledger *ledger, const char *name, const char *id, struct err *e)
{
	char line[300];

	snprintf(line, sizeof(line), "knob %s %s\n", name, id);
	return ledger_line(ledger, line, e);
}

/* Appends "-:GROUP/NAME"; without O_TRUNC, which would take everybody's probes away. */
static int ledger_remove_probe(struct tracing *tracing, const char *group, const char *name,
			       struct err *e)
{
	static const char *const files[] = { "dynamic_events", "uprobe_events", "kprobe_events" };
	char line[300];

	snprintf(line, sizeof(line), "-:%s/%s\n", group, name);
	for (size_t i = 0; i < countof(files); i++) {
		autoclose int fd =
			openat(tracing_fd(tracing), files[i], O_WRONLY | O_APPEND | O_CLOEXEC);

		if (fd < 0)
			continue;
		if (write(fd, line, strlen(line)) >= 0)
			return 0;
		if (errno != ENOENT) /* older kernels: it may be in the next file */
			return err_sys(e, "cannot remove the probe '%s:%s'", group, name);
	}
	return 0;
}

static int ledger_undo_line(char *line, struct tracing *tracing, struct err *e)
{
	char first[128], second[128];

	if (sscanf(line, "instance %127s", first) == 1)
		return instance_remove(tracing, first, e);
	if (sscanf(line, "probe %127s %127s", first, second) == 2)
		return ledger_remove_probe(tracing, first, second, e);
	if (sscanf(line, "knob %127s %127s", first, second) == 2)
		return knob_release(tracing, first, second, e);
	return err_set(e, "the ledger has a line that nobody wrote: '%s'", line);
}

/* The last line of TEXT, cut off from it; NULL when there is none left. */
static char *ledger_last_line(char *text)
{
	size_t length = strlen(text);
	char *start;

	while (length && text[length - 1] == '\n')
		text[--length] = '\0';
	if (!length)
		return NULL;
	start = strrchr(text, '\n');
	return start ? start + 1 : text;
}

int ledger_undo(struct ledger *ledger, struct tracing *tracing, struct err *e)
{
	autofree char *text = NULL;
	struct err first = ERR_INIT;
	char *line;

	if (lseek(ledger->fd, 0, SEEK_SET) < 0)
		return err_sys(e, "cannot read the ledger");
	if (io_read(ledger->fd, 1 << 20, &text, NULL, e) < 0)
		return err_wrap(e, "the ledger");
	while ((line = ledger_last_line(text))) {
		struct err one = ERR_INIT;

		if (ledger_undo_line(line, tracing, &one) < 0 && !first.code)
			first = one;
		*line = '\0';
	}
	if (first.code) {
		*e = first;
		return e->code;
	}
	return ftruncate(ledger->fd, 0) < 0 ? err_sys(e, "cannot empty the ledger") : 0;
}
