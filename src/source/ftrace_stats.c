/* How full the kernel rings of a t.ftrace are, from the counts that the kernel keeps of each CPU.
 */
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/io.h"
#include "source/ftrace_save.h"
#include "trace/instance.h"

static void stats_add_cpu(struct stats *sum, struct tracing *tracing, const char *instance,
			  unsigned cpu)
{
	struct err absent = ERR_INIT;
	autoclose int fd = instance_open_cpu(tracing, instance, cpu, "stats", &absent);
	autofree char *text = NULL;

	if (fd < 0 || io_read(fd, 4096, &text, NULL, &absent) < 0)
		return;
	sum->overwritten += instance_stat(text, "\noverrun: ");
	sum->records += instance_stat(text, "entries: ") + instance_stat(text, "\noverrun: ");
	sum->lost +=
		instance_stat(text, "commit overrun: ") + instance_stat(text, "dropped events: ");
	sum->bytes += instance_stat(text, "bytes: ");
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
