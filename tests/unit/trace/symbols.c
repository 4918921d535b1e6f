#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sys/mman.h>

#include "ownring.h"
#include "trace/symbols.h"

static const char kallsyms[] = "0000000000000000 A fixed_percpu\n"
			       "ffffffff81000000 T _stext\n"
			       "ffffffff81000000 T _text\n"
			       "ffffffff81002000 t third\n"
			       "ffffffff81001000 T second\n"
			       "ffffffffc0000000 t helper\t[scoutfs]\n"
			       "not a symbol\n"
			       "ffffffff81003000 a number\n"
			       "ffffffffc0001000 t last\t[scoutfs]";

static struct symbols *symbols_of(const char *text)
{
	int fd = memfd_create("kallsyms", MFD_CLOEXEC);
	struct symbols *symbols = NULL;
	struct err e = ERR_INIT;

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	lseek(fd, 0, SEEK_SET);
	assert_int_equal(symbols_read(&symbols, fd, &e), 0);
	close(fd);
	return symbols;
}

static void expect_marked(const struct symbols *symbols, const char *want)
{
	size_t size;
	char *text = symbols_text(symbols, &size);

	assert_string_equal(text, want);
	assert_int_equal(size, strlen(want));
	assert_true(size <= symbols_text_max(symbols));
	free(text);
}

static void only_what_occurs_is_in_the_text_by_address_and_with_its_module(void **state)
{
	struct symbols *symbols = symbols_of(kallsyms);
	uint64_t values[] = { 5, 0xffffffff81002fff, 0xffffffffc0000010, 0xffffffff81002000,
			      0, 0xffffffff81003000 };

	(void)state;
	expect_marked(symbols, "");
	symbols_mark(symbols, values, sizeof(values));
	expect_marked(symbols, "ffffffff81002000 t third\nffffffffc0000000 t helper\t[scoutfs]\n"
			       "ffffffffc0001000 t last\t[scoutfs]\n");
	symbols_free(symbols);
	symbols_free(NULL);
}

static void of_aliases_the_first_is_kept_as_the_kernel_prints_it(void **state)
{
	struct symbols *symbols = symbols_of(kallsyms);
	uint64_t value = 0xffffffff81000000;

	(void)state;
	symbols_mark(symbols, &value, sizeof(value));
	expect_marked(symbols, "ffffffff81000000 T _stext\nffffffff81001000 T second\n");
	symbols_free(symbols);
}

static void an_address_at_any_multiple_of_4_is_seen_and_at_others_not(void **state)
{
	struct symbols *symbols = symbols_of(kallsyms);
	uint64_t value = 0xffffffff81001234;
	uint8_t data[24] = { 0 };

	(void)state;
	memcpy(data + 1, &value, sizeof(value));
	symbols_mark(symbols, data, sizeof(data));
	expect_marked(symbols, "");
	memset(data, 0, sizeof(data));
	memcpy(data + 12, &value, sizeof(value));
	symbols_mark(symbols, data, 19); /* cut in the middle of it */
	expect_marked(symbols, "");
	symbols_mark(symbols, data, 20);
	expect_marked(symbols, "ffffffff81001000 T second\nffffffff81002000 t third\n");
	symbols_free(symbols);
}

static void the_last_symbol_has_a_length_and_what_is_outside_marks_nothing(void **state)
{
	struct symbols *symbols = symbols_of(kallsyms);
	uint64_t outside[] = { 0xffffffff80ffffff, UINT64_MAX, 0xffffffffd0000000 };
	uint64_t inside = 0xffffffffc0001080;

	(void)state;
	symbols_mark(symbols, outside, sizeof(outside));
	expect_marked(symbols, "");
	symbols_mark(symbols, &inside, sizeof(inside));
	expect_marked(symbols, "ffffffffc0001000 t last\t[scoutfs]\n"
			       "ffffffffc0011000 t end_of_symbols\n");
	symbols_free(symbols);
}

static void hidden_addresses_give_no_symbols(void **state)
{
	struct symbols *symbols =
		symbols_of("0000000000000000 T _stext\n0000000000000000 t a\t[b]\n");
	uint64_t values[] = { 0, 1, UINT64_MAX };

	(void)state;
	symbols_mark(symbols, values, sizeof(values));
	expect_marked(symbols, "");
	symbols_free(symbols);
}

static void a_descriptor_that_cannot_be_read_is_an_error(void **state)
{
	struct symbols *symbols = NULL;
	struct err e = ERR_INIT;

	(void)state;
	assert_true(symbols_read(&symbols, -1, &e) < 0);
	assert_non_null(strstr(e.text, "kernel symbols"));
	assert_null(symbols);
}

/* Each symbol of the running kernel is found by its own address. */
static void this_kernels_symbols_find_themselves(void **state)
{
	int fd = open("/proc/kallsyms", O_RDONLY | O_CLOEXEC);
	struct symbols *symbols = NULL;
	struct err e = ERR_INIT;
	uint64_t address;
	char name[200];
	char line[300];
	size_t size;
	char *text;
	FILE *f;

	(void)state;
	assert_int_equal(symbols_read(&symbols, fd, &e), 0);
	close(fd);
	f = fopen("/proc/kallsyms", "r");
	while (fgets(line, sizeof(line), f) && !strstr(line, " schedule\n"))
		;
	fclose(f);
	assert_int_equal(sscanf(line, "%lx %*c %199s", &address, name), 2);
	if (!address) { /* the kernel hides them */
		symbols_free(symbols);
		skip();
	}
	symbols_mark(symbols, &address, sizeof(address));
	text = symbols_text(symbols, &size);
	assert_memory_equal(text, line, strlen(line));
	assert_non_null(strchr(text + strlen(line), '\n')); /* and where it ends */
	free(text);
	symbols_free(symbols);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_occurs_is_in_the_text_by_address_and_with_its_module),
		cmocka_unit_test(of_aliases_the_first_is_kept_as_the_kernel_prints_it),
		cmocka_unit_test(an_address_at_any_multiple_of_4_is_seen_and_at_others_not),
		cmocka_unit_test(the_last_symbol_has_a_length_and_what_is_outside_marks_nothing),
		cmocka_unit_test(hidden_addresses_give_no_symbols),
		cmocka_unit_test(a_descriptor_that_cannot_be_read_is_an_error),
		cmocka_unit_test(this_kernels_symbols_find_themselves),
	};

	return cmocka_run_group_tests_name("symbols", tests, NULL, NULL);
}
