#include "capture/knob.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/io.h"
#include "capture/state.h"

#define KNOB_LEDGER_MAX (1 << 20)

/* One line of the shared ledger: "NAME ORIGINAL OURS ID". */
struct knob_use {
	char name[64];
	unsigned long long original;
	unsigned long long ours;
	char id[ULID_SIZE];
};

/* The shared ledger, locked: its users, and where it is. */
struct knob_ledger {
	int fd;
	struct knob_use *uses;
	size_t n;
};

/* It lies where everybody can make files: only root's own, with no other name, counts. */
static int knob_open(struct err *e)
{
	autofree char *path = state_shared_path("knobs");
	struct stat st = { 0 };

	if (!path)
		return err_set(e, "there is no place for the ledger of global knobs");
	/* its last user may have removed it while we waited for the lock */
	for (int tries = 0; tries < 100; tries++) {
		autoclose int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

		if (fd < 0 || flock(fd, LOCK_EX) < 0 || fstat(fd, &st) < 0)
			return err_sys(e, "cannot open '%s'", path);
		if (st.st_nlink == 1 && st.st_uid == geteuid() && S_ISREG(st.st_mode))
			return take_fd(&fd);
		if (st.st_nlink != 0)
			break;
	}
	return err_set(e, "'%s' is not ours: remove it", path);
}

static int knob_add(struct knob_ledger *ledger, const struct knob_use *use)
{
	struct knob_use *grown = realloc(ledger->uses, (ledger->n + 1) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	ledger->uses = grown;
	grown[ledger->n++] = *use;
	return 0;
}

/* Lets go of the lock; without users, the file goes as well. */
static void knob_close(struct knob_ledger *ledger)
{
	autofree char *path = ledger->fd >= 0 && !ledger->n ? state_shared_path("knobs") : NULL;

	if (path)
		unlink(path);
	free(ledger->uses);
	if (ledger->fd >= 0)
		close(ledger->fd);
}

static int knob_parse(struct knob_ledger *ledger, char *text)
{
	char *line, *rest;

	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		struct knob_use use;

		if (sscanf(line, "%63s %llu %llu %26s", use.name, &use.original, &use.ours,
			   use.id) == 4 &&
		    knob_add(ledger, &use) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int knob_read(struct knob_ledger *ledger, struct err *e)
{
	autofree char *text = NULL;

	*ledger = (struct knob_ledger) { .fd = knob_open(e) };
	if (ledger->fd < 0)
		return ledger->fd;
	if (io_read(ledger->fd, KNOB_LEDGER_MAX, &text, NULL, e) == 0 &&
	    (knob_parse(ledger, text) == 0 || err_set(e, "no memory") == 0))
		return 0;
	close(take_fd(&ledger->fd)); /* not as if it had no users */
	return e->code;
}

static int knob_write(const struct knob_ledger *ledger, struct err *e)
{
	char line[200];

	if (ftruncate(ledger->fd, 0) < 0 || lseek(ledger->fd, 0, SEEK_SET) < 0)
		return err_sys(e, "cannot rewrite the ledger of global knobs");
	for (size_t i = 0; i < ledger->n; i++) {
		const struct knob_use *use = &ledger->uses[i];
		int n = snprintf(line, sizeof(line), "%s %llu %llu %s\n", use->name, use->original,
				 use->ours, use->id);

		if (io_write(ledger->fd, line, n, e) < 0)
			return e->code;
	}
	return 0;
}

static int knob_get(struct tracing *tracing, const char *name, unsigned long long *value,
		    struct err *e)
{
	autofree char *text = NULL;

	if (io_read_file(tracing_fd(tracing), name, 64, &text, NULL, e) < 0)
		return e->code;
	return sscanf(text, "%llu", value) == 1 ? 0 : err_set(e, "'%s' has no number", name);
}

static int knob_set(struct tracing *tracing, const char *name, unsigned long long value,
		    struct err *e)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", value);
	return io_write_file(tracing_fd(tracing), name, text, e);
}

/* Who uses it already has saved the original. */
static const struct knob_use *knob_user(const struct knob_ledger *ledger, const char *name)
{
	for (size_t i = 0; i < ledger->n; i++)
		if (!strcmp(ledger->uses[i].name, name))
			return &ledger->uses[i];
	return NULL;
}

static int knob_raise_locked(struct knob_ledger *ledger, struct tracing *tracing,
			     struct knob_use *use, struct err *e)
{
	const struct knob_use *other = knob_user(ledger, use->name);
	unsigned long long now;

	if (knob_get(tracing, use->name, &now, e) < 0)
		return e->code;
	if (!other && now >= use->ours)
		return 0;
	use->original = other ? other->original : now;
	if (knob_add(ledger, use) < 0)
		return err_set(e, "no memory");
	/* written down before it is changed */
	if (knob_write(ledger, e) < 0)
		return e->code;
	return now >= use->ours ? 0 : knob_set(tracing, use->name, use->ours, e);
}

int knob_raise(struct tracing *tracing, const char *name, uint64_t value, const char *id,
	       struct err *e)
{
	struct knob_use use = { .ours = value };
	struct knob_ledger ledger;
	int r;

	snprintf(use.name, sizeof(use.name), "%s", name);
	snprintf(use.id, sizeof(use.id), "%s", id);
	r = knob_read(&ledger, e);
	if (r == 0)
		r = knob_raise_locked(&ledger, tracing, &use, e);
	knob_close(&ledger);
	return r;
}

static int knob_release_locked(struct knob_ledger *ledger, struct tracing *tracing,
			       const char *name, const char *id, struct err *e)
{
	struct knob_use *ours = NULL, gone;
	unsigned long long now;

	for (size_t i = 0; i < ledger->n && !ours; i++)
		if (!strcmp(ledger->uses[i].name, name) && !strcmp(ledger->uses[i].id, id))
			ours = &ledger->uses[i];
	if (!ours)
		return 0;
	gone = *ours;
	*ours = ledger->uses[--ledger->n];
	if (!knob_user(ledger, name) && knob_get(tracing, name, &now, e) == 0 && now == gone.ours &&
	    knob_set(tracing, name, gone.original, e) < 0)
		return e->code;
	return knob_write(ledger, e);
}

int knob_release(struct tracing *tracing, const char *name, const char *id, struct err *e)
{
	struct knob_ledger ledger;
	int r = knob_read(&ledger, e);

	if (r == 0)
		r = knob_release_locked(&ledger, tracing, name, id, e);
	knob_close(&ledger);
	return r;
}
