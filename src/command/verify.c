/* tracer verify: every file of a bundle against its manifest. */
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/text.h"
#include "bundle/bundle.h"
#include "bundle/manifest.h"
#include "command/command.h"
#include "process/sandbox.h"

#define VERIFY_MANIFEST_MAX (64 << 20)

struct verify {
	json_t *manifest; /* NULL until it came by: it is the second file */
	json_t *seen;     /* path: {size, sha256} */
};

static int verify_hash(struct bundle_member *member, json_t **ret, char **text, struct err *e)
{
	crypto_hash_sha256_state state;
	unsigned char hash[crypto_hash_sha256_BYTES];
	autofclose FILE *copy = NULL;
	char block[1 << 15], hex[65];
	int64_t n, size = 0;
	size_t length;

	if (text)
		copy = open_memstream(text, &length);
	crypto_hash_sha256_init(&state);
	while ((n = bundle_read(member, block, sizeof(block), e)) > 0) {
		crypto_hash_sha256_update(&state, (unsigned char *)block, n);
		size += n;
		if (copy && size <= VERIFY_MANIFEST_MAX)
			fwrite(block, 1, n, copy);
	}
	if (n < 0)
		return e->code;
	crypto_hash_sha256_final(&state, hash);
	sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
	*ret = json_pack("{s:I, s:s}", "size", (json_int_t)size, "sha256", hex);
	return 0;
}

static int verify_visit(void *arg, struct bundle_member *member, struct err *e)
{
	bool is_manifest = !strcmp(member->path, "manifest.json");
	autofree char *path = text_json(member->path), *text = NULL;
	struct verify *verify = arg;
	json_t *got;

	if (!path)
		return err_set(e, "no memory");
	if (verify_hash(member, &got, is_manifest ? &text : NULL, e) < 0)
		return e->code;
	if (!is_manifest) {
		json_object_set_new(verify->seen, path, got);
		return 0;
	}
	json_decref(got);
	json_decref(verify->manifest);
	verify->manifest = json_loads(text, 0, NULL);
	return 0;
}

/* A line for each file that is not what the manifest says; returns how many. */
static size_t verify_compare(const struct verify *verify)
{
	size_t i, bad = 0;
	json_t *file, *got;
	const char *path;

	json_array_foreach (json_object_get(verify->manifest, "files"), i, file) {
		path = json_string_value(json_object_get(file, "path"));
		got = path ? json_object_get(verify->seen, path) : NULL;
		if (!got)
			printf("missing: %s\n", path ? path : "?");
		else if (!json_equal(json_object_get(got, "sha256"),
				     json_object_get(file, "sha256")))
			printf("changed: %s\n", path);
		bad += !got ||
		       !json_equal(json_object_get(got, "sha256"), json_object_get(file, "sha256"));
		if (got)
			json_object_del(verify->seen, path);
	}
	json_object_foreach (verify->seen, path, got) {
		printf("not in the manifest: %s\n", path);
		bad++;
	}
	return bad;
}

static int verify_report(const struct verify *verify, const char *name, struct err *e)
{
	size_t n = json_array_size(json_object_get(verify->manifest, "files")), bad;

	if (!n)
		return err_set(e, "'%s' has no manifest with files", name);
	bad = verify_compare(verify);
	if (bad)
		return err_set(e, "'%s': %zu %s not as the manifest says", name, bad,
			       bad == 1 ? "file is" : "files are");
	printf("%s: all %zu files are as the manifest says\n", name, n);
	return 0;
}

static int verify_run(const struct options *options, const char **words, int n_words, struct err *e)
{
	struct verify verify = { .seen = json_object() };
	autofree char *name = NULL;
	autoclose int fd = bundle_open(n_words ? words[0] : NULL, &name, e);
	int r;

	(void)options;
	if (fd < 0 || sandbox_enter(SANDBOX_COMPUTE, e) < 0)
		return e->code;
	r = bundle_walk(fd, verify_visit, &verify, e);
	r = r < 0 ? err_wrap(e, "'%s'", name) : verify_report(&verify, name, e);
	json_decref(verify.manifest);
	json_decref(verify.seen);
	return r;
}

const struct command verify_command = {
	.name = "verify",
	.words = "[BUNDLE]",
	.help = "every file of a bundle against its manifest",
	.max_words = 1,
	.run = verify_run,
};
