/* Sockets with what the kernel tells of each (sockets.h). */
#include "base/auto.h"
#include "source/taken.h"

static const struct taken_kind sockets_kind = {
	.what = "sockets",
	.dir = "sockets",
	.op = READER_SOCKETS,
	.reader = READER_OF_SOCKETS,
	.helpers = 2,
	.expected = 16384, /* to ask for them can load modules of the kernel */
};

static int sockets_decode(struct source *s, struct err *e)
{
	static const struct taken_word words[] = {
		{ "host", JSON_ARRAY },
		{ "port", JSON_ARRAY },
		{ "protocol", JSON_STRING },
	};

	if (taken_decode(s, &sockets_kind, e) < 0)
		return e->code;
	return taken_add_query(s, words, countof(words), e);
}

const struct source_ops sockets_source = {
	.type = "sockets",
	.decode = sockets_decode,
	.probe = taken_probe,
	.arm = taken_arm,
	.live = taken_live,
	.save = taken_save,
	.free = taken_free,
};
