/* The test's own binary and the C library are the files that symbols are looked up in. */
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/auto.h"
#include "base/io.h"
#include "plan/elfsymbol.h"

int elfsymbol_test_global(int n);
int elfsymbol_test_data = 5;

__attribute__((noinline)) int elfsymbol_test_global(int n)
{
	__asm__ volatile("nop # global" : "+r"(n));
	return n;
}

__attribute__((noinline, used)) static int elfsymbol_twin_a(int n)
{
	__asm__ volatile("nop # twin a" : "+r"(n));
	return n;
}

__attribute__((noinline, used)) static int elfsymbol_twin_b(int n)
{
	__asm__ volatile("nop # twin b" : "+r"(n));
	return n;
}

/* Where in its file the kernel has mapped that code from. */
static uint64_t mapped_offset(const void *code)
{
	unsigned long address = (unsigned long)code, start, end, offset;
	autofclose FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx %*s %lx", &start, &end, &offset) == 3 &&
		    start <= address && address < end)
			return address - start + offset;
	fail();
	return 0;
}

static uint64_t found_in(const char *path, const char *symbol)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct err e = ERR_INIT;
	uint64_t offset = 0;

	if (elfsymbol_offset(fd, symbol, &offset, &e) < 0)
		fail_msg("%s: %s", symbol, e.text);
	return offset;
}

static void refused(int fd, const char *symbol, const char *words)
{
	struct err e = ERR_INIT;
	uint64_t offset;

	assert_int_not_equal(elfsymbol_offset(fd, symbol, &offset, &e), 0);
	if (!strstr(e.text, words))
		fail_msg("'%s' is not in '%s'", words, e.text);
}

static void refused_in(const char *path, const char *symbol, const char *words)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);

	refused(fd, symbol, words);
}

static void finds_global_and_static_functions(void **state)
{
	(void)state;
	assert_int_equal(found_in("/proc/self/exe", "elfsymbol_test_global"),
			 mapped_offset(elfsymbol_test_global));
	assert_int_equal(found_in("/proc/self/exe", "elfsymbol_twin_a"),
			 mapped_offset(elfsymbol_twin_a));
	assert_int_equal(found_in("/proc/self/exe", "elfsymbol_twin_b"),
			 mapped_offset(elfsymbol_twin_b));
}

static void an_offset_is_added(void **state)
{
	uint64_t at = mapped_offset(elfsymbol_test_global);

	(void)state;
	assert_int_equal(found_in("/proc/self/exe", "elfsymbol_test_global+1"), at + 1);
	assert_int_equal(found_in("/proc/self/exe", "elfsymbol_test_global+0x2"), at + 2);
	refused_in("/proc/self/exe", "elfsymbol_test_global+0x100000", "behind its end");
	refused_in("/proc/self/exe", "elfsymbol_test_global+", "no offset");
	refused_in("/proc/self/exe", "elfsymbol_test_global+4x", "no offset");
	refused_in("/proc/self/exe", "+4", "names no symbol");
}

static void a_wrong_name_gets_the_nearest(void **state)
{
	(void)state;
	refused_in("/proc/self/exe", "elfsymbol_test_globl",
		   "did you mean 'elfsymbol_test_global'?");
	refused_in("/proc/self/exe", "nothing_is_called_like_this_anywhere",
		   "it has no function 'nothing_is");
	refused_in("/proc/self/exe", "elfsymbol_test_data",
		   "it has no function 'elfsymbol_test_data'");
}

static void a_version_picks_its_own_function(void **state)
{
	void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
	void *older = dlvsym(libc, "realpath", "GLIBC_2.2.5");
	void *newer = dlvsym(libc, "realpath", "GLIBC_2.3");
	Dl_info info;

	(void)state;
	if (!older || !newer || !dladdr(newer, &info))
		skip();
	assert_ptr_not_equal(older, newer);
	assert_int_equal(found_in(info.dli_fname, "realpath"), mapped_offset(newer));
	assert_int_equal(found_in(info.dli_fname, "realpath@@GLIBC_2.3"), mapped_offset(newer));
	assert_int_equal(found_in(info.dli_fname, "realpath@GLIBC_2.2.5"), mapped_offset(older));
	refused_in(info.dli_fname, "realpath@GLIBC_9", "no 'realpath' of GLIBC_9");
	refused_in(info.dli_fname, "memcpy", "only chooses a function");
	dlclose(libc);
}

/* A copy of this binary to be spoilt. */
struct copy {
	int fd;
	uint8_t *data;
	size_t size;
};

static struct copy copy_make(void)
{
	struct copy copy = { .fd = memfd_create("copy", MFD_CLOEXEC) };
	autoclose int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct err e = ERR_INIT;

	copy.size = io_copy(self, copy.fd, &e);
	copy.data = mmap(NULL, copy.size, PROT_READ | PROT_WRITE, MAP_SHARED, copy.fd, 0);
	assert_ptr_not_equal(copy.data, MAP_FAILED);
	return copy;
}

static void copy_free(struct copy *copy)
{
	munmap(copy->data, copy->size);
	close(copy->fd);
}

static void two_functions_of_one_name_are_refused(void **state)
{
	struct copy copy = copy_make();
	const char other[] = "elfsymbol_twin_b";
	uint8_t *at = copy.data;

	(void)state;
	while ((at = memmem(at, copy.data + copy.size - at, other, sizeof(other))))
		at[sizeof(other) - 2] = 'a';
	refused(copy.fd, "elfsymbol_twin_a", "several functions");
	copy_free(&copy);
}

static void what_is_no_program_is_refused(void **state)
{
	struct copy copy = copy_make();
	Elf64_Ehdr *header = (Elf64_Ehdr *)copy.data;

	(void)state;
	header->e_shoff = header->e_shnum = header->e_shstrndx = 0;
	refused(copy.fd, "main", "stripped");
	header->e_type = ET_REL;
	refused(copy.fd, "main", "neither a program nor a library");
	header->e_ident[0] = 0;
	refused(copy.fd, "main", "no ELF file");
	refused(-1, "main", "it cannot be read");
	copy_free(&copy);
	refused_in("/proc/self/maps", "main", "no ELF file");
}

static void code_outside_of_what_is_loaded_is_refused(void **state)
{
	struct copy copy = copy_make();
	Elf64_Ehdr *header = (Elf64_Ehdr *)copy.data;
	Elf64_Phdr *segments = (Elf64_Phdr *)(copy.data + header->e_phoff);

	(void)state;
	for (int i = 0; i < header->e_phnum; i++)
		segments[i].p_flags &= ~PF_X;
	refused(copy.fd, "elfsymbol_test_global", "is no code");
	copy_free(&copy);
}

/* Reads of what is not there are for the sanitizer to find. */
static void spoilt_files_are_survived(void **state)
{
	struct copy copy = copy_make();
	Elf64_Ehdr *header = (Elf64_Ehdr *)copy.data;
	uint8_t *tables = copy.data + header->e_shoff;
	size_t size = header->e_shnum * sizeof(Elf64_Shdr);
	unsigned seed = 7;

	(void)state;
	for (int i = 0; i < 300; i++) {
		uint8_t *at = i % 4 ? &tables[rand_r(&seed) % size]
				    : &copy.data[rand_r(&seed) % sizeof(*header)];
		struct err e = ERR_INIT;
		uint8_t was = *at;
		uint64_t offset;

		*at = rand_r(&seed);
		elfsymbol_offset(copy.fd, "elfsymbol_test_global@V+1", &offset, &e);
		if (i % 3)
			*at = was;
	}
	assert_int_equal(ftruncate(copy.fd, 5000), 0);
	refused(copy.fd, "elfsymbol_test_global", "");
	copy_free(&copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_global_and_static_functions),
		cmocka_unit_test(an_offset_is_added),
		cmocka_unit_test(a_wrong_name_gets_the_nearest),
		cmocka_unit_test(a_version_picks_its_own_function),
		cmocka_unit_test(two_functions_of_one_name_are_refused),
		cmocka_unit_test(what_is_no_program_is_refused),
		cmocka_unit_test(code_outside_of_what_is_loaded_is_refused),
		cmocka_unit_test(spoilt_files_are_survived),
	};

	elfsymbol_test_global(elfsymbol_test_data);
	return cmocka_run_group_tests_name("elfsymbol", tests, NULL, NULL);
}
