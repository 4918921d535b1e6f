#include "recipe/script_wire.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/units.h"

struct wire_head {
	uint32_t kind; /* enum wire_kind */
	uint32_t size; /* of the data that follows, bytes */
};

static int wire_timeout_ms(uint64_t until)
{
	uint64_t now = clock_boot();
	uint64_t left_ms;

	if (until == UINT64_MAX)
		return -1;
	left_ms = until > now ? (until - now + NS_PER_MS - 1) / NS_PER_MS : 0;
	return left_ms < INT_MAX ? (int)left_ms : INT_MAX;
}

static int wire_wait(int fd, short events, uint64_t until)
{
	struct pollfd p = { .fd = fd, .events = events };
	int n = poll(&p, 1, wire_timeout_ms(until));

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	return n ? 0 : -ETIME;
}

static int wire_write(int fd, const char *data, size_t size, uint64_t until)
{
	while (size) {
		ssize_t n;
		int r = wire_wait(fd, POLLOUT, until);

		if (r < 0)
			return r;
		n = send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return errno == EPIPE ? -ECONNRESET : -errno;
		if (n > 0) {
			data += n;
			size -= (size_t)n;
		}
	}
	return 0;
}

static int wire_read(int fd, char *data, size_t size, uint64_t until)
{
	while (size) {
		ssize_t n;
		int r = wire_wait(fd, POLLIN, until);

		if (r < 0)
			return r;
		n = recv(fd, data, size, MSG_DONTWAIT);
		if (n == 0)
			return -ECONNRESET;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (n > 0) {
			data += n;
			size -= (size_t)n;
		}
	}
	return 0;
}

int wire_send(int fd, enum wire_kind kind, const void *data, size_t size, uint64_t until)
{
	struct wire_head head = { .kind = kind, .size = (uint32_t)size };
	int r;

	if (size > WIRE_SIZE_MAX)
		return -EMSGSIZE;
	r = wire_write(fd, (const char *)&head, sizeof(head), until);
	return r < 0 ? r : wire_write(fd, data, size, until);
}

int wire_receive(int fd, char **data, size_t *size, uint64_t until)
{
	autofree char *body = NULL;
	struct wire_head head;
	int r = wire_read(fd, (char *)&head, sizeof(head), until);

	if (r < 0)
		return r;
	if (head.size > WIRE_SIZE_MAX || head.kind > WIRE_NO)
		return -EMSGSIZE;
	body = malloc(head.size + 1);
	if (!body)
		return -ENOMEM;
	r = wire_read(fd, body, head.size, until);
	if (r < 0)
		return r;
	body[head.size] = '\0';
	*data = take_ptr(body);
	*size = head.size;
	return (int)head.kind;
}
