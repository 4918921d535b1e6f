#include "reader/reader.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/units.h"
#include "reader/helper.h"
#include "reader/slot.h"

#define READER_ROOM_MIN (256u << 10)     /* for the answer to a pattern */
#define READER_GOODBYE (300 * NS_PER_MS) /* how long a dismissed helper is waited for */

struct reader {
	int answers[2]; /* all helpers write to the second; kept open here, so that no helper left
			   is not a hang-up */
	enum reader_kind kind;
	uint64_t deadline; /* ns */
	unsigned int n;
	struct slot slots[];
};

static int reader_poll(const struct reader *reader, uint64_t until)
{
	struct pollfd p = { .fd = reader->answers[0], .events = POLLIN };
	uint64_t now = clock_boot();

	return poll(&p, 1, now < until ? (until - now) / NS_PER_MS + 1 : 0);
}

/* A helper says that it is ready as it answers its first, empty request. */
static int reader_settle(struct reader *reader, struct err *e)
{
	struct reader_answer a;

	for (unsigned int ready = 0; ready < reader->n; ready++) {
		while (!reader_next(reader, &a))
			reader_poll(reader, reader_until(reader));
		if (a.error) {
			errno = a.error;
			return err_sys(e, "a reader could not be set up");
		}
	}
	return 0;
}

/* One file of `max` bytes fits, with what stands before it. */
static size_t reader_room(const struct reader_setup *setup)
{
	size_t room = sizeof(struct parts) + part_step(setup->max + 1);

	return room < READER_ROOM_MIN ? READER_ROOM_MIN : room;
}

static int reader_start(struct reader *reader, const struct reader_setup *setup, struct err *e)
{
	for (unsigned int i = 0; i < reader->n; i++) {
		struct helper h = { .kind = setup->kind,
				    .fsfreeze_safe = setup->fsfreeze_safe,
				    .answers = reader->answers[1],
				    .slot = i,
				    .max = setup->max,
				    .room = reader_room(setup) };

		if (slot_start(&reader->slots[i], &h, e) < 0)
			return e->code;
	}
	return reader_settle(reader, e);
}

int reader_create(struct reader **ret, const struct reader_setup *setup, struct err *e)
{
	struct reader *reader =
		calloc(1, sizeof(*reader) + setup->helpers * sizeof(reader->slots[0]));

	if (!reader)
		return err_set(e, "no memory for the readers");
	reader->kind = setup->kind;
	reader->deadline = setup->deadline ? setup->deadline : READER_DEADLINE;
	reader->n = setup->helpers;
	for (unsigned int i = 0; i < reader->n; i++)
		reader->slots[i].fd = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, reader->answers) < 0) {
		free(reader);
		return err_sys(e, "cannot make the readers' socket");
	}
	if (reader_start(reader, setup, e) < 0) {
		reader_free(reader);
		return e->code;
	}
	*ret = reader;
	return 0;
}

void reader_free(struct reader *reader)
{
	uint64_t until = clock_boot() + READER_GOODBYE;

	if (!reader)
		return;
	for (unsigned int i = 0; i < reader->n; i++)
		slot_dismiss(&reader->slots[i], reader->kind);
	for (unsigned int i = 0; i < reader->n; i++)
		slot_reap(&reader->slots[i], until);
	close(reader->answers[0]);
	close(reader->answers[1]);
	free(reader);
}

static bool reader_has(const struct reader *reader, enum slot_state state, const char *path)
{
	for (unsigned int i = 0; i < reader->n; i++)
		if (slot_is(&reader->slots[i], state, path))
			return true;
	return false;
}

/* Gives N paths to an idle helper. Returns how many it took, or as reader_ask. */
static int reader_give(struct reader *reader, enum reader_op op, const char *const *paths,
		       const uint64_t *tags, size_t n)
{
	for (unsigned int i = 0; i < reader->n; i++) {
		struct slot *slot = &reader->slots[i];
		unsigned taken = slot->state == SLOT_IDLE ? slot_send(slot, op, paths, tags, n) : 0;

		if (taken)
			return (int)taken;
	}
	return reader_has(reader, SLOT_BUSY, NULL) ? -EAGAIN : -ETIMEDOUT;
}

int reader_ask(struct reader *reader, enum reader_op op, const char *path, uint64_t tag)
{
	int r;

	if (strlen(path) >= PATH_MAX)
		return -ENAMETOOLONG;
	if (reader_has(reader, SLOT_HUNG, path))
		return -EBUSY;
	r = reader_give(reader, op, &path, &tag, 1);
	return r < 0 ? r : 0;
}

int reader_ask_files(struct reader *reader, const char *const *paths, const uint64_t *tags,
		     size_t n)
{
	size_t fit = 0;

	if (n && strlen(paths[0]) >= PATH_MAX)
		return -ENAMETOOLONG;
	while (fit < n && fit < READER_FILES_MAX && !reader_has(reader, SLOT_HUNG, paths[fit]))
		fit++;
	return fit ? reader_give(reader, READER_READ, paths, tags, fit) : -EBUSY;
}

void reader_call(struct reader *reader, enum reader_op op, const char *path,
		 struct reader_answer *answer)
{
	int r = reader_ask(reader, op, path, 0);

	if (r < 0) {
		*answer = (struct reader_answer) { .error = r == -EBUSY ? READER_TIMEOUT : -r,
						   .data = "" };
		return;
	}
	while (!reader_next(reader, answer))
		reader_poll(reader, reader_until(reader));
}

bool reader_next(struct reader *reader, struct reader_answer *answer)
{
	uint64_t now = clock_boot();
	struct reply r;

	while (recv(reader->answers[0], &r, sizeof(r), MSG_DONTWAIT) == sizeof(r))
		if (r.slot < reader->n)
			slot_reply(&reader->slots[r.slot], &r);
	for (unsigned int i = 0; i < reader->n; i++)
		if (slot_next(&reader->slots[i], now, reader->deadline, answer))
			return true;
	return false;
}

int reader_fd(const struct reader *reader)
{
	return reader->answers[0];
}

uint64_t reader_until(const struct reader *reader)
{
	uint64_t until = UINT64_MAX;

	for (unsigned int i = 0; i < reader->n; i++) {
		uint64_t one = slot_until(&reader->slots[i], reader->deadline);

		until = one < until ? one : until;
	}
	return until;
}

const char *reader_error_text(int error)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
		return "absent";
	case EACCES:
	case EPERM:
		return "denied";
	case READER_TIMEOUT:
		return "timeout";
	case READER_DIED:
		return "its reader was killed";
	case READER_OUTSIDE:
		return "on a disk";
	case READER_REFUSED:
		return "a device, pipe or socket";
	case EISDIR:
		return "a directory";
	}
	return strerror(error);
}
