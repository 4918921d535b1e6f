#include "log/freezeline.h"

#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/text.h"
#include "base/units.h"

#define UNSEEN " how-it-ended=unseen"

static const char *const freeze_words[FREEZE_WHATS] = {
	[FREEZING] = "freezing", [FROZEN] = "frozen", [NOT_FROZEN] = "not-frozen",
	[THAWING] = "thawing",   [THAWED] = "thawed", [NOT_THAWED] = "not-thawed",
};

static void freezeline_ms(const char *what, uint64_t ns, FILE *out)
{
	if (ns)
		fprintf(out, " %s=%llu.%03llums", what, (unsigned long long)(ns / NS_PER_MS),
			(unsigned long long)(ns / NS_PER_US % 1000));
}

static void freezeline_how(const struct freeze *f, FILE *out)
{
	if (!f->unseen)
		freezeline_ms("after", f->took, out);
	freezeline_ms("was-frozen", f->was_frozen, out);
	if (f->error)
		fprintf(out, " error=%s", strerrorname_np(f->error) ?: "?");
	if (f->unseen)
		fputs(UNSEEN, out);
}

void freezeline_write(const struct freeze *f, char *text, size_t room)
{
	FILE *out = fmemopen(text, room, "w");

	*text = '\0';
	if (!out)
		return;
	fprintf(out, "%s %u:%u pid=%d fd=%u", freeze_words[f->what], f->mount.major, f->mount.minor,
		f->pid, f->fd);
	freezeline_how(f, out);
	fputs(" comm=", out);
	text_put(out, f->comm, strlen(f->comm));
	if (f->parent) {
		fprintf(out, " parent=%d parent-comm=", f->parent);
		text_put(out, f->parent_comm, strlen(f->parent_comm));
	}
	fprintf(out, " type=%s mount=", *f->mount.type ? f->mount.type : "?");
	text_put(out, *f->mount.point ? f->mount.point : "?",
		 *f->mount.point ? strlen(f->mount.point) : 1);
	fclose(out);
	text[room - 1] = '\0';
}

bool freezeline_read(struct freeze *f, const char *text, const char **rest)
{
	char word[16];
	int at = 0;

	*f = (struct freeze) { .what = FREEZE_WHATS };
	if (sscanf(text, "%15s %u:%u pid=%d fd=%u %n", word, &f->mount.major, &f->mount.minor,
		   &f->pid, &f->fd, &at) != 5 ||
	    !at)
		return false;
	for (int what = 0; what < FREEZE_WHATS; what++)
		if (!strcmp(word, freeze_words[what]))
			f->what = what;
	*rest = text + at;
	/* before what others have named */
	f->unseen = strstr(text, UNSEEN) && strstr(text, UNSEEN) < strstr(text, " comm=");
	return f->what != FREEZE_WHATS;
}
