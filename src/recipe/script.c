#include "recipe/script.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/units.h"
#include "recipe/script_child.h"
#include "recipe/script_wire.h"

#define TIMEOUT_MS 2000
#define FILES_MAX 100
#define QUESTIONS_MAX 10000

struct script {
	const struct script_request *rq; /* NULL where there is no recipe */
	struct script_file *files;       /* the recipe first */
	size_t n_files;
	struct script_note *note; /* shared with the process */
	int dirfd;                /* the recipe's directory */
	int fd;                   /* socket to the process */
	pid_t pid;
	uint64_t deadline; /* boot clock */
};

static struct script *script_new(const struct script_request *rq)
{
	struct script *script = calloc(1, sizeof(*script));

	if (!script)
		return NULL;
	script->rq = rq;
	script->dirfd = -1;
	script->fd = -1;
	script->files = calloc(FILES_MAX, sizeof(*script->files));
	script->note = mmap(NULL, sizeof(*script->note), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!script->files || script->note == MAP_FAILED) {
		script_end(script);
		return NULL;
	}
	return script;
}

static void files_free(struct script_file *files, size_t n)
{
	for (size_t i = 0; i < n; i++)
		script_file_clear(&files[i]);
	free(files);
}

static void script_kill(struct script *script)
{
	if (script->pid <= 0)
		return;
	kill(script->pid, SIGKILL);
	while (waitpid(script->pid, NULL, 0) < 0 && errno == EINTR)
		;
	script->pid = 0;
}

void script_end(struct script *script)
{
	if (!script)
		return;
	script_kill(script);
	files_free(script->files, script->n_files);
	if (script->note != MAP_FAILED)
		munmap(script->note, sizeof(*script->note));
	auto_close(&script->dirfd);
	auto_close(&script->fd);
	free(script);
}

static int script_fork(struct script *script, struct err *e)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "cannot make a socket for the script");
	script->pid = fork();
	if (script->pid == 0)
		script_child_run(&(struct script_child) {
			.rq = script->rq,
			.recipe = script->rq ? &script->files[0] : NULL,
			.note = script->note,
			.tests = script->rq ? script->rq->tests : NULL,
			.fd = pair[1],
		});
	close(pair[1]);
	script->fd = pair[0];
	return script->pid < 0 ? err_sys(e, "cannot start the script") : 0;
}

static int script_open(struct script *script, struct err *e)
{
	if (script->rq) {
		if (script_file_recipe(&script->files[0], &script->dirfd, script->rq->recipe_path,
				       e) < 0)
			return e->code;
		script->n_files = 1;
	}
	return script_fork(script, e);
}

/* Reads the recipe and forks the process; RQ must outlive it, and is NULL where it is for the
 * library alone. */
static int script_start(struct script **ret, const struct script_request *rq, struct err *e)
{
	struct script *script = script_new(rq);

	if (!script)
		return err_set(e, "no memory for the script");
	if (script_open(script, e) < 0) {
		script_end(script);
		return e->code;
	}
	*ret = script;
	return 0;
}

static uint32_t script_timeout_ms(const struct script *script)
{
	return script->rq && script->rq->timeout_ms ? script->rq->timeout_ms : TIMEOUT_MS;
}

/* "FILE:LINE", where the script says that it was last. */
static void script_place(const struct script *script, char *text, size_t size, char *what,
			 size_t what_size)
{
	struct script_note note = *script->note;

	note.file[sizeof(note.file) - 1] = '\0';
	note.what[sizeof(note.what) - 1] = '\0';
	if (note.line)
		snprintf(text, size, "%s:%u", note.file, note.line);
	else
		snprintf(text, size, "%s", script->n_files ? script->files[0].name : "the library");
	snprintf(what, what_size, "%s%s", note.what[0] ? ", it was last seen in " : "", note.what);
	text_clean(text);
	text_clean(what);
}

static int script_too_slow(struct script *script, struct err *e)
{
	struct unit_text timeout = duration_text(script_timeout_ms(script) * NS_PER_MS);
	char place[128], what[64];

	script_kill(script);
	script_place(script, place, sizeof(place), what, sizeof(what));
	err_set(e, "%s: the recipe gave no plan within %s%s", place, timeout.text, what);
	return err_exit(e, EXIT_USAGE);
}

/* The process ended without a last message. */
static int script_died(struct script *script, struct err *e)
{
	char place[128], what[64];
	int status = 0;

	while (waitpid(script->pid, &status, 0) < 0 && errno == EINTR)
		;
	script->pid = 0;
	script_place(script, place, sizeof(place), what, sizeof(what));
	if (WIFSIGNALED(status))
		err_set(e, "%s: the script process died of signal %d (%s)%s", place,
			WTERMSIG(status), strsignal(WTERMSIG(status)), what);
	else
		err_set(e, "%s: the script process ended without a plan%s", place, what);
	return err_exit(e, EXIT_USAGE);
}

static int script_broken(struct script *script, int code, struct err *e)
{
	switch (code) {
	case -ETIME:
		return script_too_slow(script, e);
	case -ECONNRESET:
		return script_died(script, e);
	case -EMSGSIZE:
		err_set(e, "the recipe's plan is larger than 8M");
		return err_exit(e, EXIT_USAGE);
	default:
		errno = -code;
		return err_sys(e, "cannot speak with the script");
	}
}

/* A file that was loaded before is served as it was then. */
static struct script_file *script_keep(struct script *script, struct script_file *file)
{
	for (size_t i = 0; i < script->n_files; i++) {
		if (strcmp(script->files[i].name, file->name) == 0) {
			script_file_clear(file);
			return &script->files[i];
		}
	}
	script->files[script->n_files] = *file;
	return &script->files[script->n_files++];
}

static int script_load(struct script *script, struct script_file **ret, const char *name,
		       struct err *e)
{
	struct script_file file;

	if (script->n_files == FILES_MAX)
		return err_set(e, "a recipe can load at most %d files", FILES_MAX);
	if (script_file_module(&file, script->dirfd, name, e) < 0)
		return e->code;
	*ret = script_keep(script, &file);
	return 0;
}

static int script_send_module(struct script *script, const struct script_file *file)
{
	autofree char *data = NULL;
	int size = asprintf(&data, "%s%c%s", file->name, '\0', file->text);

	return size < 0 ? -ENOMEM
			: wire_send(script->fd, WIRE_MODULE, data, (size_t)size, script->deadline);
}

static int script_answer_require(struct script *script, const char *name)
{
	struct err refused = ERR_INIT;
	struct script_file *file = NULL;

	if (script_load(script, &file, name, &refused) < 0)
		return wire_send(script->fd, WIRE_REFUSED, refused.text, strlen(refused.text),
				 script->deadline);
	return script_send_module(script, file);
}

static int script_answer_has(struct script *script, const char *event)
{
	const struct script_request *rq = script->rq;
	bool yes = rq->has_event && rq->has_event(rq->ctx, event);

	return wire_send(script->fd, yes ? WIRE_YES : WIRE_NO, NULL, 0, script->deadline);
}

/* The time that we take to answer is not the script's. */
static int script_answer(struct script *script, enum wire_kind kind, const char *text, size_t size)
{
	uint64_t asked = clock_boot();
	int r;

	if (!script->rq || strlen(text) != size)
		return -EPROTO;
	r = kind == WIRE_REQUIRE ? script_answer_require(script, text)
				 : script_answer_has(script, text);
	script->deadline += clock_boot() - asked;
	return r;
}

static int script_failed(enum wire_kind kind, char *text, struct err *e)
{
	text_clean(text);
	err_set(e, "%s", text);
	return err_exit(e, kind == WIRE_ERROR ? EXIT_USAGE : EXIT_FAILED);
}

/* Answers what the process asks until it sends its result. */
static int script_serve(struct script *script, char **ret, struct err *e)
{
	script->deadline = clock_boot() + script_timeout_ms(script) * NS_PER_MS;
	for (int questions = 0; questions < QUESTIONS_MAX; questions++) {
		autofree char *text = NULL;
		size_t size;
		int r = wire_receive(script->fd, &text, &size, script->deadline);

		switch (r) {
		case WIRE_RESULT:
			*ret = take_ptr(text);
			return 0;
		case WIRE_ERROR:
		case WIRE_FAULT:
			return script_failed((enum wire_kind)r, text, e);
		case WIRE_REQUIRE:
		case WIRE_HAS:
			r = script_answer(script, (enum wire_kind)r, text, size);
			break;
		default:
			r = r < 0 ? r : -EPROTO;
		}
		if (r < 0)
			return script_broken(script, r, e);
	}
	err_set(e, "the recipe asks for more than %d modules and events", QUESTIONS_MAX);
	return err_exit(e, EXIT_USAGE);
}

int script_plan(const struct script_request *rq, struct script_result *ret, struct err *e)
{
	struct script *script;
	int r;

	if (script_start(&script, rq, e) < 0)
		return e->code;
	r = script_serve(script, &ret->plan, e);
	if (!r) {
		ret->files = take_ptr(script->files);
		ret->n_files = script->n_files;
		script->n_files = 0;
	}
	script_end(script);
	return r;
}

void script_result_clear(struct script_result *result)
{
	free(result->plan);
	files_free(result->files, result->n_files);
	*result = (struct script_result) { 0 };
}

int script_reference(char **ret, struct err *e)
{
	struct script *script;
	int r;

	if (script_start(&script, NULL, e) < 0)
		return e->code;
	r = script_serve(script, ret, e);
	script_end(script);
	return r;
}

int script_start_tests(struct script **ret, const struct script_request *rq, const char *plan,
		       struct err *e)
{
	autofree char *text = NULL;
	struct script *script;

	if (script_start(&script, rq, e) < 0)
		return e->code;
	if (script_serve(script, &text, e) == 0 && strcmp(text, plan))
		err_set(e, "the recipe gives another plan at its second run, for its tests");
	if (e->code < 0) {
		script_end(script);
		return e->code;
	}
	*ret = script;
	return 0;
}
