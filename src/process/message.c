#include "process/message.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static int message_put(int fd, const struct message *message)
{
	size_t size = offsetof(struct message, text) + strlen(message->text) + 1;

	return send(fd, message, size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int message_send(int fd, enum message_type type, const char *text)
{
	struct message message = { .type = type };

	snprintf(message.text, sizeof(message.text), "%s", text);
	return message_put(fd, &message);
}

int message_send_error(int fd, int code, uint32_t exit, const char *text)
{
	struct message message = { .type = MESSAGE_ERROR, .code = code, .exit = exit };

	snprintf(message.text, sizeof(message.text), "%s", text);
	return message_put(fd, &message);
}

int message_receive(int fd, struct message *message)
{
	ssize_t n;

	memset(message, 0, offsetof(struct message, text) + 1);
	do
		n = recv(fd, message, sizeof(*message), MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n <= (ssize_t)offsetof(struct message, text))
		return -ECONNRESET;
	message->text[sizeof(message->text) - 1] = '\0';
	return 1;
}
