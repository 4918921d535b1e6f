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

void output_name(struct output *output)
{
	const struct capture *c = output->capture;
	const struct stop_record *stop = stop_get(c->stop);
	struct anchor now = anchor_take();

	snprintf(output->name, sizeof(output->name), "%s-%s-%s-%s", c->plan->name,
		 output->about->hostname, clock_stamp(anchor_wall(&now, stop->event)).text,
		 c->state->id + 22);
}

void output_path(const struct output *output, char *path, size_t size)
{
	snprintf(path, size, "%s/%s%s", output->outdir, output->name,
		 output_suffixes[output->about->compress]);
}

bool output_saved(struct output *output, char *dir, size_t size)
{
	struct err absent = ERR_INIT;
	autofree char *text = NULL;
	char *name;

	if (io_read_file(output->capture->state->fd, "saved", 8192, &text, NULL, &absent) < 0)
		return false;
	name = strchr(text, '\n');
	if (!name)
		return false;
	*name++ = '\0';
	snprintf(dir, size, "%s", text);
	snprintf(output->name, sizeof(output->name), "%s", name);
	return true;
}

int output_open(const struct output *output, struct err *e)
{
	autoclose int outdir = io_open_dir(AT_FDCWD, output->outdir, e);

	return outdir < 0 ? outdir : io_open_dir(outdir, output->name, e);
}
