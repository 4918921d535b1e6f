#include "plan/elfsymbol.h"

#include <errno.h>
#include <gelf.h>
#include <libelf.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/units.h"

#define VERSION_HIDDEN                                                            \
	0x8000 /* in a symbol's version: not the one that a plain name stands for \
		*/
#define VERSIONS_MAX 65536

enum rank { RANK_NONE, RANK_LOCAL, RANK_GLOBAL };

struct search {
	Elf *elf;
	char *name; /* what is looked for, without the rest: */
	const char *version;
	uint64_t plus;
	Elf_Data *versions; /* of the dynamic symbols; NULL if they have none */
	Elf_Data *definitions;
	size_t definition_names;
	const char **names; /* of all functions, for "did you mean" */
	size_t n_names;
	GElf_Sym found;
	enum rank rank;
	bool several; /* of that rank, at different places */
};

/* "f@VERSION+0x10" in its parts. */
static int search_split(struct search *s, const char *symbol, struct err *e)
{
	char *plus, *at, *end;

	s->name = strdup(symbol);
	if (!s->name)
		return err_set(e, "no memory");
	plus = strrchr(s->name, '+');
	if (plus) {
		errno = 0;
		s->plus = strtoull(plus + 1, &end, 0);
		if (end == plus + 1 || *end || errno)
			return err_set(e, "'%s' is no offset: write SYMBOL+16 or SYMBOL+0x10",
				       plus + 1);
		*plus = '\0';
	}
	at = strchr(s->name, '@');
	if (at) {
		*at = '\0';
		s->version = at + (at[1] == '@' ? 2 : 1);
	}
	return *s->name ? 0 : err_set(e, "'%s' names no symbol", symbol);
}

/* The name of the version with that number, NULL if the file defines none. */
static const char *search_version_name(const struct search *s, unsigned number)
{
	int at = 0;

	for (int i = 0; s->definitions && i < VERSIONS_MAX; i++) {
		GElf_Verdef definition;
		GElf_Verdaux name;

		if (!gelf_getverdef(s->definitions, at, &definition))
			return NULL;
		if (definition.vd_ndx == number)
			return gelf_getverdaux(s->definitions, at + definition.vd_aux, &name)
				       ? elf_strptr(s->elf, s->definition_names, name.vda_name)
				       : NULL;
		if (!definition.vd_next)
			return NULL;
		at += definition.vd_next;
	}
	return NULL;
}

/* Whether a dynamic symbol of the right name has the right version too. */
static bool search_version_fits(const struct search *s, int index)
{
	GElf_Versym version;
	const char *name;

	if (!s->versions || !gelf_getversym(s->versions, index, &version))
		return !s->version;
	if (!s->version)
		return !(version & VERSION_HIDDEN);
	name = search_version_name(s, version & ~VERSION_HIDDEN);
	return name && !strcmp(name, s->version);
}

/* Own symbols carry their version in the name: "f@VERSION", or "f@@VERSION" for the one that "f"
 * stands for. */
static bool search_text_fits(const struct search *s, const char *at)
{
	if (!*at)
		return !s->version;
	if (!s->version)
		return at[1] == '@';
	return !strcmp(at + (at[1] == '@' ? 2 : 1), s->version);
}

static void search_take(struct search *s, const GElf_Sym *symbol)
{
	enum rank rank = GELF_ST_BIND(symbol->st_info) == STB_LOCAL ? RANK_LOCAL : RANK_GLOBAL;

	if (rank < s->rank)
		return;
	s->several = rank == s->rank && (s->several || symbol->st_value != s->found.st_value);
	s->rank = rank;
	s->found = *symbol;
}

static bool symbol_is_function(const GElf_Sym *symbol)
{
	int type = GELF_ST_TYPE(symbol->st_info);

	return symbol->st_shndx != SHN_UNDEF && symbol->st_value &&
	       (type == STT_FUNC || type == STT_NOTYPE || type == STT_GNU_IFUNC);
}

static int search_section(struct search *s, Elf_Scn *section, const GElf_Shdr *header,
			  struct err *e)
{
	Elf_Data *data = elf_getdata(section, NULL);
	size_t length = strlen(s->name);
	size_t n = data ? data->d_size / gelf_fsize(s->elf, ELF_T_SYM, 1, EV_CURRENT) : 0;
	const char **grown = realloc(s->names, (s->n_names + n + 1) * sizeof(*grown));

	if (!grown)
		return err_set(e, "no memory for %zu symbols", n);
	s->names = grown;
	for (size_t i = 0; i < n; i++) {
		const char *name;
		GElf_Sym symbol;

		if (!gelf_getsym(data, i, &symbol) || !symbol_is_function(&symbol))
			continue;
		name = elf_strptr(s->elf, header->sh_link, symbol.st_name);
		if (!name || !*name)
			continue;
		s->names[s->n_names++] = name;
		if (strncmp(name, s->name, length) || (name[length] && name[length] != '@'))
			continue;
		if (header->sh_type == SHT_DYNSYM ? search_version_fits(s, i)
						  : search_text_fits(s, name + length))
			search_take(s, &symbol);
	}
	return 0;
}

/* A file has one table of each kind, if it has any. */
static Elf_Scn *search_table(const struct search *s, unsigned type, GElf_Shdr *header)
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(s->elf, section)))
		if (gelf_getshdr(section, header) && header->sh_type == type)
			return section;
	return NULL;
}

/* Where the versions of the dynamic symbols are. */
static void search_find_versions(struct search *s)
{
	GElf_Shdr header;
	Elf_Scn *section = search_table(s, SHT_GNU_versym, &header);

	s->versions = section ? elf_getdata(section, NULL) : NULL;
	section = search_table(s, SHT_GNU_verdef, &header);
	s->definitions = section ? elf_getdata(section, NULL) : NULL;
	s->definition_names = section ? header.sh_link : 0;
}

static int search_tables(struct search *s, struct err *e)
{
	static const unsigned types[] = { SHT_DYNSYM, SHT_SYMTAB };

	search_find_versions(s);
	for (size_t i = 0; i < countof(types); i++) {
		GElf_Shdr header;
		Elf_Scn *section = search_table(s, types[i], &header);

		if (section && search_section(s, section, &header, e) < 0)
			return e->code;
	}
	return 0;
}

static int search_missing(const struct search *s, struct err *e)
{
	const char *near = nearest_name(s->name, s->names, s->n_names);

	if (!s->n_names)
		return err_set(e, "it has no symbols: they were stripped");
	if (near && !strcmp(near, s->name))
		return err_set(e, "it has no '%s' of %s", s->name,
			       s->version ? s->version : "a version that a plain name stands for");
	if (near)
		return err_set(e, "it has no function '%s', did you mean '%s'?", s->name, near);
	return err_set(e, "it has no function '%s'", s->name);
}

static int search_check(const struct search *s, struct err *e)
{
	if (s->rank == RANK_NONE)
		return search_missing(s, e);
	if (s->several)
		return err_set(e, "it has several functions '%s'", s->name);
	if (GELF_ST_TYPE(s->found.st_info) == STT_GNU_IFUNC)
		return err_set(
			e, "'%s' only chooses a function when the program starts: name that one",
			s->name);
	if (s->plus && s->plus >= s->found.st_size)
		return err_set(e, "'%s' has %llu bytes, +%llu is behind its end", s->name,
			       (unsigned long long)s->found.st_size, (unsigned long long)s->plus);
	return 0;
}

/* Addresses are those of the loaded program: the segment that holds one tells its place in the
 * file. */
static int search_place(const struct search *s, uint64_t address, uint64_t *offset, struct err *e)
{
	GElf_Phdr segment;
	size_t n = 0;

	elf_getphdrnum(s->elf, &n);
	for (size_t i = 0; i < n; i++) {
		if (!gelf_getphdr(s->elf, i, &segment) || segment.p_type != PT_LOAD ||
		    !(segment.p_flags & PF_X))
			continue;
		if (address < segment.p_vaddr || address - segment.p_vaddr >= segment.p_filesz)
			continue;
		*offset = address - segment.p_vaddr + segment.p_offset;
		return 0;
	}
	return err_set(e, "'%s' is no code", s->name);
}

static int search_run(struct search *s, const char *symbol, uint64_t *offset, struct err *e)
{
	GElf_Ehdr header;

	if (elf_kind(s->elf) != ELF_K_ELF || !gelf_getehdr(s->elf, &header))
		return err_set(e, "it is no ELF file");
	if (header.e_type != ET_EXEC && header.e_type != ET_DYN)
		return err_set(e, "it is neither a program nor a library");
	if (search_split(s, symbol, e) < 0 || search_tables(s, e) < 0 || search_check(s, e) < 0)
		return e->code;
	return search_place(s, s->found.st_value + s->plus, offset, e);
}

int elfsymbol_offset(int fd, const char *symbol, uint64_t *offset, struct err *e)
{
	struct search s = { 0 };
	int r;

	if (elf_version(EV_CURRENT) == EV_NONE)
		return err_set(e, "libelf is too old");
	/* read, not mapped: a file that shrinks meanwhile is an error then, and no SIGBUS */
	s.elf = elf_begin(fd, ELF_C_READ, NULL);
	if (!s.elf)
		return err_set(e, "it cannot be read: %s", elf_errmsg(-1));
	r = search_run(&s, symbol, offset, e);
	elf_end(s.elf);
	free(s.names);
	free(s.name);
	return r;
}
