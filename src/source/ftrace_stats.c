/* How full the kernel rings of a t.ftrace are, from the counts that the kernel keeps of each CPU.
 */
#include <stdio.h>
#include <string.h>

#include "auto.h"
#include "ftrace_save.h"
#include "instance.h"
#include "io.h"

static uint64_t stats_number(const char *text, const char *label)
{
	const char *at = strstr(text, label);
	unsigned long long value = 0;

	if (at)
		sscanf(at + strlen(label), "%llu", &value);
	return value;
}

static void stats_add_cpu(struct stats *sum, struct tracing *tracing, const char *instance,
			  unsigned cpu)
{
	struct err absent = ERR_INIT;
	autoclose int fd = instance_open_cpu(tracing, instance, cpu, "stats", &absent);
	autofree char *text = NULL;

	if (fd < 0 || io_read(fd, 4096, &text, NULL, &absent) < 0)
		return;
	/* "commit overrun" comes after "overrun", so that the first match is the right one */
	sum->overwritten += stats_number(text, "\noverrun: ");
	sum->records += stats_number(text, "entries: ") + stats_number(text, "\noverrun: ");
	sum->lost +=
		stats_number(text, "commit overrun: ") + stats_number(text, "dropped events: ");
	sum->bytes += stats_number(text, "bytes: ");
}

void ftrace_stats(struct source *s, struct capture *c)
{
	struct capture_name instance = ftrace_instance(c->state, s, BEFORE);
	struct err absent = ERR_INIT;
	struct stats sum = { 0 };
	unsigned cpus;

	if (instance_cpus(c->tracing, instance.text, &cpus, &absent) < 0)
		return;
	for (unsigned cpu = 0; cpu < cpus; cpu++)
		stats_add_cpu(&sum, c->tracing, instance.text, cpu);
	s->stats->records = sum.records;
	s->stats->bytes = sum.bytes;
	s->stats->overwritten = sum.overwritten;
	s->stats->lost = sum.lost;
}
