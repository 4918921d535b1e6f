/* What 10 million obligations leave in memory: memory RECIPE.lua
 *
 * The recipe has one t.expect within 100ms on an event with a key. It is shown an `on` each
 * microsecond, and 30 ms later the `need` of the same key, but for one in fifty and for those of a
 * stall in each million, in which more wait for their deadline than there is room for. Prints a
 * line after 1 and after 10 million: the obligations, the process's RSS and PSS in KiB, how many
 * were not met, and what the status says of the condition. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/io.h"
#include "condition/judge.h"
#include "prepare/prepare.h"

#define NEED_AFTER 30000 /* obligations, of a microsecond each */
#define UNMET_OF 50
#define STALL_FROM 500000 /* in each million */
#define STALL_TO 560000
#define MILLION 1000000

struct scene {
	struct prepared p;
	struct progress progress[BOARD_MAX];
	struct judge *judge;
	uint64_t unmet;
};

static void scene_fired(void *arg, const struct verdict *verdict)
{
	(void)verdict;
	((struct scene *)arg)->unmet++;
}

static int scene_open(struct scene *s, const char *recipe, struct err *e)
{
	const struct options options = { 0 };

	if (prepare(&s->p, &options, &recipe, 1, e) < 0)
		return e->code;
	if (s->p.plan->n_conditions != 1 || s->p.plan->n_selectors != 2 ||
	    !s->p.plan->selectors[0]->format || !s->p.plan->selectors[1]->format)
		return err_set(e, "the recipe has to have one t.expect on events");
	if (judge_create(&s->judge, s->p.plan->conditions, 1, s->progress, e) < 0)
		return e->code;
	return judge_begin(s->judge, 0, 0, scene_fired, s, e);
}

/* An event for the condition's selector PART, with NUMBER in all its fields but the kernel's own.
 */
static void scene_see(struct scene *s, unsigned part, uint64_t time, uint64_t number)
{
	const struct selector *selector = &s->p.plan->conditions[0].selectors[part];
	uint8_t record[256] = { 0 };
	const struct observation o = {
		.time = time, .pid = 1, .data = record, .size = sizeof(record)
	};

	for (size_t i = 0; i < selector->format->n_fields; i++) {
		const struct field *field = &selector->format->fields[i];

		if (strncmp(field->name, "common_", 7) &&
		    field->offset + sizeof(number) <= sizeof(record))
			memcpy(record + field->offset, &number, sizeof(number));
	}
	judge_see(s->judge, selector, &o);
}

/* Adds up the lines of NAME in smaps_rollup, which counts pages and not what a CPU has noted. */
static unsigned long kib_of(const char *name)
{
	autofree char *text = NULL;
	struct err e = ERR_INIT;
	const char *line;

	if (io_read_file(AT_FDCWD, "/proc/self/smaps_rollup", 1 << 16, &text, NULL, &e) < 0)
		return 0;
	line = strstr(text, name);
	return line ? strtoul(line + strlen(name), NULL, 10) : 0;
}

static void scene_print(struct scene *s, uint64_t n)
{
	judge_tell(s->judge);
	printf("%llu %lu %lu %llu %s\n", (unsigned long long)n, kib_of("\nRss:"), kib_of("\nPss:"),
	       (unsigned long long)s->unmet, s->progress[0].near);
}

static bool is_met(uint64_t n)
{
	return n % UNMET_OF && (n % MILLION < STALL_FROM || n % MILLION >= STALL_TO);
}

static void scene_run(struct scene *s)
{
	for (uint64_t n = 1; n <= 10 * MILLION; n++) {
		uint64_t time = n * 1000;

		scene_see(s, 0, time, n);
		if (n > NEED_AFTER && is_met(n - NEED_AFTER))
			scene_see(s, 1, time, n - NEED_AFTER);
		if (n == MILLION || n == 10 * MILLION)
			scene_print(s, n);
	}
}

int main(int argc, char **argv)
{
	static struct scene scene;
	struct err e = ERR_INIT;

	if (argc != 2)
		return fprintf(stderr, "it is called with: RECIPE.lua\n"), 2;
	if (scene_open(&scene, argv[1], &e) < 0)
		return fprintf(stderr, "memory: %s\n", e.text), 1;
	scene_run(&scene);
	judge_free(scene.judge);
	prepared_clear(&scene.p);
	return 0;
}
