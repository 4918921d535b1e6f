/* A parsed filter: between its parser, its text and its test. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/format.h"

enum filter_kind {
	FILTER_OR,
	FILTER_AND,
	FILTER_NOT,
	FILTER_NUMBER, /* leaf: a field and an integer */
	FILTER_TEXT,   /* leaf: a field and a string */
};

enum filter_op { OP_GLOB, OP_NE, OP_EQ, OP_LE, OP_LT, OP_GE, OP_GT, OP_BAND, OP_NONE };

/* Where a leaf's value comes from. */
enum filter_subject {
	SUBJECT_FIELD,
	SUBJECT_CPU,
	SUBJECT_COMM,
};

/* How a string is compared: the kernel makes one of these of each pattern. */
enum filter_pattern {
	PATTERN_FULL,
	PATTERN_FRONT,
	PATTERN_MIDDLE,
	PATTERN_END,
	PATTERN_GLOB,
};

struct filter {
	enum filter_kind kind;
	struct filter *a; /* FILTER_OR, FILTER_AND, FILTER_NOT */
	struct filter *b; /* FILTER_OR, FILTER_AND */

	/* a leaf */
	enum filter_op op;
	enum filter_subject subject;
	char *name;         /* the field's, as it was written */
	char *value;        /* the number, or what is between the quotes, as it was written */
	char quote;         /* of a FILTER_TEXT */
	struct field field; /* of a SUBJECT_FIELD; its name and type are not set */
	uint64_t number;    /* FILTER_NUMBER */

	/* FILTER_TEXT */
	enum filter_pattern pattern;
	bool inverted;
	char *needle; /* what PATTERN is to be looked for with */
};

/* What the kernel calls the comm of a task: with the NUL. */
#define FILTER_COMM_SIZE 16
