/* The pages of the kernel's trace ring: a walk over the records of one page. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Where things are in a page, from events/header_page of the instance that the page came from. */
struct ringpage_layout {
	uint32_t data_offset; /* of the first record */
	uint32_t page_size;   /* data_offset plus the size of the data */
	uint32_t commit_size; /* 4 or 8: sizeof(local_t) */
};

/* Reads the text of events/header_page. */
int ringpage_layout_parse(struct ringpage_layout *layout, const char *header_page, struct err *e);

struct ringpage {
	const struct ringpage_layout *layout;
	const uint8_t *page;
	uint32_t at;   /* offset of the next record */
	uint32_t end;  /* offset behind the last */
	uint64_t time; /* of the last record that was returned; at first the page's own stamp */
	bool missed;   /* the kernel lost records before this page */
	uint64_t missed_count; /* how many, 0 if it does not say */
};

struct ringpage_record {
	uint64_t time; /* by the instance's clock */
	uint32_t size; /* of the data, bytes */
	const uint8_t *data;
};

/* Starts a walk; PAGE has layout->page_size bytes. Garbage yields an empty walk, never a read
 * outside the page. */
void ringpage_open(struct ringpage *walk, const struct ringpage_layout *layout, const void *page);

/* The next record. Returns 1, 0 at the end, -EINVAL where the page is not well-formed. */
int ringpage_next(struct ringpage *walk, struct ringpage_record *record);

/* The stamp of the page's first record, without a walk. */
uint64_t ringpage_time(const struct ringpage_layout *layout, const void *page);

/* Bytes of records in the page. */
uint32_t ringpage_used(const struct ringpage_layout *layout, const void *page);

/* Marks the page as one before which records were lost. */
void ringpage_flag_missed(void *page);
