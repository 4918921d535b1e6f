/* Event formats: where each field of a record is. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum field_kind {
	FIELD_INT,            /* 1, 2, 4 or 8 bytes */
	FIELD_STRING,         /* char[N], ends at a NUL or at N */
	FIELD_DYNAMIC_STRING, /* __data_loc or __rel_loc char[]: a u32 with offset and length */
	FIELD_OTHER,          /* arrays, structs: not to be compared */
};

struct field {
	char *name;
	char *type; /* as the kernel writes it: "unsigned long" */
	uint32_t offset;
	uint32_t size;
	bool is_signed;
	bool relative; /* __rel_loc */
	enum field_kind kind;
};

struct format {
	char *system;
	char *name;
	uint16_t id;
	struct field *fields; /* common fields first */
	size_t n_fields;
	char *text; /* the whole format file, as it was read */
};

/* Reads the text of events/SYSTEM/NAME/format. *ret is the caller's. */
int format_parse(struct format **ret, const char *system, const char *text, struct err *e);

/* NULL is fine. */
void format_free(struct format *format);

/* The field of that name, NULL if there is none. */
const struct field *format_field(const struct format *format, const char *name);

/* The integer in RECORD, sign-extended; 0 where the record is too short. */
int64_t field_int(const struct field *field, const void *record, size_t size);

/* The string in RECORD, not NUL-terminated: *length bytes; empty where the record is not
 * well-formed. */
const char *field_string(const struct field *field, const void *record, size_t size,
			 size_t *length);
