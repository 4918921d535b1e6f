/* Sees what is opened on file systems: "opens see MOUNT..." says of each open "PID COMM PATH",
 * "opens decide MOUNT..." is asked before each and permits all, as a scanner of files does. Until
 * it is ended; it says "ready" first. */
#include <fcntl.h>
#include <limits.h>
#include <sys/fanotify.h>
#include <unistd.h>

#include "provoke.h"

static void show(const struct fanotify_event_metadata *event)
{
	char link[40], path[PATH_MAX], comm[32] = "?";
	FILE *file;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", event->fd);
	n = readlink(link, path, sizeof(path) - 1);
	snprintf(link, sizeof(link), "/proc/%d/comm", event->pid);
	file = fopen(link, "re");
	if (file) {
		if (fscanf(file, "%31s", comm) != 1)
			strcpy(comm, "?");
		fclose(file);
	}
	say("%d %s %.*s", event->pid, comm, n > 0 ? (int)n : 1, n > 0 ? path : "?");
}

static void permit(int group, const struct fanotify_event_metadata *event)
{
	const struct fanotify_response response = { .fd = event->fd, .response = FAN_ALLOW };

	if (write(group, &response, sizeof(response)) < 0)
		die_sys("cannot answer");
}

static void serve(int group, int decides)
{
	struct fanotify_event_metadata buffer[200], *event;
	ssize_t n;

	while ((n = read(group, buffer, sizeof(buffer))) > 0)
		for (event = buffer; FAN_EVENT_OK(event, n); event = FAN_EVENT_NEXT(event, n)) {
			if (decides && event->mask & FAN_OPEN_PERM)
				permit(group, event);
			else if (event->pid != getpid())
				show(event);
			if (event->fd >= 0)
				close(event->fd);
		}
}

int main(int argc, char **argv)
{
	int decides = argc > 1 && !strcmp(argv[1], "decide");
	int group = fanotify_init((decides ? FAN_CLASS_CONTENT : FAN_CLASS_NOTIF) | FAN_CLOEXEC |
					  FAN_UNLIMITED_QUEUE,
				  O_RDONLY | O_CLOEXEC);

	if (argc < 3 || (!decides && strcmp(argv[1], "see")))
		die("opens see|decide MOUNT...");
	if (group < 0)
		die_sys("no fanotify");
	for (int i = 2; i < argc; i++)
		if (fanotify_mark(group,
				  FAN_MARK_ADD | (decides ? FAN_MARK_MOUNT : FAN_MARK_FILESYSTEM),
				  decides ? FAN_OPEN_PERM : FAN_OPEN | FAN_OPEN_EXEC, AT_FDCWD,
				  argv[i]) < 0)
			die_sys("cannot mark '%s'", argv[i]);
	say("ready");
	serve(group, decides);
	return 1;
}
