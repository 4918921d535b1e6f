/* tracer.log: what tracer itself did, one line a fact, in the state directory. */
#pragma once

/* Opens it below DIRFD; without it, log_line goes nowhere. */
void log_open(int dirfd);

/* One line under the boot clock; never blocks on a disk, since the file is on tmpfs. */
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Forgets the file: for a new process, which must not write to a number that is somebody else's by
 * now. */
void log_close(void);
