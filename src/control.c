#include "control.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "auto.h"

#define CONTROL_WAIT_MS 5000

struct control {
	int fd;
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

bool control_serve(struct control *control)
{
	bool stop = false;
	int fd;

	while ((fd = accept4(control->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct pollfd pollfd = { .fd = fd, .events = POLLIN };
		char word[8] = "";

		/* its word comes with the connection: whoever dawdles is not heard */
		if (poll(&pollfd, 1, 100) > 0 &&
		    recv(fd, word, sizeof(word) - 1, MSG_DONTWAIT) > 0 && !strcmp(word, "stop")) {
			stop = true;
			send(fd, "ok", 2, MSG_DONTWAIT | MSG_NOSIGNAL);
		}
		close(fd);
	}
	return stop;
}

int control_stop(const char *path, struct err *e)
{
	autoclose int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	struct sockaddr_un address;
	char answer[8] = "";

	if (control_address(&address, path, e) < 0)
		return e->code;
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    send(fd, "stop", 4, MSG_NOSIGNAL) != 4)
		return err_sys(e, "cannot reach the capture");
	if (poll(&pollfd, 1, CONTROL_WAIT_MS) > 0 && recv(fd, answer, sizeof(answer) - 1, 0) > 0 &&
	    !strcmp(answer, "ok"))
		return 0;
	return err_set(e, "the capture does not answer; it may be stopped or busy with its bundle");
}
