/* What a command prints (exec.h): only where the user has allowed it. */
#include <string.h>

#include "base/auto.h"
#include "base/units.h"
#include "reader/exec.h"
#include "source/taken.h"

#define EXEC_DEADLINE_MAX (600 * NS_PER_S)

static const struct taken_kind exec_kind = {
	.what = "commands",
	.dir = "commands",
	.op = READER_COMMAND,
	.reader = READER_OF_COMMANDS,
	.helpers = 2,
	.expected = 16384,
};

static int exec_decode(struct source *s, struct err *e)
{
	static const struct taken_word words[] = {
		{ "argv", JSON_ARRAY },
		{ "deadline", JSON_INTEGER },
	};

	const json_t *argv = json_object_get(s->spec, "argv");
	const json_t *deadline = json_object_get(s->spec, "deadline");

	if (taken_decode(s, &exec_kind, e) < 0)
		return e->code;
	if (!json_is_string(json_array_get(argv, 0)))
		return err_set(e, "a command has a name");
	if (!json_is_integer(deadline) ||
	    json_integer_value(deadline) > (json_int_t)EXEC_DEADLINE_MAX)
		return err_set(e, "a command has a deadline, of %s at most",
			       duration_text(EXEC_DEADLINE_MAX).text);
	return taken_add_query(s, words, countof(words), e);
}

static int exec_probe(struct source *s, struct cost *cost, struct err *e)
{
	const json_t *argv = json_object_get(s->spec, "argv");
	const char *program = json_string_value(json_array_get(argv, 0));

	if (!taken_field(program + strcspn(program, "{")) && !exec_is_there(program)) {
		err_set(e, "this host has no program '%s'%s", program,
			strchr(program, ' ') ? "; each argument is a text of its own" : "");
		return err_exit(e, EXIT_HOST);
	}
	return taken_probe(s, cost, e);
}

const struct source_ops exec_source = {
	.type = "exec",
	.decode = exec_decode,
	.probe = exec_probe,
	.arm = taken_arm,
	.live = taken_live,
	.save = taken_save,
	.free = taken_free,
};
