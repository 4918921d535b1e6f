/* trace/NAME.dat to trace/NAME.txt: the kernel's own text, which Perfetto's importer reads. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/io.h"
#include "convert/convert.h"
#include "convert/tracetext.h"
#include "process/sandbox.h"

#define TRACE_TEXT_MAX (64u << 20) /* bytes before the stop */

static int trace_run(int bundledir, const char *path, struct err *e)
{
	autoclose int in = openat(bundledir, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	autofree char *name = NULL;
	autoclose int out = -1;

	if (in < 0)
		return err_sys(e, "cannot open '%s'", path);
	if (asprintf(&name, "%.*s.txt", (int)(strlen(path) - strlen(".dat")), path) < 0)
		return err_set(e, "no memory");
	unlinkat(bundledir, name, 0);
	out = io_create(bundledir, name, e);
	if (out < 0 || sandbox_enter(SANDBOX_COMPUTE, e) < 0)
		return e->code;
	return tracetext_convert(in, out, TRACE_TEXT_MAX, e);
}

const struct converter trace_converter = {
	.what = "trace text",
	.dir = "trace/",
	.suffix = ".dat",
	.run = trace_run,
};
