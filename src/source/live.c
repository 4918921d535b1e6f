#include "source/live.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/units.h"
#include "process/message.h"

/* Takes what the engine says; an engine that is gone means stop. */
static void live_listen(struct live *live)
{
	struct message message;
	int r = message_receive(live->engine, &message);

	if (r < 0 || (r > 0 && message.type == MESSAGE_STOP)) {
		live->stopping = true;
		live->orphaned |= r < 0;
	} else if (r > 0 && message.type == MESSAGE_START) {
		live->started = true;
		live->since = strtoull(message.text, NULL, 10);
		if (!live->since)
			live->since = clock_boot();
	}
}

int live_armed(struct live *live, enum sandbox sandbox, struct err *e)
{
	if (sandbox_enter(sandbox, e) < 0)
		return e->code;
	message_send(live->engine, MESSAGE_ARMED, "");
	while (!live->stopping) {
		live_wait(live, -1, UINT64_MAX);
		if (live->started)
			return 0;
	}
	err_set(e, "left before the start");
	return -ECANCELED;
}

static int live_timeout_ms(uint64_t until)
{
	uint64_t now = clock_boot();

	if (until == UINT64_MAX)
		return -1;
	if (until <= now)
		return 0;
	if (until - now > 3600 * NS_PER_S)
		return 3600 * 1000;
	return (until - now + NS_PER_MS - 1) / NS_PER_MS;
}

int live_wait(struct live *live, int fd, uint64_t until)
{
	struct pollfd fds[2] = { { .fd = live->stopping ? -1 : live->engine, .events = POLLIN },
				 { .fd = fd, .events = POLLIN } };

	if (poll(fds, 2, live_timeout_ms(until)) <= 0)
		return 0;
	if (fds[0].revents)
		live_listen(live);
	return fds[1].revents != 0;
}

void live_say(struct live *live, const char *format, ...)
{
	char text[1000];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	message_send(live->engine, MESSAGE_SAY, text);
}
