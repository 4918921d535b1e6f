#include "trace/syscalls.h"

#include <fcntl.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "trace/format.h"

#define NUMBERS_MAX 1024
#define KERNEL_LARGEFILE 0100000 /* O_LARGEFILE, which is 0 to a 64-bit program */
#define ERRORS_MAX 4095          /* results down to minus that are errors, the kernel's MAX_ERRNO */

/* Found when it is first asked for. */
struct syscall {
	bool known;
	char *name;
	struct format *format; /* of its event, NULL without one */
};

struct syscalls {
	const struct formats *formats;
	struct syscall list[NUMBERS_MAX];
};

/* The kernel's own names for what programs call otherwise, on one machine or another. */
static const char *const aliases[][2] = {
	{ "stat", "newstat" },        { "fstat", "newfstat" }, { "lstat", "newlstat" },
	{ "fstatat", "newfstatat" },  { "uname", "newuname" }, { "umount2", "umount" },
	{ "sendfile", "sendfile64" }, { "_llseek", "llseek" },
};

/* What can be told of an argument by its type and its name. */
enum how { DECIMAL, NARROW, HEX, OCTAL, POINTER, DIRECTORY, COMMAND, SIGNAL, OPENS };

int syscalls_create(struct syscalls **ret, const struct formats *formats, struct err *e)
{
	*ret = calloc(1, sizeof(**ret));
	if (!*ret)
		return err_set(e, "no memory for the system calls");
	(*ret)->formats = formats;
	return 0;
}

void syscalls_free(struct syscalls *s)
{
	for (size_t i = 0; s && i < countof(s->list); i++) {
		free(s->list[i].name);
		format_free(s->list[i].format);
	}
	free(s);
}

static const struct formats_entry *syscall_entry(const struct formats *formats, const char *name)
{
	char event[100];

	snprintf(event, sizeof(event), "sys_enter_%s", name);
	return formats ? formats_find(formats, "syscalls", event) : NULL;
}

static void syscall_find_format(struct syscall *call, const struct formats *formats)
{
	const struct formats_entry *entry = syscall_entry(formats, call->name);
	struct err ignored = ERR_INIT;

	for (size_t i = 0; !entry && i < countof(aliases); i++)
		if (!strcmp(call->name, aliases[i][0]))
			entry = syscall_entry(formats, aliases[i][1]);
	if (entry)
		format_parse(&call->format, entry->system, entry->text, &ignored);
}

static struct syscall *syscall_find(struct syscalls *s, long number)
{
	struct syscall *call;

	if (number < 0 || number >= NUMBERS_MAX)
		return NULL;
	call = &s->list[number];
	if (!call->known) {
		call->known = true;
		call->name = seccomp_syscall_resolve_num_arch(seccomp_arch_native(), (int)number);
		if (call->name)
			syscall_find_format(call, s->formats);
	}
	return call->name ? call : NULL;
}

const char *syscalls_name(struct syscalls *s, long number)
{
	const struct syscall *call = syscall_find(s, number);

	return call ? call->name : NULL;
}

static bool name_is_one_of(const char *name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

bool syscalls_ends_task(struct syscalls *s, long number)
{
	static const char *const names[] = { "exit", "exit_group" };
	const char *name = syscalls_name(s, number);

	return name && name_is_one_of(name, names, countof(names));
}

bool syscalls_makes_task(struct syscalls *s, long number)
{
	static const char *const names[] = { "clone", "clone3", "fork", "vfork" };
	const char *name = syscalls_name(s, number);

	return name && name_is_one_of(name, names, countof(names));
}

static bool name_has(const char *name, const char *const *parts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strstr(name, parts[i]))
			return true;
	return false;
}

/* What is an int to the kernel has its sign in the lower half of the register. */
static bool argument_is_narrow(const struct field *field)
{
	static const char *const types[] = { "int", "pid_t", "clockid_t", "key_t", "unsigned int" };

	return !strcmp(field->name, "fd") || name_is_one_of(field->type, types, countof(types));
}

static enum how argument_how(const char *call, const struct field *field)
{
	static const char *const bits[] = { "flags", "prot", "mask", "events" };
	static const char *const opens[] = { "open", "openat" };
	static const char *const addresses[] = { "addr", "start", "brk", "arg", "new_addr" };

	if (strchr(field->type, '*'))
		return POINTER;
	if (!strcmp(field->name, "cmd") || !strcmp(field->name, "request"))
		return COMMAND;
	if (!strcmp(field->name, "sig"))
		return SIGNAL;
	if (strlen(field->name) >= 3 && !strcmp(field->name + strlen(field->name) - 3, "dfd"))
		return DIRECTORY;
	if (!strcmp(field->name, "flags") && name_is_one_of(call, opens, countof(opens)))
		return OPENS;
	if (!strcmp(field->name, "mode") || !strcmp(field->type, "umode_t"))
		return OCTAL;
	if (name_has(field->name, bits, countof(bits)) ||
	    name_is_one_of(field->name, addresses, countof(addresses)))
		return HEX;
	return argument_is_narrow(field) ? NARROW : DECIMAL;
}

static void argument_command(uint64_t value, FILE *out)
{
	static const struct {
		uint32_t cmd;
		const char *name;
	} names[] = { { 0xc0045877, "FIFREEZE" }, { 0xc0045878, "FITHAW" } };

	for (size_t i = 0; i < countof(names); i++)
		if ((uint32_t)value == names[i].cmd) {
			fputs(names[i].name, out);
			return;
		}
	fprintf(out, value < 4096 ? "%llu" : "0x%llx", (unsigned long long)(uint32_t)value);
}

static void argument_signal(uint64_t value, FILE *out)
{
	const char *name = value && value < 65 ? sigabbrev_np((int)value) : NULL;

	if (name)
		fprintf(out, "SIG%s", name);
	else
		fprintf(out, "%llu", (unsigned long long)value);
}

static void argument_opens(uint64_t value, FILE *out)
{
	static const char *const ways[] = { "O_RDONLY", "O_WRONLY", "O_RDWR", "3" };
	static const struct {
		uint64_t bit;
		const char *name;
	} bits[] = {
		{ O_CREAT, "O_CREAT" },       { O_EXCL, "O_EXCL" },
		{ O_TRUNC, "O_TRUNC" },       { O_APPEND, "O_APPEND" },
		{ O_NONBLOCK, "O_NONBLOCK" }, { O_NOFOLLOW, "O_NOFOLLOW" },
		{ O_CLOEXEC, "O_CLOEXEC" },   { O_PATH, "O_PATH" },
		{ O_TMPFILE, "O_TMPFILE" },   { O_DIRECTORY, "O_DIRECTORY" },
		{ O_SYNC, "O_SYNC" },         { O_DSYNC, "O_DSYNC" },
		{ O_DIRECT, "O_DIRECT" },     { O_NOCTTY, "O_NOCTTY" },
		{ O_NOATIME, "O_NOATIME" },
	};
	uint64_t left = value & ~(uint64_t)(O_ACCMODE | KERNEL_LARGEFILE);

	fputs(ways[value & O_ACCMODE], out);
	for (size_t i = 0; i < countof(bits); i++) {
		if ((left & bits[i].bit) != bits[i].bit)
			continue;
		fprintf(out, "|%s", bits[i].name);
		left &= ~bits[i].bit;
	}
	if (left)
		fprintf(out, "|0x%llx", (unsigned long long)left);
}

static void argument_write(const char *call, const struct field *field, uint64_t value, FILE *out)
{
	unsigned long long v = value;

	switch (argument_how(call, field)) {
	case OPENS:
		argument_opens((uint32_t)value, out);
		break;
	case NARROW:
		fprintf(out, "%d", (int32_t)value);
		break;
	case POINTER:
		fprintf(out, v ? "0x%llx" : "NULL", v);
		break;
	case COMMAND:
		argument_command(value, out);
		break;
	case SIGNAL:
		argument_signal(value, out);
		break;
	case DIRECTORY:
		if ((int32_t)value == AT_FDCWD)
			fputs("AT_FDCWD", out);
		else
			fprintf(out, "%d", (int32_t)value);
		break;
	case OCTAL:
		fprintf(out, "0%llo", v & 0xffff);
		break;
	case HEX:
		fprintf(out, v ? "0x%llx" : "0", v);
		break;
	case DECIMAL:
		fprintf(out, "%lld", (long long)value);
	}
}

void syscalls_call(struct syscalls *s, long number, const uint64_t args[SYSCALL_ARGS], FILE *out)
{
	const struct syscall *call = syscall_find(s, number);
	const struct field *first =
		call && call->format ? format_field(call->format, "__syscall_nr") : NULL;
	size_t n = first ? call->format->fields + call->format->n_fields - (first + 1) : 0;

	if (call)
		fprintf(out, "%s(", call->name);
	else
		fprintf(out, "syscall_%ld(", number);
	for (size_t i = 0; i < n && i < SYSCALL_ARGS; i++) {
		fprintf(out, "%s%s: ", i ? ", " : "", first[1 + i].name);
		argument_write(call->name, &first[1 + i], args[i], out);
	}
	for (size_t i = 0; !first && i < SYSCALL_ARGS; i++)
		fprintf(out, "%s0x%llx", i ? ", " : "", (unsigned long long)args[i]);
	fputc(')', out);
}

/* Of the kernel alone, between it and its system calls: no program sees them. */
static const char *result_restart(long error)
{
	static const char *const names[] = { "ERESTARTSYS", "ERESTARTNOINTR", "ERESTARTNOHAND",
					     NULL, "ERESTART_RESTARTBLOCK" };

	return error >= 512 && error < 512 + (long)countof(names) ? names[error - 512] : NULL;
}

void syscalls_result(long result, FILE *out)
{
	const char *name = NULL;

	if (result < 0 && result >= -ERRORS_MAX)
		name = result_restart(-result) ?: strerrorname_np((int)-result);
	if (name)
		fprintf(out, "-1 %s", name);
	else if (result > 0xffffffffl || result < -ERRORS_MAX)
		fprintf(out, "0x%lx", (unsigned long)result);
	else
		fprintf(out, "%ld", result);
}
