/* tracer status: the captures that run here, and what was left behind. */
#include <fcntl.h>
#include <jansson.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/io.h"
#include "capture/board.h"
#include "capture/state.h"
#include "command/command.h"
#include "engine/status_line.h"
#include "plan/plan.h"

struct status_view {
	struct board *board;
	struct plan *plan;
};

static void status_close(struct status_view *view)
{
	board_close(view->board);
	plan_free(view->plan);
}

static int status_open(struct status_view *view, const char *path, struct err *e)
{
	autoclose int dir = io_open_dir(AT_FDCWD, path, e);
	autofree char *text = NULL;

	*view = (struct status_view) { 0 };
	if (dir < 0 || io_read_file(dir, "recipe/plan.json", 16 << 20, &text, NULL, e) < 0 ||
	    plan_parse(&view->plan, text, e) < 0 || board_open(&view->board, dir, e) < 0) {
		status_close(view);
		*view = (struct status_view) { 0 };
		return e->code;
	}
	return 0;
}

static json_t *status_json(const struct state_entry *entry, const struct status_view *view)
{
	json_t *json = json_pack("{s:s, s:b}", "id", entry->id, "alive", entry->alive);
	json_t *list = json_array();

	json_object_set_new(json, "sources", list);
	for (size_t i = 0; view->plan && i < view->plan->n_sources; i++) {
		const struct stats *stats = &view->board->sources[i];

		json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:I, s:I}", "name",
						      view->plan->sources[i].name, "records",
						      (json_int_t)stats->records, "bytes",
						      (json_int_t)stats->bytes, "overwritten",
						      (json_int_t)stats->overwritten, "lost",
						      (json_int_t)stats->lost));
	}
	if (view->plan) {
		json_object_set_new(json, "recipe", json_string(view->plan->name));
		json_object_set_new(json, "stage", json_string(stage_text(view->board->stage)));
	}
	return json;
}

static void status_show(const struct state_entry *entry, json_t *json)
{
	struct status_view view;
	struct err e = ERR_INIT;
	int r = status_open(&view, entry->path, &e);

	if (json) {
		json_array_append_new(json, status_json(entry, &view));
	} else if (!entry->alive) {
		printf("%s was interrupted: `tracer recover %s` saves what it has recorded and "
		       "cleans up\n",
		       entry->id, entry->id);
	} else if (r == -ENOENT) {
		printf("%s is starting\n", entry->id);
	} else if (r < 0) {
		printf("%s runs, and cannot be looked into: %s\n", entry->id, e.text);
	} else {
		printf("%s %s: ", entry->id, view.plan->name);
		status_page(stdout, view.board, view.plan);
	}
	if (r == 0)
		status_close(&view);
}

static int status_run(const struct options *options, const char **words, int n_words, struct err *e)
{
	autofree struct state_entry *list = NULL;
	autojson json_t *json = options->json ? json_array() : NULL;
	size_t n;

	(void)words;
	(void)n_words;
	if (geteuid() != 0) {
		err_set(e, "only root can see captures: run it with sudo");
		return err_exit(e, EXIT_HOST);
	}
	if (state_list(&list, &n, e) < 0)
		return e->code;
	for (size_t i = 0; i < n; i++)
		status_show(&list[i], json);
	if (json) {
		json_dumpf(json, stdout, JSON_INDENT(2));
		putchar('\n');
	} else if (!n) {
		puts("no capture runs here, and nothing was left behind");
	}
	return 0;
}

const struct command status_command = {
	.name = "status",
	.words = "",
	.help = "the captures that run here, and what was left behind",
	.run = status_run,
};
