#include "reader/slot.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/units.h"

int slot_start(struct slot *slot, struct helper *h, struct err *e)
{
	pid_t owner = getpid();
	int pair[2];

	slot->room = h->room;
	slot->buffer =
		mmap(NULL, slot->room, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (slot->buffer == MAP_FAILED) {
		slot->buffer = NULL;
		return err_sys(e, "no memory for a reader");
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "cannot make a reader's socket");
	slot->fd = pair[0];
	slot->pid = fork();
	if (slot->pid == 0) {
		h->requests = pair[1];
		h->buffer = slot->buffer;
		helper_run(h, owner);
	}
	close(pair[1]);
	if (slot->pid < 0)
		return err_sys(e, "cannot fork a reader");
	slot->state = SLOT_BUSY;
	slot->asked = clock_boot();
	return 0;
}

void slot_dismiss(struct slot *slot, enum reader_kind kind)
{
	if (slot->fd >= 0)
		close(slot->fd);
	/* one that runs a command ends that first, when its socket closes */
	if (slot->pid > 0 && kind != READER_OF_COMMANDS)
		kill(slot->pid, SIGKILL);
}

/* A killed process is gone at once unless it is stuck in the kernel: it then has to stay behind. */
void slot_reap(struct slot *slot, uint64_t until)
{
	const struct timespec pause = { .tv_nsec = NS_PER_MS };

	while (slot->pid > 0 && waitpid(slot->pid, NULL, WNOHANG) == 0 && clock_boot() < until)
		nanosleep(&pause, NULL);
	if (slot->buffer)
		munmap(slot->buffer, slot->room);
}

bool slot_is(const struct slot *slot, enum slot_state state, const char *path)
{
	return slot->state == state && (!path || strcmp(slot->path, path) == 0);
}

static struct parts *slot_parts(const struct slot *slot)
{
	return (struct parts *)slot->buffer;
}

/* As many of the paths as fit. */
static unsigned slot_pack(struct request *q, size_t *size, const char *const *paths, size_t n)
{
	unsigned taken = 0;

	for (*size = 0; taken < n; taken++) {
		size_t length = strlen(paths[taken]) + 1;

		if (*size + length > sizeof(q->path))
			break;
		memcpy(q->path + *size, paths[taken], length);
		*size += length;
	}
	return taken;
}

static bool slot_is_of_files(enum reader_op op)
{
	return op == READER_READ || op == READER_READ_ANY;
}

unsigned slot_send(struct slot *slot, enum reader_op op, const char *const *paths,
		   const uint64_t *tags, size_t n)
{
	struct request q = { .op = op, .sequence = slot->sequence + 1 };
	size_t size;

	q.n = slot_pack(&q, &size, paths, n);
	slot->files = slot_is_of_files(op);
	if (slot->files)
		*slot_parts(slot) = (struct parts) { .limit = q.n };
	if (send(slot->fd, &q, offsetof(struct request, path) + size, MSG_NOSIGNAL | MSG_DONTWAIT) <
	    0) {
		slot->state = SLOT_DEAD;
		return 0;
	}
	memcpy(slot->path, q.path, size);
	memcpy(slot->tags, tags, q.n * sizeof(*tags));
	slot->given = slot->n = q.n;
	slot->next = slot->back = 0;
	slot->at = sizeof(struct parts);
	slot->replied = false;
	slot->sequence = q.sequence;
	slot->asked = clock_boot();
	slot->state = SLOT_BUSY;
	return q.n;
}

void slot_reply(struct slot *slot, const struct reply *r)
{
	if (r->sequence != slot->sequence)
		return;
	if (slot->state == SLOT_HUNG)
		slot->state = SLOT_IDLE;
	if (slot->state != SLOT_BUSY)
		return;
	slot->reply = *r;
	slot->replied = true;
}

static bool slot_died(const struct slot *slot)
{
	struct pollfd p = { .fd = slot->fd };

	return poll(&p, 1, 0) > 0;
}

static bool slot_answer(const struct slot *slot, unsigned i, int error, struct reader_answer *a)
{
	*a = (struct reader_answer) {
		.tag = slot->tags[i], .error = error, .time = slot->asked, .data = ""
	};
	return true;
}

/* How many files are whole. */
static unsigned slot_done(const struct slot *slot)
{
	unsigned done = __atomic_load_n(&slot_parts(slot)->done, __ATOMIC_ACQUIRE);

	return done < slot->n ? done : slot->n;
}

/* It reads no further than the file that it is at; those behind that are given back. */
static void slot_split(struct slot *slot, unsigned n)
{
	if (slot->back)
		return;
	slot->n = n < slot->given ? n : slot->given;
	slot->back = slot->n;
	__atomic_store_n(&slot_parts(slot)->limit, slot->n, __ATOMIC_RELEASE);
}

/* The next file that is whole. What the buffer says is not believed: who was killed can have left
 * anything in it. */
static bool slot_take_part(struct slot *slot, struct reader_answer *a)
{
	struct part part;

	if (slot->at + sizeof(part) > slot->room)
		return slot_answer(slot, slot->next++, EIO, a);
	memcpy(&part, slot->buffer + slot->at, sizeof(part));
	if (part.size > slot->room - slot->at - sizeof(part))
		return slot_answer(slot, slot->next++, EIO, a);
	*a = (struct reader_answer) { .tag = slot->tags[slot->next++],
				      .error = part.error,
				      .truncated = part.truncated,
				      .time = part.time,
				      .data = slot->buffer + slot->at + sizeof(part),
				      .size = part.size };
	slot->at += part_step(part.size);
	return true;
}

/* What can be said of files without waiting for the one that it is at. */
static bool slot_next_file(struct slot *slot, uint64_t now, bool over, struct reader_answer *a)
{
	unsigned done = slot_done(slot);

	if (slot->replied)
		slot_split(slot, done ? done : 1);
	else if (over || (now >= slot->asked + READER_PATIENCE && done + 1 < slot->n))
		slot_split(slot, done + 1);
	if (slot->back && slot->next < done)
		return slot_take_part(slot, a);
	if (slot->back && slot->back < slot->given)
		return slot_answer(slot, slot->back++, READER_AGAIN, a);
	/* it has said that it is done, and is not: there was no room behind the others, or at all
	 */
	return slot->replied && slot->next < slot->n &&
	       slot_answer(slot, slot->next++, done ? READER_AGAIN : EIO, a);
}

/* Then it is idle, and its buffer stays as it is until it is asked again. */
static void slot_finish_files(struct slot *slot)
{
	if (slot->replied && slot->next == slot->n && slot->back == slot->given)
		slot->state = SLOT_IDLE;
}

static bool slot_next_reply(struct slot *slot, struct reader_answer *a)
{
	const struct reply *r = &slot->reply;

	if (!slot->replied)
		return false;
	slot->state = SLOT_IDLE;
	*a = (struct reader_answer) { .tag = slot->tags[0],
				      .error = r->error,
				      .truncated = r->truncated,
				      .time = r->time,
				      .data = slot->buffer,
				      .size = r->size <= slot->room ? r->size : 0 };
	return true;
}

/* Only the path of the file that it is at stays. */
static void slot_keep_path(struct slot *slot)
{
	const char *path = slot->path;

	for (unsigned i = 0; slot->files && i < slot->next; i++)
		path += strlen(path) + 1;
	memmove(slot->path, path, strlen(path) + 1);
}

/* What it has said, or what can be said of what it was given. */
static bool slot_next_said(struct slot *slot, uint64_t now, bool over, struct reader_answer *a)
{
	bool said;

	if (!slot->files)
		return slot_next_reply(slot, a);
	said = slot_next_file(slot, now, over, a);
	slot_finish_files(slot);
	return said;
}

bool slot_next(struct slot *slot, uint64_t now, uint64_t deadline, struct reader_answer *a)
{
	bool died = slot->state != SLOT_DEAD && slot_died(slot);
	bool late = now >= slot->asked + deadline;
	bool busy, owed;

	if (slot->state == SLOT_BUSY && slot_next_said(slot, now, died || late, a))
		return true;
	/* it may hang at one more than was wanted, which has been given back */
	busy = slot->state == SLOT_BUSY;
	owed = busy && (!slot->files || slot->next < slot->n);
	if (died)
		slot->state = SLOT_DEAD;
	else if (busy && late)
		slot->state = SLOT_HUNG;
	if (!busy || slot->state == SLOT_BUSY)
		return false;
	if (!slot->files || slot->next < slot->given)
		slot_keep_path(slot);
	else
		*slot->path = '\0';
	if (!owed)
		return false;
	return slot_answer(slot, slot->files ? slot->n - 1 : 0, died ? READER_DIED : READER_TIMEOUT,
			   a);
}

uint64_t slot_until(const struct slot *slot, uint64_t deadline)
{
	if (slot->state != SLOT_BUSY)
		return UINT64_MAX;
	if (slot->files && !slot->back && slot->n > 1 && READER_PATIENCE < deadline)
		return slot->asked + READER_PATIENCE;
	return slot->asked + deadline;
}
