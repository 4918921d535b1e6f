/* tracer check: one page for a change ticket. Nothing is started. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/units.h"
#include "bundle/manifest.h"
#include "capture/state.h"
#include "command/check.h"
#include "command/command.h"
#include "log/freezes.h"
#include "prepare/prepare.h"
#include "selector/packet.h"
#include "selector/reading.h"
#include "source/ftrace_plan.h"
#include "trace/eventstream.h"
#include "watch/packetstream.h"

#define MANY_EVENTS 100000 /* a second: what a busy host makes of sched and system calls */
#define EVENT_BYTES 40     /* that one of those takes in a ring */

/* What is only known once the probe is there. */
static const char *check_unread(const struct probe *probe, const char *filter)
{
	return probe && filter ? " (the kernel checks this filter when it is armed)" : "";
}

static void check_fetch(const struct probe *probe)
{
	size_t i;
	json_t *argument;

	json_array_foreach (probe ? probe->fetch : NULL, i, argument)
		printf("      %s %s\n", i ? "    and" : "SENSITIVE: with",
		       json_string_value(argument));
}

static void check_events(const struct ftrace *f)
{
	for (size_t i = 0; i < f->n_events; i++) {
		const struct ftrace_event *event = &f->events[i];

		printf("      %s:%s%s%s%s%s\n", event->system, event->name,
		       event->filter ? " if " : "", event->filter ? event->filter : "",
		       check_unread(event->probe, event->filter),
		       event->stack ? ", with kernel stack" : "");
		check_fetch(event->probe);
	}
}

static void check_list(const char *what, const json_t *list)
{
	size_t i;
	json_t *item;

	if (!json_array_size(list))
		return;
	printf("      %s:", what);
	json_array_foreach (list, i, item) {
		if (json_is_integer(item))
			printf(" %lld", (long long)json_integer_value(item));
		else
			printf(" %s", json_string_value(item));
	}
	putchar('\n');
}

static void check_packets(const json_t *spec)
{
	static const char *const lists[] = { "host", "src", "dst", "port" };
	static const char *const texts[] = { "tcp", "filter", "interface" };
	json_int_t payload = json_integer_value(json_object_get(spec, "payload"));

	for (size_t i = 0; i < countof(lists); i++)
		check_list(lists[i], json_object_get(spec, lists[i]));
	for (size_t i = 0; i < countof(texts); i++)
		if (json_object_get(spec, texts[i]))
			printf("      %s: %s\n", texts[i],
			       json_string_value(json_object_get(spec, texts[i])));
	if (payload)
		printf("      SENSITIVE: the first %lld bytes of each packet\n",
		       (long long)payload);
	else
		puts("      SENSITIVE: whole packets");
}

static void check_when(const json_t *spec)
{
	bool start = json_is_true(json_object_get(spec, "start")),
	     stop = json_is_true(json_object_get(spec, "stop"));

	if (json_object_get(spec, "every"))
		printf("      each %s\n",
		       duration_text(json_integer_value(json_object_get(spec, "every"))).text);
	if (start || stop)
		printf("      at%s%s%s\n", start ? " the start" : "", start && stop ? " and" : "",
		       stop ? " the stop" : "");
}

static void check_paths(const json_t *spec)
{
	size_t i;
	json_t *path;

	json_array_foreach (json_object_get(spec, "paths"), i, path)
		printf("      %s%s\n", json_string_value(json_object_get(path, "path")),
		       json_is_true(json_object_get(path, "optional")) ? " (if it is there)" : "");
	check_when(spec);
}

static void check_text(const char *what, const json_t *spec)
{
	if (json_object_get(spec, what))
		printf("      %s: %s\n", what, json_string_value(json_object_get(spec, what)));
}

static void check_log(const json_t *spec)
{
	const char *log = json_string_value(json_object_get(spec, "log"));

	if (!strcmp(log, FREEZES_LOG)) {
		puts("      SENSITIVE: who freezes and thaws file systems, and their mounts");
		return;
	}
	printf("      SENSITIVE: the lines of %s%s\n",
	       !strcmp(log, "kernel")    ? "the kernel's log"
	       : !strcmp(log, "journal") ? "the journal"
					 : log,
	       strcmp(log, "kernel") ? ", from the start on" : "");
}

static void check_tasks(const json_t *spec)
{
	check_text("cgroup", spec);
	check_text("state", spec);
	puts("      SENSITIVE: names of commands, and paths of the files that they have open");
	check_when(spec);
}

static void check_sockets(const json_t *spec)
{
	check_list("host", json_object_get(spec, "host"));
	check_list("port", json_object_get(spec, "port"));
	check_text("protocol", spec);
	puts("      SENSITIVE: addresses of peers");
	check_when(spec);
}

static void check_exec(const json_t *spec)
{
	size_t i;
	json_t *word;

	printf("      RUNS, as root:");
	json_array_foreach (json_object_get(spec, "argv"), i, word) {
		const char *text = json_string_value(word);
		bool plain = *text && !strpbrk(text, " \"'\\$*?[](){}<>|&;~#`!");

		fputs(plain ? " " : " \"", stdout);
		for (; *text; text++)
			printf(strchr("\"\\", *text) ? "\\%c" : "%c", *text);
		fputs(plain ? "" : "\"", stdout);
	}
	putchar('\n');
	printf("      killed after %s; with --allow-exec only\n",
	       duration_text(json_integer_value(json_object_get(spec, "deadline"))).text);
	puts("      SENSITIVE: all that it prints");
	check_when(spec);
}

/* As the recipe calls it. */
static const char *check_type(const struct source *s)
{
	if (s->ops == &ftrace_source && !strcmp(ftrace_dir(s), "syscalls"))
		return "syscalls";
	return s->ops == &textlog_source ? log_source.type : s->ops->type;
}

static void check_source(const struct source *s)
{
	static const struct {
		const struct source_ops *ops;
		void (*show)(const json_t *spec);
	} shown[] = {
		{ &packets_source, check_packets }, { &files_source, check_paths },
		{ &tasks_source, check_tasks },     { &sockets_source, check_sockets },
		{ &exec_source, check_exec },       { &log_source, check_log },
		{ &textlog_source, check_log },
	};

	if (s->ops == &watched_source)
		printf("  %-16s what the conditions look at, kept for a replay: %s in the kernel, "
		       "%s on "
		       "tmpfs\n",
		       s->name, size_about(s->cost.kernel_bytes).text,
		       size_about(s->cost.tmpfs_bytes).text);
	else
		printf("  %-16s t.%s (%s): %s in the kernel, %s on tmpfs\n", s->name, check_type(s),
		       s->at, size_about(s->cost.kernel_bytes).text,
		       size_about(s->cost.tmpfs_bytes).text);
	check_list("pids", json_object_get(s->spec, "pids"));
	check_list("pid", json_object_get(s->spec, "pid"));
	check_list("comm", json_object_get(s->spec, "comm"));
	for (size_t i = 0; i < countof(shown); i++)
		if (shown[i].ops == s->ops)
			shown[i].show(s->spec);
	if (s->ops == &ftrace_source)
		check_events(s->data);
}

static void check_packet_selector(const struct packet_selector *packet)
{
	printf("packets of %s%s%s, up to %u bytes of each\n", packet->interface,
	       *packet->filter ? ": " : "", packet->filter, packet->snaplen);
}

static void check_reading(const struct reading_selector *reading)
{
	if (reading->kind == READING_PRESSURE)
		printf("%s, by the kernel's trigger \"%s\"\n", reading->path, reading->trigger);
	else
		printf("%s, every %s\n", reading->path, duration_text(reading->every).text);
}

/* ROLE is what it is to its condition, "" if there is just one. */
static void check_selector(const struct selector *s, const char *role)
{
	const char *unread = json_string_value(json_object_get(s->spec, "filter"));
	autofree char *filter = s->filter ? filter_text(s->filter) : NULL;

	if (*role)
		printf("      %-7s ", role);
	if (s->ops->stream == STREAM_PACKETS)
		check_packet_selector(s->data);
	else if (s->ops->stream == STREAM_READINGS)
		check_reading(s->data);
	else if (s->probe)
		printf("%s%s%s%s\n", s->probe->event, unread ? " if " : "", unread ? unread : "",
		       check_unread(s->probe, unread));
	else
		printf("%s:%s%s%s\n", s->format->system, s->format->name, filter ? " if " : "",
		       filter ? filter : "");
	check_fetch(s->probe);
}

static bool check_follows_pids(const struct plan *plan)
{
	for (size_t i = 0; i < plan->n_sources; i++)
		if (json_array_size(json_object_get(plan->sources[i].spec, "pids")))
			return true;
	return false;
}

/* What it looks for, and all that it is made of. */
static void check_what(const struct condition *c, int depth)
{
	printf("%*s'%s' (%s): ", depth * 2, "", c->name, c->at);
	if (c->ops->explain) {
		c->ops->explain(c, stdout);
		putchar('\n');
	}
	for (size_t i = 0; i < c->n_selectors; i++)
		check_selector(&c->selectors[i], !c->ops->explain ? ""
						 : c->ops->roles  ? c->ops->roles[i]
								  : "of");
	for (size_t i = 0; i < c->n_parts; i++)
		check_what(&c->parts[i], depth + 2);
}

static int check_every(void *arg, struct condition *c)
{
	uint64_t *every = arg;

	for (size_t i = 0; i < c->n_selectors; i++) {
		const struct reading_selector *reading = c->selectors[i].data;

		/* who is looked for is known before */
		if (c->selectors[i].ops->stream == STREAM_READINGS &&
		    reading->kind != READING_MEMBERS && reading->every > *every)
			*every = reading->every;
	}
	return 0;
}

uint64_t check_lateness(const struct plan *plan, const struct condition *c)
{
	uint64_t every = 0, delay = EVENTSTREAM_DELAY;

	for (size_t i = 0; i < plan->n_selectors; i++)
		if (plan->selectors[i]->ops->stream == STREAM_PACKETS)
			delay = packetstream_delay();
	condition_each((struct condition *)c, check_every, &every);
	return every + delay + NS_PER_MS;
}

static void check_condition(const struct plan *plan, const struct condition *c)
{
	check_what(c, 1);
	if (c->hits > 1)
		printf("      at hit %llu%s%s\n", (unsigned long long)c->hits,
		       c->within ? " within " : "", c->within ? duration_text(c->within).text : "");
	if (condition_tier(c) == 1)
		printf("      tier 1: decided in the kernel, at the event%s\n",
		       check_follows_pids(plan) ? "; a ring with pids ends up to 1 ms later if the "
						  "task is not among them"
						: "");
	else
		printf("      tier %d: decided by %s, up to %s later, since %s\n",
		       condition_tier(c),
		       condition_has_test(c)
			       ? "the recipe's test, in a process that can only compute"
			       : "tracer",
		       duration_about(check_lateness(plan, c)).text, condition_why(c));
}

/* For how long the rings reach back at a high rate. What is decided later has used up as much. */
static void check_history(const struct plan *plan)
{
	for (size_t i = 0; i < plan->n_sources; i++) {
		const struct source *s = &plan->sources[i];
		double events = (double)s->cost.ring_bytes / EVENT_BYTES;

		if (s->ops == &ftrace_source)
			printf("  then '%s' reaches back over %s at %d,000 events/s; --measure 10s "
			       "tells "
			       "for this host's load\n",
			       s->name, duration_about(events / MANY_EVENTS * NS_PER_S).text,
			       MANY_EVENTS / 1000);
	}
}

static void check_ends(const struct prepared *p)
{
	autofree char *ends = prepared_ends(p);

	printf("\nWhat ends it: %s\n", ends ? ends : "");
	for (size_t i = 0; i < p->plan->n_conditions; i++)
		check_condition(p->plan, &p->plan->conditions[i]);
	if (p->plan->max_bundles > 1)
		printf("  then it begins anew, until it has made %llu bundles%s%s%s%s\n",
		       (unsigned long long)p->plan->max_bundles,
		       p->plan->cooldown ? "; it waits between them: " : "",
		       p->plan->cooldown ? duration_text(p->plan->cooldown).text : "",
		       p->plan->max_disk ? "; together they take at most " : "",
		       p->plan->max_disk ? size_text(p->plan->max_disk).text : "");
	if (p->plan->n_conditions)
		check_history(p->plan);
	if (p->plan->post)
		printf("  it goes on for %s after the event\n", duration_text(p->plan->post).text);
}

static void check_probe(const struct probe *probe)
{
	if (probe->state == PROBE_FOUND)
		printf("      %s: a breakpoint%s\n", probe->event,
		       strncmp(probe->event, "uprobe:", 7) ? "" : " in every process that runs it");
}

static bool check_runs(const struct plan *plan)
{
	for (size_t i = 0; i < plan->n_sources; i++)
		if (plan->sources[i].ops == &exec_source)
			return true;
	return false;
}

/* Also what it promises then. */
static void check_freeze(const struct prepared *p)
{
	if (!p->plan->fsfreeze_safe)
		return;
	puts("\nAround a freeze: from the start until the thaw it opens nothing but proc, sysfs, "
	     "tracefs and tmpfs, forks\n"
	     "nothing, and has its memory locked; a bundle that goes to a disk is written when "
	     "nothing is frozen");
	for (const char *line = p->conflicts; line && *line; line = strchr(line, '\n') + 1)
		printf("  %.*s\n", (int)strcspn(line, "\n"), line);
}

static void check_changes(const struct prepared *p)
{
	printf("\nWhat it changes, and undoes: trace instances tracer-ID-* in the kernel; "
	       "saved_cmdlines_size, if it is below\n"
	       "4096%s\n",
	       p->plan->probes.n
		       ? "; events tracer_ID:*, which others see too, for these, if they are there:"
		       : "");
	for (size_t i = 0; i < p->plan->probes.n; i++)
		check_probe(&p->plan->probes.list[i]);
	printf("What it runs: %s; its own processes, most of them as nobody\n",
	       check_runs(p->plan) ? "the commands above, as root" : "no program");
	if (p->recording) {
		printf("Checked against the events of %s, kernel %s, of which that bundle tells; "
		       "its "
		       "files, interfaces, memory and disk are not known\n",
		       manifest_text(json_object_get(p->recording->manifest, "host"), "hostname"),
		       recording_kernel(p->recording));
		return;
	}
	printf("What it keeps in memory: %s in the kernel, %s on tmpfs (allowed: %s in all)\n",
	       size_about(p->cost.kernel_bytes).text, size_about(p->cost.tmpfs_bytes).text,
	       size_about(p->memory_limit).text);
	printf("What it writes: nothing to a disk until it stops; then at most %s in '%s'\n",
	       size_about(p->cost.output_bytes * 2).text, p->outdir);
}

static void check_page(const struct prepared *p)
{
	printf("%s: %s\n\nWhat it reads\n", p->plan->name,
	       p->plan->question ? p->plan->question : "");
	for (size_t i = 0; i < p->plan->n_sources; i++)
		check_source(&p->plan->sources[i]);
	check_ends(p);
	check_freeze(p);
	check_changes(p);
	printf("\nPlan %s\n", p->plan->sha256);
}

static int check_host(struct prepared *p, const struct options *options, const char **words,
		      int n_words, struct err *e)
{
	struct recording *recording;

	if (recording_open(&recording, options->host, e) < 0)
		return e->code;
	return prepare_for_host(p, options, recording, words, n_words, e);
}

static int check_try(struct prepared *p, const struct options *options, const char **words,
		     int n_words, struct err *e)
{
	if (prepare_allowed(p->plan, options, e) < 0)
		return e->code;
	fflush(stdout);
	return check_measure(p, options, words, n_words, e);
}

static int check_run(const struct options *options, const char **words, int n_words, struct err *e)
{
	struct prepared p;
	int r = 0;

	state_tell_interrupted();
	if (options->host && options->measure) {
		err_set(e, "a trial is of this host: --measure does not go with --host");
		return err_exit(e, EXIT_USAGE);
	}
	if (options->host ? check_host(&p, options, words, n_words, e) < 0
			  : prepare(&p, options, words, n_words, e) < 0)
		return e->code;
	if (options->json && !options->measure)
		puts(p.plan->text);
	else if (!options->json)
		check_page(&p);
	if (options->measure)
		r = check_try(&p, options, words, n_words, e);
	prepared_clear(&p);
	return r;
}

const struct command check_command = {
	.name = "check",
	.words = "RECIPE [ARG...]",
	.help = "what a recipe would read, keep, change and write; starts nothing without "
		"--measure",
	.min_words = 1,
	.max_words = -1,
	.run = check_run,
};
