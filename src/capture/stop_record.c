#include "capture/stop_record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"

enum { STOP_OPEN, STOP_WRITING, STOP_DECIDED };

struct stop_page {
	uint32_t state; /* one of the above; moves forward only */
	uint32_t reserved;
	struct stop_record record;
};

static int stop_map(struct stop_page **ret, int fd, int protection, struct err *e)
{
	void *map = mmap(NULL, sizeof(struct stop_page), protection, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED)
		return err_sys(e, "cannot map the stop record");
	*ret = map;
	return 0;
}

int stop_create(struct stop_page **ret, int dirfd, struct err *e)
{
	autoclose int fd =
		openat(dirfd, "stop", O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return err_sys(e, "cannot make the stop record");
	r = posix_fallocate(fd, 0, sizeof(struct stop_page));
	if (r) {
		errno = r;
		return err_sys(e, "no room for the stop record");
	}
	return stop_map(ret, fd, PROT_READ | PROT_WRITE, e);
}

int stop_open(struct stop_page **ret, int dirfd, struct err *e)
{
	autoclose int fd = openat(dirfd, "stop", O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "cannot open the stop record");
	if (st.st_size < (off_t)sizeof(struct stop_page))
		return err_set(e, "the stop record is cut short");
	if (stop_map(ret, fd, PROT_READ | PROT_WRITE, e) < 0)
		return e->code;
	stop_release(*ret);
	return 0;
}

void stop_release(struct stop_page *page)
{
	uint32_t writing = STOP_WRITING;

	__atomic_compare_exchange_n(&page->state, &writing, STOP_OPEN, false, __ATOMIC_ACQ_REL,
				    __ATOMIC_ACQUIRE);
}

void stop_close(struct stop_page *page)
{
	if (page)
		munmap(page, sizeof(*page));
}

bool stop_decide(struct stop_page *page, const struct stop_record *record)
{
	uint32_t open = STOP_OPEN;

	if (!__atomic_compare_exchange_n(&page->state, &open, STOP_WRITING, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_ACQUIRE))
		return false;
	page->record = *record;
	page->record.comm[sizeof(page->record.comm) - 1] = '\0';
	page->record.text[sizeof(page->record.text) - 1] = '\0';
	__atomic_store_n(&page->state, STOP_DECIDED, __ATOMIC_RELEASE);
	return true;
}

void stop_cut_short(struct stop_page *page, uint64_t boot)
{
	if (page->record.cut > boot)
		__atomic_store_n(&page->record.cut, boot, __ATOMIC_RELEASE);
}

void stop_set_comm(struct stop_page *page, const char *comm)
{
	snprintf(page->record.comm, sizeof(page->record.comm), "%s", comm);
}

const struct stop_record *stop_get(const struct stop_page *page)
{
	if (__atomic_load_n(&page->state, __ATOMIC_ACQUIRE) != STOP_DECIDED)
		return NULL;
	return &page->record;
}

uint64_t stop_cut(const struct stop_page *page)
{
	const struct stop_record *record = stop_get(page);

	return record ? record->cut : UINT64_MAX;
}

const char *stop_by_text(enum stop_by by)
{
	static const char *const words[] = {
		[STOP_CONDITION] = "condition",
		[STOP_USER] = "user",
		[STOP_MAX_TIME] = "max_time",
		[STOP_KILLED] = "killed",
	};

	return by < countof(words) && words[by] ? words[by] : "unknown";
}
