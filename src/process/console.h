/* The console: the only process that writes to standard output and error. Its queue drops when it
 * is full, so that a stopped pager or a log on a frozen file system blocks nobody. */
#pragma once

#include <stdbool.h>

#include "base/err.h"

struct console;

enum console_mode {
	CONSOLE_NORMAL = 0,
	CONSOLE_QUIET = 1 << 0,  /* only results and errors */
	CONSOLE_LOCKED = 1 << 1, /* its memory is locked */
};

/* Starts the process; from here on the caller's own standard streams are /dev/null. *ret is the
 * caller's. */
int console_start(struct console **ret, enum console_mode mode, struct err *e);

/* A line on standard error. */
void console_line(struct console *console, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The same, also when quiet. */
void console_error(struct console *console, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The one live line of a terminal, replaced in place; nothing elsewhere. */
void console_status(struct console *console, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* A line on standard output. */
void console_result(struct console *console, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Lets go of the streams, which others may wait for: what comes later goes nowhere. */
void console_detach(struct console *console);

/* Lets it write what is queued, for two seconds at most, and ends it. NULL is fine. */
void console_end(struct console *console);
