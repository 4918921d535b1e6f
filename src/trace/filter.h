/* Event filters: parsed once by us; the kernel's text and the test in C both come from that tree.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "trace/format.h"

struct filter;

/* Parses the kernel's filter language: FIELD OP VALUE with && || ! and brackets; == != < <= > >= &
 * on integers,
 * == != ~ on strings ("..." with * ? [] for ~); also the fields CPU, COMM, common_pid and the like.
 * Each field is looked up in FORMAT: an unknown one is an error with the nearest name. *ret is the
 * caller's. */
int filter_parse(struct filter **ret, const char *text, const struct format *format, struct err *e);

/* NULL is fine. */
void filter_free(struct filter *filter);

/* The kernel's text for it, "" for NULL. The caller frees it; NULL if there is no memory. */
char *filter_text(const struct filter *filter);

/* Whether it asks for the task's name. */
bool filter_uses_comm(const struct filter *filter);

/* What a record is, besides its bytes. */
struct filter_context {
	int cpu;
	const char *comm; /* of the task, NULL if not known */
};

/* True if the record passes, as the kernel would decide it; NULL passes everything. */
bool filter_match(const struct filter *filter, const struct filter_context *context,
		  const void *record, size_t size);
