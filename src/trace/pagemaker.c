#include "trace/pagemaker.h"

#include <stdlib.h>
#include <string.h>

#include "base/io.h"

#define DELTA_BITS 27
#define TYPE_BITS 5
#define TYPE_TIME_EXTEND 30u
#define SHORT_MAX 112u /* bytes of data whose length fits into the type */

int pagemaker_open(struct pagemaker *maker, const struct ringpage_layout *layout, int fd,
		   struct err *e)
{
	*maker = (struct pagemaker) { .layout = layout, .fd = fd };
	maker->page = calloc(1, layout->page_size);
	return maker->page ? 0 : err_set(e, "no memory for a page");
}

static int pagemaker_flush(struct pagemaker *maker, struct err *e)
{
	if (!maker->used)
		return 0;
	memcpy(maker->page + 8, &maker->used, sizeof(maker->used));
	if (maker->missed)
		ringpage_flag_missed(maker->page);
	if (io_write(maker->fd, maker->page, maker->layout->page_size, e) < 0)
		return e->code;
	memset(maker->page, 0, maker->layout->page_size);
	maker->used = 0;
	maker->missed = false;
	return 0;
}

static void page_put(struct pagemaker *maker, uint32_t word)
{
	memcpy(maker->page + maker->layout->data_offset + maker->used, &word, sizeof(word));
	maker->used += sizeof(word);
}

static void page_put_head(struct pagemaker *maker, uint64_t delta, uint32_t size)
{
	bool is_short = size && size <= SHORT_MAX && size % 4 == 0;

	if (delta >> DELTA_BITS) {
		page_put(maker, (uint32_t)(delta << TYPE_BITS) | TYPE_TIME_EXTEND);
		page_put(maker, (uint32_t)(delta >> DELTA_BITS));
		delta = 0;
	}
	page_put(maker, (uint32_t)delta << TYPE_BITS | (is_short ? size / 4 : 0));
	if (!is_short)
		page_put(maker, size + 4);
}

int pagemaker_add(struct pagemaker *maker, const struct ringpage_record *record, struct err *e)
{
	const uint32_t room = maker->layout->page_size - maker->layout->data_offset;
	const uint32_t size = (record->size + 3) & ~3u, most = 4 * sizeof(uint32_t) + size;

	if (most > room)
		return 0;
	if (maker->used + most > room && pagemaker_flush(maker, e) < 0)
		return e->code;
	if (!maker->used) {
		memcpy(maker->page, &record->time, sizeof(record->time));
		maker->time = record->time;
	}
	page_put_head(maker, record->time - maker->time, size);
	memcpy(maker->page + maker->layout->data_offset + maker->used, record->data, record->size);
	maker->used += size;
	maker->time = record->time;
	return 0;
}

int pagemaker_note_loss(struct pagemaker *maker, struct err *e)
{
	if (pagemaker_flush(maker, e) < 0)
		return e->code;
	maker->missed = true;
	return 0;
}

int pagemaker_close(struct pagemaker *maker, struct err *e)
{
	int r = pagemaker_flush(maker, e);

	free(maker->page);
	maker->page = NULL;
	return r;
}
