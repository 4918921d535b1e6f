#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void err_format(struct err *e, const char *format, va_list ap)
{
	vsnprintf(e->text, sizeof(e->text), format, ap);
}

int err_set(struct err *e, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	err_format(e, format, ap);
	va_end(ap);
	e->code = -EINVAL;
	return e->code;
}

int err_sys(struct err *e, const char *format, ...)
{
	int saved = errno;
	size_t used;
	va_list ap;

	va_start(ap, format);
	err_format(e, format, ap);
	va_end(ap);
	used = strlen(e->text);
	snprintf(e->text + used, sizeof(e->text) - used, ": %s", strerror(saved));
	e->code = saved ? -saved : -EIO;
	return e->code;
}

int err_wrap(struct err *e, const char *format, ...)
{
	char inner[sizeof(e->text)];
	size_t used;
	va_list ap;

	memcpy(inner, e->text, sizeof(inner));
	va_start(ap, format);
	err_format(e, format, ap);
	va_end(ap);
	used = strlen(e->text);
	snprintf(e->text + used, sizeof(e->text) - used, ": %s", inner);
	return e->code;
}

int err_exit(struct err *e, enum exit_code exit)
{
	e->exit = exit;
	return e->code;
}
