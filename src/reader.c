#include "reader.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "helper.h"
#include "units.h"

#define READER_ROOM_MIN (256u << 10)     /* for the answer to a pattern */
#define READER_GOODBYE (300 * NS_PER_MS) /* how long a dismissed helper is waited for */

enum slot_state { SLOT_IDLE, SLOT_BUSY, SLOT_HUNG, SLOT_DEAD };

struct slot {
	enum slot_state state;
	pid_t pid;
	int fd; /* requests; the helper's end closes when it dies */
	char *buffer;
	uint32_t sequence;
	uint64_t asked;
	uint64_t tag;
	char path[PATH_MAX];
};

struct reader {
	int answers[2]; /* all helpers write to the second; kept open here, so that no helper left
			   is not a hang-up */
	enum reader_kind kind;
	bool fsfreeze_safe;
	uint64_t deadline; /* ns */
	size_t max;
	size_t room;
	unsigned int n;
	struct slot slots[];
};

static int slot_start(struct reader *reader, unsigned int i, struct err *e)
{
	struct slot *slot = &reader->slots[i];
	pid_t owner = getpid();
	int pair[2];

	slot->buffer =
		mmap(NULL, reader->room, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (slot->buffer == MAP_FAILED) {
		slot->buffer = NULL;
		return err_sys(e, "no memory for a reader");
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "cannot make a reader's socket");
	slot->fd = pair[0];
	slot->pid = fork();
	if (slot->pid == 0) {
		struct helper h = { .kind = reader->kind,
				    .fsfreeze_safe = reader->fsfreeze_safe,
				    .requests = pair[1],
				    .answers = reader->answers[1],
				    .slot = i,
				    .buffer = slot->buffer,
				    .max = reader->max,
				    .room = reader->room };

		helper_run(&h, owner);
	}
	close(pair[1]);
	if (slot->pid < 0)
		return err_sys(e, "cannot fork a reader");
	slot->state = SLOT_BUSY;
	slot->asked = clock_boot();
	return 0;
}

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

int reader_create(struct reader **ret, const struct reader_setup *setup, struct err *e)
{
	struct reader *reader =
		calloc(1, sizeof(*reader) + setup->helpers * sizeof(reader->slots[0]));
	int r = 0;

	if (!reader)
		return err_set(e, "no memory for the readers");
	reader->kind = setup->kind;
	reader->fsfreeze_safe = setup->fsfreeze_safe;
	reader->deadline = setup->deadline ? setup->deadline : READER_DEADLINE;
	reader->n = setup->helpers;
	reader->max = setup->max;
	reader->room = setup->max < READER_ROOM_MIN ? READER_ROOM_MIN : setup->max + 1;
	for (unsigned int i = 0; i < reader->n; i++)
		reader->slots[i].fd = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, reader->answers) < 0) {
		free(reader);
		return err_sys(e, "cannot make the readers' socket");
	}
	for (unsigned int i = 0; i < reader->n && !r; i++)
		r = slot_start(reader, i, e);
	if (!r)
		r = reader_settle(reader, e);
	if (r < 0) {
		reader_free(reader);
		return r;
	}
	*ret = reader;
	return 0;
}

/* A killed process is gone at once unless it is stuck in the kernel: it then has to stay behind. */
static void slot_reap(const struct slot *slot, uint64_t until)
{
	const struct timespec pause = { .tv_nsec = NS_PER_MS };

	if (slot->pid <= 0)
		return;
	while (waitpid(slot->pid, NULL, WNOHANG) == 0 && clock_boot() < until)
		nanosleep(&pause, NULL);
}

/* One that runs a command ends that first, when its socket closes. */
static void slot_dismiss(struct slot *slot, enum reader_kind kind)
{
	if (slot->fd >= 0)
		close(slot->fd);
	if (slot->pid > 0 && kind != READER_OF_COMMANDS)
		kill(slot->pid, SIGKILL);
}

void reader_free(struct reader *reader)
{
	uint64_t until = clock_boot() + READER_GOODBYE;

	if (!reader)
		return;
	for (unsigned int i = 0; i < reader->n; i++)
		slot_dismiss(&reader->slots[i], reader->kind);
	for (unsigned int i = 0; i < reader->n; i++) {
		struct slot *slot = &reader->slots[i];

		slot_reap(slot, until);
		if (slot->buffer)
			munmap(slot->buffer, reader->room);
	}
	close(reader->answers[0]);
	close(reader->answers[1]);
	free(reader);
}

static bool slot_send(struct slot *slot, enum reader_op op, const char *path)
{
	struct request q = { .op = op, .sequence = slot->sequence + 1 };
	size_t size = strlen(path) + 1;

	memcpy(q.path, path, size);
	if (send(slot->fd, &q, offsetof(struct request, path) + size, MSG_NOSIGNAL | MSG_DONTWAIT) <
	    0) {
		slot->state = SLOT_DEAD;
		return false;
	}
	memcpy(slot->path, path, size);
	slot->sequence = q.sequence;
	slot->asked = clock_boot();
	slot->state = SLOT_BUSY;
	return true;
}

static bool reader_has(const struct reader *reader, enum slot_state state, const char *path)
{
	for (unsigned int i = 0; i < reader->n; i++) {
		const struct slot *slot = &reader->slots[i];

		if (slot->state == state && (!path || strcmp(slot->path, path) == 0))
			return true;
	}
	return false;
}

int reader_ask(struct reader *reader, enum reader_op op, const char *path, uint64_t tag)
{
	if (strlen(path) >= PATH_MAX)
		return -ENAMETOOLONG;
	if (reader_has(reader, SLOT_HUNG, path))
		return -EBUSY;
	for (unsigned int i = 0; i < reader->n; i++) {
		struct slot *slot = &reader->slots[i];

		if (slot->state != SLOT_IDLE || !slot_send(slot, op, path))
			continue;
		slot->tag = tag;
		return 0;
	}
	return reader_has(reader, SLOT_BUSY, NULL) ? -EAGAIN : -ETIMEDOUT;
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

/* Takes a reply in; false if it is late, and nobody waits for it. */
static bool slot_reply(struct reader *reader, const struct reply *r, struct reader_answer *a)
{
	struct slot *slot;
	bool late;

	if (r->slot >= reader->n || r->size > reader->room)
		return false;
	slot = &reader->slots[r->slot];
	if (r->sequence != slot->sequence || (slot->state != SLOT_BUSY && slot->state != SLOT_HUNG))
		return false;
	late = slot->state == SLOT_HUNG;
	slot->state = SLOT_IDLE;
	*a = (struct reader_answer) { .tag = slot->tag,
				      .error = r->error,
				      .truncated = r->truncated,
				      .time = r->time,
				      .data = slot->buffer,
				      .size = r->size };
	return !late;
}

static bool slot_fail(struct slot *slot, enum slot_state state, int error, struct reader_answer *a)
{
	bool awaited = slot->state == SLOT_BUSY;

	slot->state = state;
	*a = (struct reader_answer) {
		.tag = slot->tag, .error = error, .time = slot->asked, .data = ""
	};
	return awaited;
}

static bool slot_died(const struct slot *slot)
{
	struct pollfd p = { .fd = slot->fd };

	return poll(&p, 1, 0) > 0;
}

bool reader_next(struct reader *reader, struct reader_answer *answer)
{
	uint64_t now = clock_boot();
	struct reply r;

	while (recv(reader->answers[0], &r, sizeof(r), MSG_DONTWAIT) == sizeof(r)) {
		if (slot_reply(reader, &r, answer))
			return true;
	}
	for (unsigned int i = 0; i < reader->n; i++) {
		struct slot *slot = &reader->slots[i];

		if (slot->state != SLOT_DEAD && slot_died(slot) &&
		    slot_fail(slot, SLOT_DEAD, READER_DIED, answer))
			return true;
		if (slot->state == SLOT_BUSY && now >= slot->asked + reader->deadline)
			return slot_fail(slot, SLOT_HUNG, READER_TIMEOUT, answer);
	}
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
		const struct slot *slot = &reader->slots[i];

		if (slot->state == SLOT_BUSY && slot->asked + reader->deadline < until)
			until = slot->asked + reader->deadline;
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
