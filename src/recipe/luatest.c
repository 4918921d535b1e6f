#include "recipe/luatest.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/text.h"
#include "trace/comm.h"

#define PATIENCE_MS 2000 /* for one record */

int luatest_create(struct luatest **ret, struct err *e)
{
	struct luatest *t = calloc(1, sizeof(*t));
	int pair[2];

	if (!t)
		return err_set(e, "no memory for the tests");
	*t = (struct luatest) { .fd = -1, .script_fd = -1 };
	t->shared = mmap(NULL, sizeof(*t->shared), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (t->shared == MAP_FAILED ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		err_sys(e, "cannot share memory with the tests");
		luatest_free(t);
		return e->code;
	}
	t->fd = pair[0];
	t->script_fd = pair[1];
	*ret = t;
	return 0;
}

void luatest_free(struct luatest *t)
{
	if (!t)
		return;
	if (t->shared != MAP_FAILED)
		munmap(t->shared, sizeof(*t->shared));
	auto_close(&t->fd);
	auto_close(&t->script_fd);
	free(t);
}

int luatest_learn(struct luatest *t, uint32_t test, const struct format *format, struct err *e)
{
	struct luatest_shared *shared = t->shared;

	if (shared->n_fields + format->n_fields > LUATEST_FIELDS)
		return err_set(e, "the events of all tests have more than %d fields",
			       LUATEST_FIELDS);
	shared->events[test] =
		(struct luatest_event) { .first = shared->n_fields, .n = format->n_fields };
	for (size_t i = 0; i < format->n_fields; i++) {
		const struct field *field = &format->fields[i];
		struct luatest_field *to = &shared->fields[shared->n_fields++];

		*to = (struct luatest_field) { .offset = field->offset,
					       .size = field->size,
					       .kind = field->kind,
					       .is_signed = field->is_signed,
					       .relative = field->relative };
		snprintf(to->name, sizeof(to->name), "%s", field->name);
	}
	return 0;
}

bool luatest_add(struct luatest *t, const struct luatest_record *head, const void *data,
		 uint32_t *number)
{
	struct luatest_shared *shared = t->shared;
	struct luatest_record *record = &shared->records[shared->n];

	if (shared->n == LUATEST_BATCH || t->used + head->size > LUATEST_DATA)
		return false;
	*record = *head;
	record->offset = t->used;
	record->answer = TEST_NO;
	memcpy(shared->data + t->used, data, head->size);
	t->used += (head->size + 7) & ~7u;
	*number = shared->n++;
	return true;
}

static int luatest_say(struct luatest *t, char word)
{
	return send(t->fd, &word, 1, MSG_NOSIGNAL) == 1 ? 0 : -ECONNRESET;
}

static int luatest_read(struct luatest *t, void *data, size_t size)
{
	return recv(t->fd, data, size, MSG_WAITALL) == (ssize_t)size ? 0 : -ECONNRESET;
}

static int luatest_tell_comm(struct luatest *t, int comms)
{
	int32_t pid;

	if (luatest_read(t, &pid, sizeof(pid)) < 0)
		return -ECONNRESET;
	comm_recorded(t->shared->comm, comms, pid);
	return luatest_say(t, LUATEST_COMM);
}

/* Until there is something to read; -ETIME if it is stuck in one record. */
static int luatest_wait(struct luatest *t)
{
	struct pollfd p = { .fd = t->fd, .events = POLLIN };
	uint32_t done;
	int n;

	do {
		done = __atomic_load_n(&t->shared->done, __ATOMIC_RELAXED);
		n = poll(&p, 1, PATIENCE_MS);
	} while ((n < 0 && errno == EINTR) ||
		 (n == 0 && done != __atomic_load_n(&t->shared->done, __ATOMIC_RELAXED)));
	return n > 0 ? 0 : -ETIME;
}

static int luatest_converse(struct luatest *t, int comms)
{
	int r = luatest_say(t, LUATEST_RUN);
	char word;

	while (!r) {
		r = luatest_wait(t);
		if (!r)
			r = luatest_read(t, &word, 1);
		if (!r && word == LUATEST_DONE)
			return 0;
		if (!r)
			r = word == LUATEST_COMM ? luatest_tell_comm(t, comms) : -EPROTO;
	}
	return r;
}

int luatest_run(struct luatest *t, int comms, struct err *e)
{
	int r = t->gone ? -ECONNRESET : 0;

	__atomic_store_n(&t->shared->done, 0, __ATOMIC_RELAXED);
	if (!r)
		r = luatest_converse(t, comms);
	t->shared->n = t->used = 0;
	if (!r)
		return 0;
	t->gone = true;
	return err_set(e, r == -ETIME ? "the process that runs the recipe's tests does not answer"
				      : "the process that runs the recipe's tests has ended");
}

enum luatest_answer luatest_answer(const struct luatest *t, uint32_t number)
{
	uint32_t answer = t->shared->records[number].answer;

	return answer <= TEST_FAILED ? (enum luatest_answer)answer : TEST_FAILED;
}

void luatest_fault(const struct luatest *t, uint32_t test, char *text, size_t room)
{
	snprintf(text, room, "%.*s", (int)sizeof(t->shared->fault[test]) - 1,
		 t->shared->fault[test]);
	text_clean(text);
}
