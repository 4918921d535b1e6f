#include "packet/packetfilter.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/units.h"

#define LIST_MAX 64u
#define FREE_TEXT_MAX 4096u

struct flag {
	const char *name;
	unsigned int bit;
};

static const struct flag tcp_flags[] = {
	{ "fin", 0x01 }, { "syn", 0x02 }, { "rst", 0x04 },
	{ "psh", 0x08 }, { "ack", 0x10 }, { "urg", 0x20 },
};

/* An address list of the spec and the pcap word for it. */
struct direction {
	const char *field;
	const char *word;
};

static const struct direction directions[] = {
	{ "host", "host" },
	{ "src", "src host" },
	{ "dst", "dst host" },
};

static bool list_is_empty(const json_t *spec, const char *field)
{
	return json_array_size(json_object_get(spec, field)) == 0;
}

static int list_check(const json_t *spec, const char *field, struct err *e)
{
	const json_t *list = json_object_get(spec, field);

	if (list && !json_is_array(list))
		return err_set(e, "'%s' is not a list", field);
	if (json_array_size(list) > LIST_MAX)
		return err_set(e, "'%s' has more than %u entries", field, LIST_MAX);
	return 0;
}

static bool address_is_valid(const char *text)
{
	uint8_t bytes[16];

	return text &&
	       (inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1);
}

static int addresses_check(const json_t *spec, const char *field, struct err *e)
{
	const json_t *list = json_object_get(spec, field);
	const json_t *address;
	size_t i;

	if (list_check(spec, field, e) < 0)
		return e->code;
	json_array_foreach (list, i, address) {
		const char *text = json_string_value(address);

		if (!address_is_valid(text))
			return err_set(e, "'%s' of '%s' is not an IPv4 or IPv6 address",
				       text ? text : "an entry", field);
	}
	return 0;
}

static int ports_check(const json_t *spec, struct err *e)
{
	const json_t *port;
	size_t i;

	if (list_check(spec, "port", e) < 0)
		return e->code;
	json_array_foreach (json_object_get(spec, "port"), i, port) {
		json_int_t n = json_integer_value(port);

		if (!json_is_integer(port) || n < 1 || n > UINT16_MAX)
			return err_set(e, "a port is a number from 1 to 65535");
	}
	return 0;
}

static const struct flag *flag_find(const char *name)
{
	for (size_t i = 0; name && i < countof(tcp_flags); i++)
		if (!strcmp(tcp_flags[i].name, name))
			return &tcp_flags[i];
	return NULL;
}

static int flag_check(const json_t *spec, struct err *e)
{
	const json_t *tcp = json_object_get(spec, "tcp");
	const char *name = json_string_value(tcp);

	if (tcp && !flag_find(name))
		return err_set(e, "tcp '%s' is not one of fin, syn, rst, psh, ack, urg",
			       name ? name : "");
	return 0;
}

/* Our brackets around the text are worth nothing if it closes them: "udp) or (tcp". */
static int free_text_check(const json_t *spec, struct err *e)
{
	const json_t *filter = json_object_get(spec, "filter");
	const char *text = json_string_value(filter);
	int open = 0;

	if (!filter)
		return 0;
	if (!text || strlen(text) > FREE_TEXT_MAX || strlen(text) != json_string_length(filter))
		return err_set(e, "'filter' is not a text of at most %u bytes", FREE_TEXT_MAX);
	for (const char *at = text; *at; at++) {
		open += (*at == '(') - (*at == ')');
		if (open < 0)
			return err_set(e, "filter '%s' closes a bracket that it did not open",
				       text);
	}
	if (open)
		return err_set(e, "filter '%s' does not close a bracket", text);
	return 0;
}

static int spec_check(const json_t *spec, struct err *e)
{
	for (size_t i = 0; i < countof(directions); i++)
		if (addresses_check(spec, directions[i].field, e) < 0)
			return e->code;
	if (ports_check(spec, e) < 0 || flag_check(spec, e) < 0)
		return e->code;
	return free_text_check(spec, e);
}

/* The text so far; parts are joined by "and". */
struct text {
	FILE *out;
	unsigned int parts;
};

static void part_begin(struct text *text)
{
	fputs(text->parts++ ? " and (" : "(", text->out);
}

static void part_end(struct text *text)
{
	fputc(')', text->out);
}

static void addresses_print(struct text *text, const json_t *spec,
			    const struct direction *direction)
{
	const json_t *address;
	size_t i;

	if (list_is_empty(spec, direction->field))
		return;
	part_begin(text);
	json_array_foreach (json_object_get(spec, direction->field), i, address)
		fprintf(text->out, "%s%s %s", i ? " or " : "", direction->word,
			json_string_value(address));
	part_end(text);
}

/* True if the addresses alone bound what is taken, so that fragments without ports may come along.
 */
static bool fragments_belong(const json_t *spec)
{
	bool any_address = false;

	for (size_t i = 0; i < countof(directions); i++)
		any_address |= !list_is_empty(spec, directions[i].field);
	return any_address && !json_object_get(spec, "tcp");
}

static void ports_print(struct text *text, const json_t *spec)
{
	const json_t *port;
	size_t i;

	if (list_is_empty(spec, "port"))
		return;
	part_begin(text);
	json_array_foreach (json_object_get(spec, "port"), i, port)
		fprintf(text->out, "%sport %d", i ? " or " : "", (int)json_integer_value(port));
	/* an offset that is not 0, of IPv4 and of IPv6's fragment header */
	if (fragments_belong(spec))
		fputs(" or ((ip[6:2] & 0x1fff) != 0) or ((ip6[6] = 44) and ((ip6[42:2] & 0xfff8) "
		      "!= 0))",
		      text->out);
	part_end(text);
}

/* "tcp[...]" is never true of IPv6: there the byte is found behind a header of 40 bytes. */
static void flag_print(struct text *text, const json_t *spec)
{
	const struct flag *flag = flag_find(json_string_value(json_object_get(spec, "tcp")));

	if (!flag)
		return;
	part_begin(text);
	fprintf(text->out,
		"((tcp[13] & 0x%02x) != 0) or ((ip6[6] = 6) and ((ip6[53] & 0x%02x) != 0))",
		flag->bit, flag->bit);
	part_end(text);
}

/* Comes last: a word like "vlan" in it moves where everything behind it is looked for. */
static void free_text_print(struct text *text, const json_t *spec)
{
	const char *filter = json_string_value(json_object_get(spec, "filter"));

	if (!filter || !filter[strspn(filter, " \t\n")])
		return;
	part_begin(text);
	fputs(filter, text->out);
	part_end(text);
}

/* 16 bytes at OFFSET of the IPv6 packet. */
static void address_v6_print(FILE *out, const uint8_t *address, unsigned int offset)
{
	for (unsigned int i = 0; i < 16; i += 4)
		fprintf(out, "%s(ip6[%u:4] = 0x%02x%02x%02x%02x)", i ? " and " : "", offset + i,
			address[i], address[i + 1], address[i + 2], address[i + 3]);
}

/* An ICMP error quotes the packet that it is about: its addresses are behind the ICMP header of 8
 * bytes. */
static void quoted_print(FILE *out, const char *host)
{
	uint8_t a[16];

	if (inet_pton(AF_INET, host, a) == 1) {
		fprintf(out,
			"((icmp[0] = 3 or icmp[0] = 4 or icmp[0] = 5 or icmp[0] = 11 or icmp[0] = "
			"12) and "
			"(icmp[20:4] = 0x%02x%02x%02x%02x or icmp[24:4] = 0x%02x%02x%02x%02x))",
			a[0], a[1], a[2], a[3], a[0], a[1], a[2], a[3]);
		return;
	}
	inet_pton(AF_INET6, host, a);
	fputs("((ip6[6] = 58) and (ip6[40] < 128) and ((", out);
	address_v6_print(out, a, 56);
	fputs(") or (", out);
	address_v6_print(out, a, 72);
	fputs(")))", out);
}

/* True if the spec names hosts and, at most, ports. */
static bool quotes_belong(const json_t *spec)
{
	return !list_is_empty(spec, "host") && list_is_empty(spec, "src") &&
	       list_is_empty(spec, "dst") && !json_object_get(spec, "tcp") &&
	       !json_object_get(spec, "filter");
}

static void text_print(struct text *text, const json_t *spec)
{
	bool quotes = quotes_belong(spec);
	const json_t *host;
	size_t i;

	if (quotes)
		fputc('(', text->out);
	for (i = 0; i < countof(directions); i++)
		addresses_print(text, spec, &directions[i]);
	ports_print(text, spec);
	flag_print(text, spec);
	free_text_print(text, spec);
	if (!quotes)
		return;
	fputc(')', text->out);
	json_array_foreach (json_object_get(spec, "host"), i, host) {
		fputs(" or ", text->out);
		quoted_print(text->out, json_string_value(host));
	}
}

static int memory_error(struct err *e)
{
	errno = ENOMEM;
	return err_sys(e, "packet filter");
}

int packetfilter_text(char **ret, const json_t *spec, struct err *e)
{
	autofree char *result = NULL;
	struct text text = { 0 };
	size_t size;

	if (spec_check(spec, e) < 0)
		return e->code;
	text.out = open_memstream(&result, &size);
	if (!text.out)
		return memory_error(e);
	text_print(&text, spec);
	if (fclose(text.out) != 0)
		return memory_error(e);
	*ret = take_ptr(result);
	return 0;
}

/* Words that themselves move where the rest is looked for: with them, tags are the text's own
 * business. */
static bool mentions_encapsulation(const char *filter)
{
	static const char *const words[] = { "vlan", "mpls", "pppoe", "geneve", "vxlan" };

	for (size_t i = 0; i < countof(words); i++)
		if (strstr(filter, words[i]))
			return true;
	return false;
}

char *packetfilter_tagged(const char *filter)
{
	char *tagged;

	if (!*filter || mentions_encapsulation(filter))
		return strdup(filter);
	return asprintf(&tagged, "(%s) or (vlan and (%s))", filter, filter) < 0 ? NULL : tagged;
}
