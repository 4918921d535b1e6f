#define PCRE2_CODE_UNIT_WIDTH 8
#include "selector/pattern.h"

#include <pcre2.h>
#include <stdlib.h>

#define STEPS_MAX 100000
#define DEPTH_MAX 1000

struct pattern {
	pcre2_code *code;
	pcre2_match_data *match;
	pcre2_match_context *limits;
};

static int pattern_make(struct pattern *p, const char *regex, bool multiline, struct err *e)
{
	PCRE2_UCHAR words[200];
	PCRE2_SIZE at;
	int code;

	p->code = pcre2_compile((PCRE2_SPTR)regex, PCRE2_ZERO_TERMINATED,
				multiline ? PCRE2_MULTILINE : 0, &code, &at, NULL);
	if (!p->code) {
		pcre2_get_error_message(code, words, sizeof(words));
		err_set(e, "regex '%s': %s at character %zu", regex, (const char *)words,
			(size_t)at + 1);
		return err_exit(e, EXIT_USAGE);
	}
	p->match = pcre2_match_data_create_from_pattern(p->code, NULL);
	p->limits = pcre2_match_context_create(NULL);
	if (!p->match || !p->limits)
		return err_set(e, "no memory");
	pcre2_set_match_limit(p->limits, STEPS_MAX);
	pcre2_set_depth_limit(p->limits, DEPTH_MAX);
	return 0;
}

int pattern_compile(struct pattern **ret, const char *regex, bool multiline, struct err *e)
{
	struct pattern *p = calloc(1, sizeof(*p));

	if (!p)
		return err_set(e, "no memory");
	if (pattern_make(p, regex, multiline, e) < 0) {
		pattern_free(p);
		return e->code;
	}
	*ret = p;
	return 0;
}

void pattern_free(struct pattern *p)
{
	if (!p)
		return;
	pcre2_code_free(p->code);
	pcre2_match_data_free(p->match);
	pcre2_match_context_free(p->limits);
	free(p);
}

bool pattern_matches(const struct pattern *p, const char *text, size_t size)
{
	return pcre2_match(p->code, (PCRE2_SPTR)text, size, 0, 0, p->match, p->limits) >= 0;
}

const char *pattern_find(const struct pattern *p, const char *text, size_t size)
{
	const PCRE2_SIZE *groups = pcre2_get_ovector_pointer(p->match);
	size_t begins = pcre2_get_ovector_count(p->match) > 1 ? 2 : 0;

	if (!pattern_matches(p, text, size) || groups[begins] == PCRE2_UNSET)
		return NULL;
	return text + groups[begins];
}
