#include "base/log.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/units.h"

static int log_fd = -1;

void log_open(int dirfd)
{
	if (log_fd >= 0)
		close(log_fd);
	log_fd = openat(dirfd, "tracer.log", O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC,
			0600);
}

void log_line(const char *format, ...)
{
	uint64_t now = clock_boot();
	char line[1200];
	int used =
		snprintf(line, sizeof(line), "%llu.%06llu ", (unsigned long long)(now / NS_PER_S),
			 (unsigned long long)(now % NS_PER_S / NS_PER_US));
	va_list ap;
	int n;

	if (log_fd < 0)
		return;
	va_start(ap, format);
	n = vsnprintf(line + used, sizeof(line) - used - 1, format, ap);
	va_end(ap);
	used += n < (int)sizeof(line) - used - 1 ? n : (int)sizeof(line) - used - 2;
	line[used++] = '\n';
	/* a log that cannot be written must not end what it tells of */
	if (write(log_fd, line, used) < 0)
		return;
}

void log_close(void)
{
	if (log_fd >= 0)
		close(log_fd);
	log_fd = -1;
}
