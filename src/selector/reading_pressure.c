/* t.pressure: tasks wait for memory, disks or the CPU for longer than so, as the kernel measures
 * it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/units.h"
#include "selector/reading.h"

#define WINDOW_MIN (500 * NS_PER_MS) /* the kernel's own bounds */
#define WINDOW_MAX (10 * NS_PER_S)

static int pressure_path(struct reading_selector *reading, const json_t *spec, struct err *e)
{
	const char *what = json_string_value(json_object_get(spec, "what"));
	const char *cgroup = json_string_value(json_object_get(spec, "cgroup"));

	if (!what || (strcmp(what, "memory") && strcmp(what, "io") && strcmp(what, "cpu")))
		return err_set(e,
			       "there is pressure of \"memory\", \"io\" and \"cpu\", not of '%s'",
			       what ? what : "");
	if (asprintf(&reading->made, "%s%s%s%s", cgroup ? cgroup : "/proc/pressure", "/", what,
		     cgroup ? ".pressure" : "") < 0)
		return err_set(e, "no memory");
	reading->path = reading->made;
	return 0;
}

static int pressure_decode(struct selector *s, struct err *e)
{
	struct reading_selector *reading = s->data = calloc(1, sizeof(*reading));
	const json_t *full = json_object_get(s->spec, "full");
	const json_t *stall = full ? full : json_object_get(s->spec, "some");
	uint64_t per = json_integer_value(json_object_get(s->spec, "per"));
	uint64_t ns = json_integer_value(stall);

	if (!reading)
		return err_set(e, "no memory");
	reading->kind = READING_PRESSURE;
	if (per < WINDOW_MIN || per > WINDOW_MAX)
		return err_set(e,
			       "`per` of pressure is from 500ms to 10s: the kernel knows no other");
	if (!ns || ns > per)
		return err_set(e, "`some` or `full` has to say for how long of `per` tasks wait");
	snprintf(reading->trigger, sizeof(reading->trigger), "%s %llu %llu", full ? "full" : "some",
		 (unsigned long long)ns / 1000, (unsigned long long)per / 1000);
	return pressure_path(reading, s->spec, e);
}

int pressure_open(const struct reading_selector *reading, struct err *e)
{
	autoclose int fd =
		open(reading->path, O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);
	struct statfs fs;

	if (fd < 0)
		return err_sys(e, "this kernel does not tell of pressure: '%s'", reading->path);
	/* what is written must not end in somebody's file */
	if (fstatfs(fd, &fs) < 0 ||
	    (fs.f_type != PROC_SUPER_MAGIC && fs.f_type != CGROUP2_SUPER_MAGIC))
		return err_set(e, "'%s' is no file of the kernel's", reading->path);
	if (write(fd, reading->trigger, strlen(reading->trigger) + 1) >= 0)
		return take_fd(&fd);
	err_sys(e, "'%s' does not take \"%s\"", reading->path, reading->trigger);
	if (errno == EINVAL) /* so it is for who lacks CAP_SYS_RESOURCE */
		err_set(e, "'%s' takes no `per` but 2s, 4s and so on here", reading->path);
	return e->code;
}

/* The trigger goes when its descriptor does. */
static int pressure_probe(struct selector *s, struct tracing *tracing, struct err *e)
{
	int fd;

	if (tracing_is_recorded(tracing))
		return 0;
	fd = pressure_open(s->data, e);
	if (fd < 0)
		return err_exit(e, EXIT_HOST);
	close(fd);
	return 0;
}

static void pressure_describe(const struct selector *s, const struct observation *o, FILE *out)
{
	const struct reading_selector *reading = s->data;

	(void)o;
	fprintf(out, "%s: tasks have waited (%s, in us)", reading->path, reading->trigger);
}

const struct selector_ops pressure_selector = {
	.type = "pressure",
	.stream = STREAM_READINGS,
	.decode = pressure_decode,
	.probe = pressure_probe,
	.find = reading_find,
	.describe = pressure_describe,
	.free = reading_free,
};
