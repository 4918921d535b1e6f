#include "engine/status_line.h"

#include "base/clock.h"
#include "base/units.h"

static uint64_t status_elapsed(const struct board *board)
{
	return board->armed ? (clock_boot() - board->armed) / NS_PER_S : 0;
}

static void status_condition(FILE *out, const struct condition *c, const struct progress *progress)
{
	fprintf(out, "%s", c->name);
	if (*progress->fault)
		fputs(" OFF", out);
	else if (c->hits > 1 && c->within)
		fprintf(out, " %llu seen, %llu in %s fire", (unsigned long long)progress->seen,
			(unsigned long long)c->hits, duration_text(c->within).text);
	else if (c->hits > 1)
		fprintf(out, " %llu of %llu", (unsigned long long)progress->seen,
			(unsigned long long)c->hits);
	else if (*progress->near)
		fprintf(out, " %.*s", (int)sizeof(progress->near) - 1, progress->near);
	else if (!progress->seen)
		fprintf(out, " not yet");
	if (c->hits > 1 && progress->last)
		fprintf(out, ", last %llu s ago",
			(unsigned long long)((clock_boot() - progress->last) / NS_PER_S));
}

void status_line(FILE *out, const struct board *board, const struct plan *plan)
{
	uint64_t elapsed = status_elapsed(board), lost = 0;

	fprintf(out, "%s %02llu:%02llu:%02llu", stage_text(board->stage),
		(unsigned long long)elapsed / 3600, (unsigned long long)elapsed / 60 % 60,
		(unsigned long long)elapsed % 60);
	for (size_t i = 0; i < plan->n_sources; i++) {
		const struct stats *stats = &board->sources[i];

		lost += stats->lost;
		if (stats->records && plan->sources[i].ops != &watched_source)
			fprintf(out, " | %s %llu (%llu/s)", plan->sources[i].name,
				(unsigned long long)stats->records,
				(unsigned long long)stats->rate);
	}
	if (lost)
		fprintf(out, " | LOST %llu", (unsigned long long)lost);
	for (size_t i = 0; i < plan->n_conditions; i++) {
		fputs(" | ", out);
		status_condition(out, &plan->conditions[i], &board->conditions[i]);
	}
}

void status_page(FILE *out, const struct board *board, const struct plan *plan)
{
	status_line(out, board, plan);
	fputc('\n', out);
	for (size_t i = 0; i < plan->n_sources; i++) {
		const struct stats *stats = &board->sources[i];

		fprintf(out, "  source %s: %llu records, %s, %llu lost\n", plan->sources[i].name,
			(unsigned long long)stats->records, size_about(stats->bytes).text,
			(unsigned long long)stats->lost);
	}
	for (size_t i = 0; i < plan->n_conditions; i++) {
		fputs("  stop ", out);
		status_condition(out, &plan->conditions[i], &board->conditions[i]);
		fprintf(out, " (tier %d)\n", condition_tier(&plan->conditions[i]));
		if (*board->conditions[i].fault)
			fprintf(out, "    %s\n", board->conditions[i].fault);
	}
}
