#include "source/logline.h"

#include <inttypes.h>
#include <string.h>

#include "base/auto.h"
#include "base/io.h"
#include "base/text.h"
#include "base/units.h"

FILE *logline_create(const struct source *s, const struct save *save, struct err *e)
{
	autofree char *path = NULL;
	autoclose int fd = -1;
	FILE *out;

	if (io_make_dirs(save->outdir, "logs", e) < 0)
		return NULL;
	if (asprintf(&path, "logs/%s.log", s->name) < 0) {
		err_set(e, "no memory for the name of the log");
		return NULL;
	}
	fd = io_create(save->outdir, path, e);
	if (fd < 0)
		return NULL;
	out = fdopen(fd, "w");
	if (out)
		take_fd(&fd);
	else
		err_sys(e, "cannot write '%s'", path);
	return out;
}

static const char *logline_level(uint32_t level)
{
	static const char *const levels[] = {
		"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug",
	};

	return level < countof(levels) ? levels[level] : "-";
}

void logline_write(FILE *out, const struct save *save, const struct logline *line)
{
	char prefix[128];

	snprintf(prefix, sizeof(prefix), "%s %" PRIu64 ".%09" PRIu64 " %-7s ",
		 clock_utc(save_wall(save, line->time)).text, (uint64_t)(line->time / NS_PER_S),
		 (uint64_t)(line->time % NS_PER_S), logline_level(line->level));
	fprintf(out, "%s%s", prefix, line->continued ? "... " : "");
	for (const char *at = line->text, *end = at + line->size, *newline; at < end;
	     at = newline + 1) {
		newline = memchr(at, '\n', end - at);
		text_put(out, at, (newline ? newline : end) - at);
		if (!newline)
			break;
		fprintf(out, "\n%s", prefix);
	}
	fputc('\n', out);
}
