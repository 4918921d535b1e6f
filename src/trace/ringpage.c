#include "trace/ringpage.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define STAMP_SIZE 8u
#define HEADER_SIZE 4u /* of a record: 5 bits of type or length, 27 bits of time */
#define TYPE_BITS 5
#define DELTA_BITS 27
#define PAGE_SIZE_MAX (64u << 20)

#define COMMIT_SIZE_MASK ((1u << 27) - 1)
#define COMMIT_COUNT_STORED (1u << 30)
#define COMMIT_MISSED (1u << 31)

/* An absolute stamp has 59 bits; the five above them are those of the time before it. */
#define ABSOLUTE_BITS 59

enum record_type {
	RECORD_LONG_DATA = 0,
	RECORD_PADDING = 29, /* 1 to 28: data of so many words */
	RECORD_TIME_EXTEND,
	RECORD_TIME_ABSOLUTE,
};

struct header_field {
	uint32_t offset;
	uint32_t size;
};

static bool header_field_find(struct header_field *field, const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at &&
	       sscanf(at + strlen(name), " offset:%u; size:%u;", &field->offset, &field->size) == 2;
}

int ringpage_layout_parse(struct ringpage_layout *layout, const char *header_page, struct err *e)
{
	struct header_field commit;
	struct header_field data;

	if (!header_field_find(&commit, header_page, " commit;") ||
	    !header_field_find(&data, header_page, " data;"))
		return err_set(e, "header_page does not say where 'commit' and 'data' are");
	if (commit.offset != STAMP_SIZE || (commit.size != 4 && commit.size != 8))
		return err_set(e, "header_page has a commit of %u bytes at %u, which no kernel has",
			       commit.size, commit.offset);
	if (data.offset != STAMP_SIZE + commit.size || data.size < 64 ||
	    data.size > PAGE_SIZE_MAX - data.offset)
		return err_set(e, "header_page has data of %u bytes at %u, which no kernel has",
			       data.size, data.offset);

	layout->data_offset = data.offset;
	layout->page_size = data.offset + data.size;
	layout->commit_size = commit.size;
	return 0;
}

static uint32_t word_at(const uint8_t *at)
{
	uint32_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

/* The low half of the commit has all that we need; it comes first on the machines that we run on.
 */
static uint32_t page_commit(const void *page)
{
	return word_at((const uint8_t *)page + STAMP_SIZE);
}

uint64_t ringpage_time(const struct ringpage_layout *layout, const void *page)
{
	uint64_t time;

	(void)layout;
	memcpy(&time, page, sizeof(time));
	return time;
}

uint32_t ringpage_used(const struct ringpage_layout *layout, const void *page)
{
	uint32_t used = page_commit(page) & COMMIT_SIZE_MASK;

	return used <= layout->page_size - layout->data_offset ? used : 0;
}

void ringpage_flag_missed(void *page)
{
	uint32_t commit = page_commit(page) | COMMIT_MISSED;

	memcpy((uint8_t *)page + STAMP_SIZE, &commit, sizeof(commit));
}

static uint64_t missed_count(const struct ringpage *walk)
{
	uint32_t size = walk->layout->commit_size;
	uint64_t count = 0;

	if (size > walk->layout->page_size - walk->end)
		return 0;
	memcpy(&count, walk->page + walk->end, size);
	return count;
}

void ringpage_open(struct ringpage *walk, const struct ringpage_layout *layout, const void *page)
{
	uint32_t commit = page_commit(page);

	*walk = (struct ringpage) {
		.layout = layout,
		.page = page,
		.at = layout->data_offset,
		.end = layout->data_offset + ringpage_used(layout, page),
		.time = ringpage_time(layout, page),
		.missed = commit & COMMIT_MISSED,
	};
	if (walk->missed && (commit & COMMIT_COUNT_STORED))
		walk->missed_count = missed_count(walk);
}

static int page_damaged(struct ringpage *walk)
{
	walk->at = walk->end;
	return -EINVAL;
}

static uint64_t absolute_time(uint64_t stamp, uint64_t before)
{
	stamp |= before >> ABSOLUTE_BITS << ABSOLUTE_BITS;
	return stamp < before && before >> ABSOLUTE_BITS ? stamp + (1ull << ABSOLUTE_BITS) : stamp;
}

/* A record that was discarded. Its delta counts, except 1, which the kernel writes in place of 0
 * because a padding without delta means the end of the page. */
static int padding_skip(struct ringpage *walk, uint32_t delta, uint32_t word)
{
	if (!delta) {
		walk->at = walk->end;
		return 0;
	}
	if (word > walk->end - walk->at - HEADER_SIZE || word < 4)
		return page_damaged(walk);
	walk->at += HEADER_SIZE + word;
	walk->time += delta == 1 ? 0 : delta;
	return 0;
}

/* What is not data: 29 to 31. Each has a word behind its header, but for the padding that ends a
 * page. */
static int record_skip(struct ringpage *walk, enum record_type type, uint32_t delta)
{
	bool has_word = walk->end - walk->at >= 2 * HEADER_SIZE;
	uint32_t word = has_word ? word_at(walk->page + walk->at + HEADER_SIZE) : 0;
	uint64_t wide = ((uint64_t)word << DELTA_BITS) + delta;

	if (type == RECORD_PADDING)
		return padding_skip(walk, delta, word);
	if (!has_word)
		return page_damaged(walk);
	walk->at += 2 * HEADER_SIZE;
	walk->time =
		type == RECORD_TIME_EXTEND ? walk->time + wide : absolute_time(wide, walk->time);
	return 0;
}

static int record_take(struct ringpage *walk, struct ringpage_record *record, uint32_t words,
		       uint32_t delta)
{
	uint32_t room = walk->end - walk->at - HEADER_SIZE;
	uint32_t size = words * 4;
	uint32_t data = walk->at + HEADER_SIZE;

	if (words == RECORD_LONG_DATA) {
		if (room < 4)
			return page_damaged(walk);
		size = word_at(walk->page + data); /* counts itself */
		if (size < 4 || size > room)
			return page_damaged(walk);
		data += 4;
		size -= 4;
	} else if (size > room) {
		return page_damaged(walk);
	}

	walk->time += delta;
	walk->at = (data + size + 3) & ~3u; /* behind the end if the last record's length is odd */
	record->time = walk->time;
	record->size = size;
	record->data = walk->page + data;
	return 1;
}

int ringpage_next(struct ringpage *walk, struct ringpage_record *record)
{
	while (walk->at < walk->end) {
		uint32_t word;
		uint32_t type;
		int r;

		if (walk->end - walk->at < HEADER_SIZE)
			return page_damaged(walk);
		word = word_at(walk->page + walk->at);
		type = word & ((1u << TYPE_BITS) - 1);
		if (type < RECORD_PADDING)
			return record_take(walk, record, type, word >> TYPE_BITS);
		r = record_skip(walk, type, word >> TYPE_BITS);
		if (r < 0)
			return r;
	}
	return 0;
}
