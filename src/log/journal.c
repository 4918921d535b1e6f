/* The journal of systemd, by libsystemd, which is opened at run time: a host without it has none.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/units.h"
#include "log/followlog.h"

#define JOURNAL_LOCAL_ONLY 1 /* SD_JOURNAL_LOCAL_ONLY of systemd/sd-journal.h */

struct sd_journal;

/* What is used of sd-journal(3). */
static const char *const names[] = {
	"sd_journal_open",
	"sd_journal_seek_tail",
	"sd_journal_previous_skip",
	"sd_journal_next",
	"sd_journal_get_data",
	"sd_journal_wait",
	"sd_journal_get_realtime_usec",
	"sd_journal_close",
};

struct journal {
	union {
		void *all[sizeof(names) / sizeof(names[0])];
		struct {
			int (*open)(struct sd_journal **ret, int flags);
			int (*seek_tail)(struct sd_journal *j);
			int (*previous_skip)(struct sd_journal *j, uint64_t skip);
			int (*next)(struct sd_journal *j);
			int (*get_data)(struct sd_journal *j, const char *field, const void **data,
					size_t *length);
			int (*wait)(struct sd_journal *j, uint64_t timeout_us);
			int (*get_realtime)(struct sd_journal *j, uint64_t *ret_us);
			void (*close)(struct sd_journal *j);
		};
	};
	struct sd_journal *j;
	char line[FOLLOWER_LINE];
};

/* What it may want later, when nothing can be loaded any more: entries can be compressed. */
static void journal_load_others(void)
{
	static const char *const others[] = { "libzstd.so.1", "liblz4.so.1", "liblzma.so.5" };

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		dlopen(others[i], RTLD_NOW | RTLD_LOCAL);
}

static int journal_load(struct journal *journal, struct err *e)
{
	void *library = dlopen("libsystemd.so.0", RTLD_NOW | RTLD_LOCAL);

	journal_load_others();

	if (!library)
		return err_set(e, "this host has no journal: %s", dlerror());
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		journal->all[i] = dlsym(library, names[i]);
		if (!journal->all[i])
			return err_set(e, "this host's libsystemd lacks %s", names[i]);
	}
	return 0;
}

static int journal_begin(struct journal *journal, struct err *e)
{
	int r = journal->open(&journal->j, JOURNAL_LOCAL_ONLY);

	if (r == 0)
		r = journal->seek_tail(journal->j);
	if (r == 0)
		r = journal->previous_skip(journal->j, 1);
	if (r == 0)
		return err_set(e, "this host's journal is empty: nobody writes it");
	if (r > 0)
		return 0;
	errno = -r;
	return err_sys(e, "the journal cannot be read");
}

static void journal_close(void *log)
{
	struct journal *journal = log;

	if (journal->j)
		journal->close(journal->j);
	free(journal);
}

static int journal_open(void **ret, const char *log, enum follow follow, struct err *e)
{
	struct journal *journal = calloc(1, sizeof(*journal));

	(void)log;
	(void)follow;
	if (!journal)
		return err_set(e, "no memory");
	if (journal_load(journal, e) < 0 || journal_begin(journal, e) < 0) {
		journal_close(journal);
		return e->code;
	}
	*ret = journal;
	return 0;
}

/* The value of a field of the entry, "" without; *n its bytes. */
static const char *journal_field(const struct journal *journal, const char *name, size_t *n)
{
	size_t length = 0, skip = strlen(name) + 1;
	const void *data = NULL;

	*n = 0;
	if (journal->get_data(journal->j, name, &data, &length) < 0 || length < skip)
		return "";
	*n = length - skip;
	return (const char *)data + skip;
}

/* When the journal got it, by the distance of two clocks now. */
static uint64_t journal_time(const struct journal *journal)
{
	uint64_t boot = clock_boot(), us;
	struct timespec real;

	clock_gettime(CLOCK_REALTIME, &real);
	if (journal->get_realtime(journal->j, &us) < 0)
		return boot;
	us = real.tv_sec * 1000000ull + real.tv_nsec / 1000 - us;
	return us * NS_PER_US < boot ? boot - us * NS_PER_US : boot;
}

/* "cron[123]: text", as the journal's own reader shows it. */
static int journal_entry(struct journal *journal, followlog_emit *emit, void *arg)
{
	struct followed line = { .time = journal_time(journal), .text = journal->line };
	size_t n, size = sizeof(journal->line), used;
	const char *text = journal_field(journal, "SYSLOG_IDENTIFIER", &n);

	used = snprintf(journal->line, size, "%.*s", n < 200 ? (int)n : 200, text);
	text = journal_field(journal, "_PID", &n);
	if (n && n < 20)
		used += snprintf(journal->line + used, size - used, "[%.*s]", (int)n, text);
	used += snprintf(journal->line + used, size - used, used ? ": " : "");
	text = journal_field(journal, "PRIORITY", &n);
	line.priority = n == 1 ? (uint32_t)(*text - '0') & 7 : UINT32_MAX;
	text = journal_field(journal, "MESSAGE", &n);
	n = n < size - used ? n : size - used;
	memcpy(journal->line + used, text, n);
	line.size = used + n;
	return emit(arg, &line);
}

static int journal_take(void *log, followlog_emit *emit, void *arg)
{
	struct journal *journal = log;
	int r;

	while ((r = journal->next(journal->j)) > 0)
		if (journal_entry(journal, emit, arg) < 0)
			return -EPIPE;
	return r == 0;
}

static void journal_wait(void *log)
{
	struct journal *journal = log;

	if (journal->wait(journal->j, FOLLOWER_LATE / NS_PER_US) < 0) {
		const struct timespec pause = { .tv_nsec = FOLLOWER_LATE };

		nanosleep(&pause, NULL);
	}
}

const struct followlog_ops journal_log = {
	.open = journal_open,
	.take = journal_take,
	.wait = journal_wait,
};
