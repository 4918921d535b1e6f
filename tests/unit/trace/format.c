#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ownring.h"
#include "trace/format.h"

static const char sample[] = "name: sample\n"
			     "ID: 372\n"
			     "format:\n"
			     "\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"
			     "\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n"
			     "\n"
			     "\tfield:char comm[16];\toffset:8;\tsize:16;\tsigned:0;\n"
			     "\tfield:__data_loc char[] name;\toffset:24;\tsize:4;\tsigned:0;\n"
			     "\tfield:__rel_loc char[] path;\toffset:28;\tsize:4;\tsigned:0;\n"
			     "\tfield:unsigned long args[6];\toffset:32;\tsize:48;\tsigned:0;\n"
			     "\tfield:const void * where;\toffset:80;\tsize:8;\tsigned:0;\n"
			     "\tfield:struct in6_addr addr;\toffset:88;\tsize:16;\tsigned:0;\n"
			     "\tfield:__data_loc u8[] blob;\toffset:104;\tsize:4;\tsigned:0;\n"
			     "\tfield:char matrix[2][4];\toffset:108;\tsize:8;\tsigned:0;\n"
			     "\tfield:s8 tiny;\toffset:116;\tsize:1;\tsigned:1;\n"
			     "\tfield:char rest[];\toffset:120;\tsize:0;\tsigned:0;\n"
			     "\n"
			     "print fmt: \"field:%d\", REC->common_pid\n"
			     "\tfield:int after;\toffset:0;\tsize:4;\tsigned:1;\n";

static struct format *parsed(const char *text)
{
	struct format *format = NULL;
	struct err e = ERR_INIT;

	if (format_parse(&format, "sys", text, &e) < 0)
		fail_msg("%s", e.text);
	return format;
}

static void each_field_has_its_name_type_and_kind(void **state)
{
	static const struct {
		const char *name;
		const char *type;
		enum field_kind kind;
	} wants[] = {
		{ "common_type", "unsigned short", FIELD_INT },
		{ "common_pid", "int", FIELD_INT },
		{ "comm", "char[16]", FIELD_STRING },
		{ "name", "__data_loc char[]", FIELD_DYNAMIC_STRING },
		{ "path", "__rel_loc char[]", FIELD_DYNAMIC_STRING },
		{ "args", "unsigned long[6]", FIELD_OTHER },
		{ "where", "const void *", FIELD_INT },
		{ "addr", "struct in6_addr", FIELD_OTHER },
		{ "blob", "__data_loc u8[]", FIELD_OTHER },
		{ "matrix", "char[2][4]", FIELD_STRING },
		{ "tiny", "s8", FIELD_INT },
		{ "rest", "char[]", FIELD_STRING },
	};
	struct format *format = parsed(sample);
	size_t i;

	(void)state;
	assert_string_equal(format->system, "sys");
	assert_string_equal(format->name, "sample");
	assert_string_equal(format->text, sample);
	assert_int_equal(format->id, 372);
	assert_int_equal(format->n_fields, sizeof(wants) / sizeof(*wants));
	for (i = 0; i < format->n_fields; i++) {
		assert_string_equal(format->fields[i].name, wants[i].name);
		assert_string_equal(format->fields[i].type, wants[i].type);
		assert_int_equal(format->fields[i].kind, wants[i].kind);
	}
	assert_true(format_field(format, "path")->relative);
	assert_false(format_field(format, "name")->relative);
	assert_null(format_field(format, "after"));
	format_free(format);
	format_free(NULL);
}

static void integers_are_sign_extended_and_zero_where_the_record_is_short(void **state)
{
	struct format *format = parsed(sample);
	uint8_t record[128] = { 0 };
	int32_t pid = -5;

	(void)state;
	record[0] = 0xff;
	record[1] = 0xff;
	memcpy(record + 4, &pid, sizeof(pid));
	record[116] = 0x80;
	assert_int_equal(field_int(format_field(format, "common_type"), record, 128), 0xffff);
	assert_int_equal(field_int(format_field(format, "common_pid"), record, 128), -5);
	assert_int_equal(field_int(format_field(format, "tiny"), record, 128), -128);
	assert_int_equal(field_int(format_field(format, "common_pid"), record, 7), 0);
	assert_int_equal(field_int(format_field(format, "common_pid"), record, 0), 0);
	assert_int_equal(field_int(format_field(format, "comm"), record, 128), 0);
	format_free(format);
}

static void string_is(const struct format *format, const char *name, const void *record,
		      size_t size, const char *want)
{
	size_t length;
	const char *got = field_string(format_field(format, name), record, size, &length);

	assert_int_equal(length, strlen(want));
	assert_memory_equal(got, want, length);
}

static void strings_end_at_a_nul_or_at_their_field(void **state)
{
	struct format *format = parsed(sample);
	uint8_t record[128] = { 0 };
	uint32_t data_loc = 6u << 16 | 100;
	uint32_t rel_loc = 6u << 16 | (100 - 32);

	(void)state;
	memset(record + 8, 'c', 16);
	memcpy(record + 24, &data_loc, 4);
	memcpy(record + 28, &rel_loc, 4);
	memcpy(record + 100, "hello", 6);
	memcpy(record + 120, "rest", 4);
	string_is(format, "comm", record, 128, "cccccccccccccccc");
	string_is(format, "name", record, 128, "hello");
	string_is(format, "path", record, 128, "hello");
	string_is(format, "rest", record, 128, "rest");
	string_is(format, "rest", record, 122, "re");
	string_is(format, "args", record, 128, "");
	format_free(format);
}

static void a_string_that_points_out_of_its_record_is_empty(void **state)
{
	static const uint32_t locations[] = { 6u << 16 | 123, 0xffffffff, 1u << 16 | 128, 0xffff };
	struct format *format = parsed(sample);
	uint8_t record[128];
	size_t i;

	(void)state;
	memset(record, 'x', sizeof(record));
	for (i = 0; i < sizeof(locations) / sizeof(*locations); i++) {
		memcpy(record + 24, &locations[i], 4);
		memcpy(record + 28, &locations[i], 4);
		string_is(format, "name", record, 128, "");
		string_is(format, "path", record, 128, "");
	}
	string_is(format, "comm", record, 23, "");
	string_is(format, "name", record, 27, "");
	string_is(format, "rest", record, 119, "");
	format_free(format);
}

static void what_cannot_be_read_is_refused_with_the_line(void **state)
{
#define HEAD "name: x\nID: 1\n"
	static const struct {
		const char *text;
		const char *says;
	} bad[] = {
		{ "", "no name" },
		{ "ID: 1\n", "no name" },
		{ "name: x\n\tfield:int a;\toffset:0;\tsize:4;\n", "no ID" },
		{ HEAD, "no fields" },
		{ "name: x\nname: y\n", "single name" },
		{ "name:\n", "single name" },
		{ "name: x\nID: 65536\n", "65536" },
		{ "name: x\nID: 0\n", "between" },
		{ "name: x\nID: 1x\n", "1x" },
		{ HEAD "field:int a;\n", "field:int a;" },
		{ HEAD "field:int a;\toffset:-1;\tsize:4;\n", "offset:-1" },
		{ HEAD "field:int a;\toffset:0;\tsize:99999999999999999999;\n", "999999" },
		{ HEAD "field:int a;\toffset:0;\tsize:4;\tsigned:2;\n", "signed:2" },
		{ HEAD "field:int;\toffset:0;\tsize:4;\n", "field:int;" },
		{ HEAD "field:;\toffset:0;\tsize:4;\n", "field:;" },
		{ HEAD "field:int a];\toffset:0;\tsize:4;\n", "a]" },
		{ HEAD "field:\n", "field:" },
	};
#undef HEAD
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct format *format = NULL;
		struct err e = ERR_INIT;

		assert_int_equal(format_parse(&format, "sys", bad[i].text, &e), -EINVAL);
		assert_null(format);
		assert_non_null(strstr(e.text, "format of event 'sys:"));
		if (!strstr(e.text, bad[i].says))
			fail_msg("'%s' lacks '%s'", e.text, bad[i].says);
	}
}

static void more_fields_than_any_event_has_are_refused(void **state)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	struct format *format = NULL;
	struct err e = ERR_INIT;
	int i;

	(void)state;
	fputs("name: x\nID: 1\n", f);
	for (i = 0; i < 1025; i++)
		fprintf(f, "field:int f%d;\toffset:0;\tsize:4;\n", i);
	fclose(f);
	assert_int_equal(format_parse(&format, "sys", text, &e), -EINVAL);
	assert_non_null(strstr(e.text, "more than 1024 fields"));
	free(text);
}

/* Whatever comes of it, it ends, and fields of what is accepted stay within the record. */
static void mutated_formats_do_no_harm(void **state)
{
	unsigned seed = 11;
	int round;

	(void)state;
	for (round = 0; round < 20000; round++) {
		uint8_t *record = calloc(1, 64);
		char *text = strdup(sample);
		struct format *format = NULL;
		struct err e = ERR_INIT;
		size_t length;
		size_t i;

		for (i = 0; i < 4; i++)
			text[(size_t)rand_r(&seed) % strlen(sample)] =
				(char)(rand_r(&seed) % 127 + 1);
		for (i = 0; i < 64; i++)
			record[i] = (uint8_t)rand_r(&seed);
		if (format_parse(&format, "sys", text, &e) == 0) {
			for (i = 0; i < format->n_fields; i++) {
				field_int(&format->fields[i], record, 64);
				field_string(&format->fields[i], record, 64, &length);
				assert_true(length <= 64);
			}
		}
		format_free(format);
		free(text);
		free(record);
	}
}

static unsigned formats_of(int dir)
{
	unsigned n = 0;
	DIR *systems = fdopendir(openat(dir, "events", O_RDONLY | O_DIRECTORY));
	struct dirent *system;

	while ((system = readdir(systems))) {
		int fd = openat(dirfd(systems), system->d_name, O_RDONLY | O_DIRECTORY);
		DIR *events = fd < 0 ? NULL : fdopendir(fd);
		struct dirent *event;

		while (system->d_name[0] != '.' && events && (event = readdir(events))) {
			char file[600];
			char *text;

			snprintf(file, sizeof(file), "%s/format", event->d_name);
			if (event->d_name[0] == '.' || faccessat(fd, file, R_OK, 0))
				continue;
			text = ownring_read(fd, file);
			format_free(parsed(text));
			free(text);
			n++;
		}
		if (events)
			closedir(events);
	}
	closedir(systems);
	return n;
}

static void every_event_of_this_kernel_can_be_read(void **state)
{
	struct ownring ring;

	(void)state;
	if (!ownring_open(&ring, "format"))
		skip();
	assert_true(formats_of(ring.tracefs) > 100);
	ownring_close(&ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_field_has_its_name_type_and_kind),
		cmocka_unit_test(integers_are_sign_extended_and_zero_where_the_record_is_short),
		cmocka_unit_test(strings_end_at_a_nul_or_at_their_field),
		cmocka_unit_test(a_string_that_points_out_of_its_record_is_empty),
		cmocka_unit_test(what_cannot_be_read_is_refused_with_the_line),
		cmocka_unit_test(more_fields_than_any_event_has_are_refused),
		cmocka_unit_test(mutated_formats_do_no_harm),
		cmocka_unit_test(every_event_of_this_kernel_can_be_read),
	};

	return cmocka_run_group_tests_name("format", tests, NULL, NULL);
}
