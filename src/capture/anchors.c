#include "capture/anchors.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/io.h"
#include "trace/instance.h"

/* The kernel log and ftrace's clock "perf" both read local_clock(): a marker under that clock tells
 * its time now. */
static int anchors_make_instance(struct capture *c, const char *name, struct err *e)
{
	static const char *const settings[][2] = {
		{ "trace_clock", "perf" },
		{ "buffer_size_kb", "8" },
		{ "options/markers", "1" },
		{ "tracing_on", "1" },
	};

	if (ledger_instance(c->ledger, name, e) < 0 || instance_create(c->tracing, name, e) < 0)
		return e->code;
	for (size_t i = 0; i < countof(settings); i++)
		if (instance_write(c->tracing, name, settings[i][0], settings[i][1], e) < 0)
			return e->code;
	return 0;
}

/* The stamp of the newest record in any CPU's ring; reading takes it out. */
static uint64_t anchors_newest(struct capture *c, const char *name,
			       const struct ringpage_layout *layout, unsigned cpus)
{
	autofree uint8_t *page = malloc(layout->page_size);
	struct ringpage_record record;
	struct ringpage walk;
	uint64_t newest = 0;

	for (unsigned cpu = 0; page && cpu < cpus; cpu++) {
		struct err absent = ERR_INIT;
		autoclose int fd =
			instance_open_cpu(c->tracing, name, cpu, "trace_pipe_raw", &absent);

		while (fd >= 0 && read(fd, page, layout->page_size) > 0) {
			ringpage_open(&walk, layout, page);
			while (ringpage_next(&walk, &record) > 0)
				newest = record.time > newest ? record.time : newest;
		}
	}
	return newest;
}

/* Puts a marker between two readings of the boot clock; the tightest of three. 0 if it cannot be
 * told. */
static void anchors_printk_now(struct capture *c, struct anchor *anchor)
{
	struct capture_name name = capture_instance(c->state, ".clock");
	uint64_t best = UINT64_MAX;
	struct ringpage_layout layout;
	struct err ignored = ERR_INIT;
	unsigned cpus;
	autoclose int marker =
		instance_open(c->tracing, name.text, "trace_marker", O_WRONLY, &ignored);

	if (marker < 0 || instance_layout(c->tracing, name.text, &layout, &ignored) < 0 ||
	    instance_cpus(c->tracing, name.text, &cpus, &ignored) < 0)
		return;
	for (int i = 0; i < 3; i++) {
		uint64_t before = clock_boot(), after, stamp;
		bool written = write(marker, "anchor", 6) == 6;

		after = clock_boot();
		stamp = anchors_newest(c, name.text, &layout, cpus);
		if (!written || !stamp || after - before >= best)
			continue;
		best = after - before;
		anchor->printk_ns = stamp + anchor->boot - (before + best / 2);
	}
}

int anchors_add(struct capture *c, struct err *e)
{
	struct anchor anchor = anchor_take();
	autoclose int fd =
		openat(c->state->fd, "anchors", O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	struct stat st;

	/* over what an interrupted one has left */
	if (fd < 0 || fstat(fd, &st) < 0 ||
	    lseek(fd, st.st_size / sizeof(anchor) * sizeof(anchor), SEEK_SET) < 0)
		return err_sys(e, "cannot keep the clock anchors");
	if (c->tracing && c->kernel_log)
		anchors_printk_now(c, &anchor);
	return io_write(fd, &anchor, sizeof(anchor), e);
}

int anchors_arm(struct capture *c, struct err *e)
{
	struct capture_name name = capture_instance(c->state, ".clock");

	if (c->tracing && c->kernel_log && anchors_make_instance(c, name.text, e) < 0)
		return err_wrap(e, "the kernel log's clock");
	return anchors_add(c, e);
}

int anchors_read(int statedir, struct anchor **ret, size_t *n, struct err *e)
{
	char *data;
	size_t size;

	if (io_read_file(statedir, "anchors", 64 << 20, &data, &size, e) < 0)
		return err_wrap(e, "the clock anchors");
	*ret = (struct anchor *)data;
	*n = size / sizeof(struct anchor);
	if (*n)
		return 0;
	free(data);
	return err_set(e, "there are no clock anchors");
}
