#include "bundle/output.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/io.h"
#include "plan/plan.h"

const char *const output_suffixes[] = {
	[COMPRESS_ZSTD] = ".tar.zst",
	[COMPRESS_GZIP] = ".tar.gz",
	[COMPRESS_NONE] = ".tar",
};

void output_name(struct output *f)
{
	const struct capture *c = f->capture;
	const struct stop_record *stop = stop_get(c->stop);
	struct anchor now = anchor_take();

	snprintf(f->name, sizeof(f->name), "%s-%s-%s-%s", c->plan->name, f->about->hostname,
		 clock_stamp(anchor_wall(&now, stop->event)).text, c->state->id + 22);
}

void output_path(const struct output *f, char *path, size_t size)
{
	snprintf(path, size, "%s/%s%s", f->outdir, f->name, output_suffixes[f->about->compress]);
}

bool output_saved(struct output *f, char *dir, size_t size)
{
	struct err absent = ERR_INIT;
	autofree char *text = NULL;
	char *name;

	if (io_read_file(f->capture->state->fd, "saved", 8192, &text, NULL, &absent) < 0)
		return false;
	name = strchr(text, '\n');
	if (!name)
		return false;
	*name++ = '\0';
	snprintf(dir, size, "%s", text);
	snprintf(f->name, sizeof(f->name), "%s", name);
	return true;
}

int output_open(const struct output *f, struct err *e)
{
	autoclose int outdir = io_open_dir(AT_FDCWD, f->outdir, e);

	return outdir < 0 ? outdir : io_open_dir(outdir, f->name, e);
}
