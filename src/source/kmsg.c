/* Records of the kernel's log: what is in them, and when they were written. */
#include "source/kmsg.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LOG_HEAD_MAX 200                 /* "6,1234,5678,-,caller=T12" */
#define LOG_UNCERTAIN_NS (5 * NS_PER_MS) /* how far a line's time can be off */
#define LOG_AGE_NS (10 * NS_PER_S)       /* how long two clocks are taken to run alike */

bool kmsg_parse(const char *data, size_t size, struct kmsg *k)
{
	const char *semicolon = memchr(data, ';', size < LOG_HEAD_MAX ? size : LOG_HEAD_MAX);
	char head[LOG_HEAD_MAX + 1], flag;
	const char *newline;
	uint64_t us;

	if (!semicolon)
		return false;
	snprintf(head, sizeof(head), "%.*s", (int)(semicolon - data), data);
	if (sscanf(head, "%u,%" SCNu64 ",%" SCNu64 ",%c", &k->priority, &k->sequence, &us, &flag) !=
	    4)
		return false;
	k->stamp_ns = us * NS_PER_US;
	k->continued = flag == 'c';
	k->text = semicolon + 1;
	k->size = size - (k->text - data);
	newline = memchr(k->text, '\n', k->size);
	if (newline)
		k->size = newline - k->text;
	return true;
}

uint64_t log_clock_boot(struct log_clock *clock, uint64_t read, uint64_t stamp_ns)
{
	uint64_t distance = read - stamp_ns;

	if (!clock->when || read - clock->when > LOG_AGE_NS ||
	    (int64_t)(distance - clock->distance) < 0) {
		clock->distance = distance;
		clock->when = read;
	}
	return stamp_ns + clock->distance;
}

bool log_after(uint64_t time, uint64_t cut)
{
	return cut < UINT64_MAX - LOG_UNCERTAIN_NS && time > cut + LOG_UNCERTAIN_NS;
}
