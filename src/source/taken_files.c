/* Files as they are: by their paths, and by patterns of them. */
#include <string.h>

#include "source/taken.h"

static const struct taken_kind files_kind = {
	.what = "files", .op = READER_READ, .reader = READER_OF_FILES, .helpers = READER_HELPERS
};

static int files_decode_path(struct taken *taken, json_t *spec, struct err *e)
{
	struct taken_item *item = &taken->items[taken->n];
	const char *path, *fault;
	json_error_t where;
	int optional = 0;

	if (json_unpack_ex(spec, &where, 0, "{s:s, s?b}", "path", &path, "optional", &optional) < 0)
		return err_set(e, "a path is not well-formed: %s", where.text);
	fault = taken_path_fault(path);
	if (fault)
		return err_set(e, "cannot take '%s': %s", path, fault);
	if (taken_add(taken, path, e) < 0)
		return e->code;
	item->optional = optional;
	item->glob = strpbrk(path, "*?[") != NULL;
	return 0;
}

static int files_decode(struct source *s, struct err *e)
{
	const json_t *list = json_object_get(s->spec, "paths");
	struct taken *taken;
	json_t *spec;
	size_t i;

	if (taken_decode(s, &files_kind, e) < 0)
		return e->code;
	taken = s->data;
	if (taken_make_items(taken, json_array_size(list), e) < 0)
		return e->code;
	json_array_foreach (list, i, spec)
		if (files_decode_path(taken, spec, e) < 0)
			return e->code;
	return 0;
}

const struct source_ops files_source = {
	.type = "files",
	.decode = files_decode,
	.probe = taken_probe,
	.arm = taken_arm,
	.live = taken_live,
	.save = taken_save,
	.free = taken_free,
};
