/* System calls by their numbers: names, arguments and results as a person reads them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "trace/formats.h"

#define SYSCALL_ARGS 6

struct syscalls;

/* For this machine's own numbers, with the names of arguments from the events of a host. FORMATS,
 * which may be NULL, has to outlive it. *ret is the caller's. */
int syscalls_create(struct syscalls **ret, const struct formats *formats, struct err *e);

/* NULL is fine. */
void syscalls_free(struct syscalls *s);

/* "ioctl"; NULL for a number that none has. Valid as long as S. */
const char *syscalls_name(struct syscalls *s, long number);

/* "ioctl(fd: 3, cmd: FIFREEZE, arg: 0)"; of arguments whose names are not known all six as numbers.
 */
void syscalls_call(struct syscalls *s, long number, const uint64_t args[SYSCALL_ARGS], FILE *out);

/* Whether it never returns, like exit_group; or returns once more, in a task that it makes. */
bool syscalls_ends_task(struct syscalls *s, long number);
bool syscalls_makes_task(struct syscalls *s, long number);

/* "0", "-1 EBUSY", "0x7f0000000000": large ones are addresses. */
void syscalls_result(long result, FILE *out);
