/* Tasks with what /proc tells of each (tasks.h). */
#include "base/auto.h"
#include "source/taken.h"

static const struct taken_kind tasks_kind = {
	.what = "tasks",
	.dir = "tasks",
	.op = READER_TASKS,
	.reader = READER_OF_FILES,
	.helpers = 2,
};

static int tasks_decode(struct source *s, struct err *e)
{
	static const struct taken_word words[] = {
		{ "pid", JSON_ARRAY },
		{ "comm", JSON_ARRAY },
		{ "cgroup", JSON_STRING },
		{ "state", JSON_STRING },
	};

	if (taken_decode(s, &tasks_kind, e) < 0)
		return e->code;
	return taken_add_query(s, words, countof(words), e);
}

const struct source_ops tasks_source = {
	.type = "tasks",
	.decode = tasks_decode,
	.probe = taken_probe,
	.arm = taken_arm,
	.live = taken_live,
	.save = taken_save,
	.free = taken_free,
};
