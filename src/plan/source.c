#include "plan/source.h"

#include <stdio.h>
#include <string.h>

#include "base/auto.h"

const struct source_ops *const source_table[] = {
	&ftrace_source, &packets_source, &files_source,   &tasks_source, &sockets_source,
	&exec_source,   &log_source,     &textlog_source, NULL,
};

const struct source_ops *source_find(const char *type)
{
	for (const struct source_ops *const *ops = source_table; *ops; ops++)
		if (!strcmp((*ops)->type, type))
			return *ops;
	return NULL;
}

const char *outcome_text(enum outcome outcome)
{
	static const char *const words[] = {
		[OUTCOME_FAILED] = "failed",       [OUTCOME_OK] = "ok",
		[OUTCOME_PARTIAL] = "partial",     [OUTCOME_TIMEOUT] = "timeout",
		[OUTCOME_DENIED] = "denied",       [OUTCOME_ABSENT] = "absent",
		[OUTCOME_TRUNCATED] = "truncated",
	};

	return outcome < countof(words) ? words[outcome] : "failed";
}

void report_hole(struct report *report, const char *what, uint64_t from, uint64_t to,
		 uint64_t count)
{
	struct hole *hole;

	report->lost += count;
	if (report->n_holes < countof(report->holes)) {
		hole = &report->holes[report->n_holes++];
		*hole = (struct hole) { .from = from, .to = to, .count = count };
		snprintf(hole->what, sizeof(hole->what), "%s", what);
		return;
	}
	hole = &report->holes[report->n_holes - 1];
	hole->from = from < hole->from ? from : hole->from;
	hole->to = to > hole->to ? to : hole->to;
	hole->count += count;
	snprintf(hole->what, sizeof(hole->what), "several");
}
