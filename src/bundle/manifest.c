#include "bundle/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/io.h"
#include "base/text.h"
#include "base/version.h"
#include "bundle/tree.h"
#include "plan/plan.h"

json_int_t manifest_int(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

const char *manifest_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static json_t *manifest_string(const char *text)
{
	autofree char *escaped = text_json(text);

	return json_string(escaped ? escaped : "");
}

static json_t *manifest_time(uint64_t boot, const struct anchor *a)
{
	uint64_t wall = anchor_wall(a, boot);

	return json_pack("{s:I, s:I, s:s}", "boot", (json_int_t)boot, "wall", (json_int_t)wall,
			 "utc", clock_utc(wall).text);
}

static json_t *manifest_host(const struct output *output)
{
	struct utsname uts;

	uname(&uts);
	return json_pack("{s:s, s:s, s:s, s:s, s:i}", "hostname", output->about->hostname, "kernel",
			 uts.release, "version", uts.version, "machine", uts.machine, "cpus",
			 (int)sysconf(_SC_NPROCESSORS_ONLN));
}

static json_t *manifest_recipe(const struct output *output)
{
	const struct plan *plan = output->capture->plan;

	return json_pack("{s:s, s:s, s:s, s:O?, s:O?}", "name", plan->name, "question",
			 plan->question ? plan->question : "", "plan_sha256", plan->sha256, "args",
			 json_object_get(plan->json, "args"), "arguments",
			 json_object_get(output->about->json, "arguments"));
}

static json_t *manifest_clocks(const struct anchor *anchors, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "boot",
						      (json_int_t)anchors[i].boot, "wall",
						      (json_int_t)anchors[i].wall_ns, "monotonic",
						      (json_int_t)anchors[i].mono_ns, "tai",
						      (json_int_t)anchors[i].tai_ns, "printk",
						      (json_int_t)anchors[i].printk_ns, "width",
						      (json_int_t)anchors[i].width));
	return json_pack("{s:s, s:o}", "unit", "ns", "anchors", list);
}

static json_t *manifest_stop(const struct output *output, const struct anchor *a)
{
	const struct stop_record *stop = stop_get(output->capture->stop);
	const struct plan *plan = output->capture->plan;
	json_t *json = json_pack("{s:o, s:o, s:o, s:b}", "event", manifest_time(stop->event, a),
				 "cut", manifest_time(stop->cut, a), "text",
				 manifest_string(stop->text), "certain", !stop->uncertain);

	if (stop->by == STOP_CONDITION && stop->condition < plan->n_conditions) {
		const struct condition *c = &plan->conditions[stop->condition];

		json_object_set_new(json, "condition", json_string(c->name));
		json_object_set_new(json, "at", json_string(c->at));
		json_object_set_new(json, "tier", json_integer(condition_tier(c)));
		if (stop->drill)
			json_object_set_new(json, "drill", json_true());
	}
	if (stop->cpu != UINT32_MAX)
		json_object_set_new(json, "cpu", json_integer(stop->cpu));
	if (stop->pid >= 0) {
		json_object_set_new(json, "pid", json_integer(stop->pid));
		json_object_set_new(json, "comm", manifest_string(stop->comm));
	}
	return json;
}

static json_t *manifest_holes(const struct report *report)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < report->n_holes && i < countof(report->holes); i++) {
		const struct hole *hole = &report->holes[i];

		json_array_append_new(
			list, json_pack("{s:o, s:I, s:I, s:I}", "what", manifest_string(hole->what),
					"from", (json_int_t)hole->from, "to", (json_int_t)hole->to,
					"count", (json_int_t)hole->count));
	}
	return list;
}

static json_t *manifest_source(const struct source *s, const struct report *report)
{
	json_t *wanted = json_object();
	json_t *json;

	if (json_object_get(s->spec, "keep"))
		json_object_set(wanted, "bytes", json_object_get(s->spec, "keep"));
	if (json_object_get(s->spec, "keep_ns"))
		json_object_set(wanted, "ns", json_object_get(s->spec, "keep_ns"));
	json = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "name", s->name,
			 "type", s->ops->type, "at", s->at, "outcome",
			 outcome_text(report->outcome), "records", (json_int_t)report->records,
			 "bytes", (json_int_t)report->bytes, "overwritten",
			 (json_int_t)report->overwritten, "lost", (json_int_t)report->lost,
			 "wanted", wanted, "got",
			 json_pack("{s:I, s:I}", "from", (json_int_t)report->from, "to",
				   (json_int_t)report->to),
			 "holes", manifest_holes(report));
	if (report->note[0])
		json_object_set_new(json, "note", manifest_string(report->note));
	return json;
}

static json_t *manifest_sources(const struct plan *plan, const struct report *reports)
{
	json_t *list = json_array();

	for (size_t i = 0; i < plan->n_sources; i++)
		json_array_append_new(list, manifest_source(&plan->sources[i], &reports[i]));
	return list;
}

static json_t *manifest_condition(const struct condition *c, const struct progress *progress)
{
	json_t *json = json_pack("{s:s, s:s, s:i, s:I}", "name", c->name, "at", c->at, "tier",
				 condition_tier(c), "seen", (json_int_t)progress->seen);

	if (progress->last)
		json_object_set_new(json, "last", json_integer(progress->last));
	if (*progress->fault)
		json_object_set_new(json, "fault", manifest_string(progress->fault));
	return json;
}

static json_t *manifest_conditions(const struct plan *plan, const struct board *board)
{
	json_t *list = json_array();

	for (size_t i = 0; i < plan->n_conditions; i++)
		json_array_append_new(
			list, manifest_condition(&plan->conditions[i], &board->conditions[i]));
	return list;
}

int manifest_make(json_t **ret, const struct output *output, const struct report *reports,
		  const struct anchor *anchors, size_t n_anchors, struct err *e)
{
	const struct capture *c = output->capture;
	const struct stop_record *stop = stop_get(c->stop);
	const struct anchor *last = &anchors[n_anchors - 1];

	*ret = json_pack("{s:i, s:s, s:s, s:s, s:s, s:b}", "schema", 1, "tracer", TRACER_VERSION,
			 "id", c->state->id, "bundle", output->name, "ended_by",
			 stop_by_text(stop->by), "whole", c->board->whole);
	if (!*ret)
		return err_set(e, "no memory for the manifest");
	json_object_set_new(*ret, "recipe", manifest_recipe(output));
	json_object_set_new(*ret, "host", manifest_host(output));
	json_object_set_new(*ret, "clocks", manifest_clocks(anchors, n_anchors));
	json_object_set_new(*ret, "started", manifest_time(c->board->armed, last));
	json_object_set_new(*ret, "stop", manifest_stop(output, last));
	json_object_set_new(*ret, "conditions", manifest_conditions(c->plan, c->board));
	json_object_set_new(*ret, "sources", manifest_sources(c->plan, reports));
	return 0;
}

int manifest_read(json_t **ret, int bundledir, struct err *e)
{
	autofree char *text = NULL;

	if (io_read_file(bundledir, "manifest.json", 64 << 20, &text, NULL, e) < 0)
		return e->code;
	*ret = json_loads(text, 0, NULL);
	if (*ret && manifest_int(*ret, "schema") == 1)
		return 0;
	json_decref(*ret);
	return err_set(e, "manifest.json is not a manifest that this version can read");
}

int manifest_anchors(const json_t *manifest, struct anchor **ret, size_t *n, struct err *e)
{
	const json_t *list = json_object_get(json_object_get(manifest, "clocks"), "anchors");
	struct anchor *anchors = calloc(json_array_size(list) + 1, sizeof(*anchors));
	size_t i;
	json_t *anchor;

	if (!anchors)
		return err_set(e, "no memory");
	json_array_foreach (list, i, anchor) {
		anchors[i].boot = manifest_int(anchor, "boot");
		anchors[i].wall_ns = manifest_int(anchor, "wall");
	}
	*ret = anchors;
	*n = json_array_size(list);
	return *n ? 0 : err_set(e, "the manifest has no clocks");
}

int manifest_write(const json_t *manifest, int bundledir, struct err *e)
{
	autofree char *text = json_dumps(manifest, JSON_INDENT(2));

	if (!text)
		return err_set(e, "no memory for the manifest");
	unlinkat(bundledir, "manifest.json.new", 0);
	if (io_create_file(bundledir, "manifest.json.new", text, strlen(text), e) < 0)
		return e->code;
	if (renameat(bundledir, "manifest.json.new", bundledir, "manifest.json") < 0)
		return err_sys(e, "cannot replace manifest.json");
	return 0;
}

static int manifest_hash(int fd, char hex[65], uint64_t *size, struct err *e)
{
	unsigned char hash[crypto_hash_sha256_BYTES];
	crypto_hash_sha256_state state;
	static unsigned char block[1 << 16];
	ssize_t n;

	*size = 0;
	crypto_hash_sha256_init(&state);
	while ((n = read(fd, block, sizeof(block))) > 0) {
		crypto_hash_sha256_update(&state, block, n);
		*size += n;
	}
	if (n < 0)
		return err_sys(e, "cannot read it back");
	crypto_hash_sha256_final(&state, hash);
	sodium_bin2hex(hex, 65, hash, sizeof(hash));
	return 0;
}

static int manifest_add_file(void *arg, int dirfd, const char *path, struct err *e)
{
	autoclose int fd = openat(dirfd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	json_t *files = arg;
	uint64_t size;
	char hex[65];

	if (!strcmp(path, "manifest.json"))
		return 0;
	if (fd < 0)
		return err_sys(e, "cannot read '%s'", path);
	if (manifest_hash(fd, hex, &size, e) < 0)
		return err_wrap(e, "'%s'", path);
	json_array_append_new(files, json_pack("{s:o, s:I, s:s}", "path", manifest_string(path),
					       "size", (json_int_t)size, "sha256", hex));
	return 0;
}

int manifest_add_files(json_t *manifest, int bundledir, struct err *e)
{
	json_t *files = json_array();

	json_object_set_new(manifest, "files", files);
	return tree_walk(bundledir, manifest_add_file, files, e);
}
