#include "plan/function.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/units.h"
#include "plan/elfsymbol.h"
#include "process/sandbox.h"
#include "process/worker.h"

#define SYMBOL_WAIT (10 * NS_PER_S)
#define KALLSYMS_MAX (256u << 20)

/* The kernel's own and its modules'. */
struct functions {
	char *text; /* of /proc/kallsyms, cut into its names */
	const char **names;
	size_t n;
};

static void functions_free(struct functions *f)
{
	free(f->text);
	free(f->names);
}

/* "ffffffff81000000 T name\t[module]" */
static void functions_line(struct functions *f, char *line)
{
	char *type = strchr(line, ' ');

	if (!type || !type[1] || !strchr("tTwW", type[1]) || type[2] != ' ')
		return;
	type[3 + strcspn(type + 3, "\t")] = '\0';
	f->names[f->n++] = type + 3;
}

static int functions_read(struct functions *f, struct err *e)
{
	char *next, *line;
	size_t lines = 0;

	if (io_read_file(AT_FDCWD, "/proc/kallsyms", KALLSYMS_MAX, &f->text, NULL, e) < 0)
		return e->code;
	for (next = f->text; *next; next++)
		lines += *next == '\n';
	f->names = malloc((lines + 1) * sizeof(*f->names));
	if (!f->names)
		return err_set(e, "no memory for the kernel's functions");
	for (next = f->text; (line = strsep(&next, "\n"));)
		functions_line(f, line);
	return 0;
}

static int functions_check(const struct functions *f, const char *name, struct err *e)
{
	size_t places = 0;
	const char *near;

	for (size_t i = 0; i < f->n; i++)
		places += !strcmp(f->names[i], name);
	if (places == 1)
		return 0;
	if (places)
		return err_set(e,
			       "the kernel has %zu functions '%s': a probe cannot tell them apart",
			       places, name);
	near = nearest_name(name, f->names, f->n);
	if (near)
		return err_set(e, "the kernel has no function '%s', did you mean '%s'?", name,
			       near);
	return err_set(e, "the kernel has no function '%s'", name);
}

/* Lines "FROM-TO\tNAME", where debugfs can be read. */
static bool function_is_forbidden(const char *name)
{
	struct err unreadable = ERR_INIT;
	autofree char *text = NULL;
	char *next, *line;

	if (io_read_file(AT_FDCWD, "/sys/kernel/debug/kprobes/blacklist", 16 << 20, &text, NULL,
			 &unreadable) < 0)
		return false;
	for (next = text; (line = strsep(&next, "\n"));) {
		const char *tab = strchr(line, '\t');

		if (tab && !strcmp(tab + 1, name))
			return true;
	}
	return false;
}

int function_in_kernel(const char *name, struct err *e)
{
	struct functions functions = { 0 };
	int r = functions_read(&functions, e);

	if (!r)
		r = functions_check(&functions, name, e);
	functions_free(&functions);
	if (!r && function_is_forbidden(name))
		r = err_set(e, "the kernel allows no probe in '%s'", name);
	return r;
}

struct symbol_search {
	int file;
	const char *symbol;
};

/* A process that has nothing but the file: it may come from anybody. */
static int symbol_main(void *arg, int engine, struct err *e)
{
	const struct symbol_search *search = arg;
	uint64_t offset;
	char text[24];

	if (sandbox_enter(SANDBOX_HELD, e) < 0 ||
	    elfsymbol_offset(search->file, search->symbol, &offset, e) < 0)
		return e->code;
	snprintf(text, sizeof(text), "%llu", (unsigned long long)offset);
	return message_send(engine, MESSAGE_SAY, text);
}

static void symbol_answer(void *offset, const char *text)
{
	*(uint64_t *)offset = strtoull(text, NULL, 10);
}

static int symbol_find(int file, const char *symbol, uint64_t *offset, struct err *e)
{
	struct symbol_search search = { .file = file, .symbol = symbol };
	struct worker worker;

	if (worker_start(&worker, "symbol", symbol_main, &search, &file, 1, e) < 0)
		return e->code;
	return worker_finish(&worker, clock_boot() + SYMBOL_WAIT, symbol_answer, offset, e);
}

int function_in_file(const char *path, const char *symbol, uint64_t *offset, struct err *e)
{
	autoclose int file = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (file < 0)
		return err_sys(e, "cannot open '%s'", path);
	if (fstat(file, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(e, "'%s' is no regular file", path);
	if (symbol_find(file, symbol, offset, e) < 0)
		return err_wrap(e, "'%s'", path);
	return 0;
}
