#include "capture/control.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/auto.h"

#define CONTROL_WAIT_MS 5000
#define WORDS_MAX 300

struct control {
	int fd;
	int asker; /* who waits for an answer */
};

static int control_address(struct sockaddr_un *address, const char *path, struct err *e)
{
	*address = (struct sockaddr_un) { .sun_family = AF_UNIX };
	if (snprintf(address->sun_path, sizeof(address->sun_path), "%s/control", path) >=
	    (int)sizeof(address->sun_path))
		return err_set(e, "'%s' is too long for a socket", path);
	return 0;
}

int control_open(struct control **ret, const struct state *state, struct err *e)
{
	struct sockaddr_un address;
	autoclose int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (control_address(&address, state->path, e) < 0)
		return e->code;
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, 8) < 0)
		return err_sys(e, "cannot listen on '%s'", address.sun_path);
	*ret = calloc(1, sizeof(**ret));
	if (!*ret)
		return err_set(e, "no memory");
	(*ret)->fd = take_fd(&fd);
	return 0;
}

void control_close(struct control *control)
{
	if (!control)
		return;
	close(control->fd);
	free(control);
}

int control_fd(const struct control *control)
{
	return control ? control->fd : -1;
}

/* "stop" or "fire NAME". */
static bool control_parse(const char *words, struct wish *wish)
{
	*wish = (struct wish) { .what = WISH_STOP };
	if (!strcmp(words, "stop"))
		return true;
	wish->what = WISH_FIRE;
	if (strncmp(words, "fire ", 5) || strlen(words + 5) >= sizeof(wish->name))
		return false;
	strcpy(wish->name, words + 5);
	return true;
}

bool control_next(struct control *control, struct wish *wish)
{
	int fd;

	while ((fd = accept4(control->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct pollfd pollfd = { .fd = fd, .events = POLLIN };
		char words[WORDS_MAX] = "";

		/* its words come with the connection: whoever dawdles is not heard */
		if (poll(&pollfd, 1, 100) > 0 &&
		    recv(fd, words, sizeof(words) - 1, MSG_DONTWAIT) > 0 &&
		    control_parse(words, wish)) {
			control->asker = fd;
			return true;
		}
		close(fd);
	}
	return false;
}

void control_answer(struct control *control, const char *why)
{
	const char *text = why ? why : "ok";

	send(control->asker, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL);
	close(control->asker);
}

static int control_ask(const char *path, const char *words, struct err *e)
{
	autoclose int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	struct sockaddr_un address;
	char answer[WORDS_MAX] = "";

	if (control_address(&address, path, e) < 0)
		return e->code;
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    send(fd, words, strlen(words), MSG_NOSIGNAL) < 0)
		return err_sys(e, "cannot reach the capture");
	if (poll(&pollfd, 1, CONTROL_WAIT_MS) <= 0 || recv(fd, answer, sizeof(answer) - 1, 0) <= 0)
		return err_set(
			e,
			"the capture does not answer; it may be stopped or busy with its bundle");
	return strcmp(answer, "ok") ? err_set(e, "%s", answer) : 0;
}

int control_stop(const char *path, struct err *e)
{
	return control_ask(path, "stop", e);
}

int control_fire(const char *path, const char *name, struct err *e)
{
	char words[WORDS_MAX];

	snprintf(words, sizeof(words), "fire %s", name);
	return control_ask(path, words, e);
}
