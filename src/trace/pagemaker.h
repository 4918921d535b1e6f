/* Makes pages as the kernel's trace ring has them, of records that were taken out of such pages. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "trace/ringpage.h"

struct pagemaker {
	const struct ringpage_layout *layout;
	int fd; /* the caller's: where whole pages go */
	uint8_t *page;
	uint32_t used; /* of its data */
	uint64_t time; /* of the last record in it */
	bool missed;   /* records were lost before the next page */
};

int pagemaker_open(struct pagemaker *maker, const struct ringpage_layout *layout, int fd,
		   struct err *e);

/* Appends a record that is not earlier than the last; one that no page can hold is left out. */
int pagemaker_add(struct pagemaker *maker, const struct ringpage_record *record, struct err *e);

/* Records were lost here: the next one begins a page that says so. */
int pagemaker_note_loss(struct pagemaker *maker, struct err *e);

/* Writes the last page and frees it. */
int pagemaker_close(struct pagemaker *maker, struct err *e);
