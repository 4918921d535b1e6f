#include "plan/key.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/units.h"

#define PAYLOAD_MAX 65535

static int key_bytes_decode(struct key_part *part, const json_t *spec, struct err *e)
{
	json_int_t offset, size;
	const char *order = "be";
	json_error_t where;

	if (json_unpack_ex((json_t *)spec, &where, 0, "{s:I, s:I, s?s}", "payload", &offset, "size",
			   &size, "order", &order) < 0)
		return err_set(e, "bytes of a key are not well-formed: %s", where.text);
	if (offset < 0 || offset > PAYLOAD_MAX || size < 1 || size > 8)
		return err_set(e, "bytes of a key are 1 to 8, in the first 64K of the payload");
	if (strcmp(order, "be") && strcmp(order, "le"))
		return err_set(e, "the order of bytes is \"be\" or \"le\", not '%s'", order);
	part->offset = offset;
	part->size = size;
	part->little = !strcmp(order, "le");
	part->kind = VALUE_NUMBER;
	part->width = size;
	return 0;
}

int key_part_decode(struct key_part *part, const json_t *spec, struct err *e)
{
	*part = (struct key_part) { .name = json_string_value(spec) };
	if (part->name)
		return 0;
	if (json_is_object(spec))
		return key_bytes_decode(part, spec, e);
	return err_set(e, "a key is the name of a field, or bytes of the payload");
}

static void key_add(struct key *key, uint8_t kind, const void *data, size_t size)
{
	if (size > KEY_VALUE || key->size + size + 2 > KEY_SIZE)
		return;
	key->data[key->size++] = kind;
	key->data[key->size++] = size;
	memcpy(key->data + key->size, data, size);
	key->size += size;
}

void key_add_number(struct key *key, const struct key_part *part, uint64_t number)
{
	if (part->width < sizeof(number))
		number &= (1ull << part->width * 8) - 1;
	key_add(key, VALUE_NUMBER, &number, sizeof(number));
}

/* FNV-1a: two long texts must not be taken for the same because they begin alike. */
static uint64_t text_hash(const char *text, size_t length)
{
	uint64_t hash = 0xcbf29ce484222325ull;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (uint8_t)text[i]) * 0x100000001b3ull;
	return hash;
}

void key_add_text(struct key *key, const char *text, size_t length)
{
	uint8_t value[KEY_VALUE];
	uint64_t hash;

	if (length <= KEY_VALUE) {
		key_add(key, VALUE_TEXT, text, length);
		return;
	}
	hash = text_hash(text, length);
	memcpy(value, &hash, sizeof(hash));
	memcpy(value + sizeof(hash), text, KEY_VALUE - sizeof(hash));
	key_add(key, VALUE_HASH, value, KEY_VALUE);
}

int key_parts_join(struct key_part *a, struct key_part *b, struct err *e)
{
	static const char *const kinds[] = {
		[VALUE_NUMBER] = "a number", [VALUE_TEXT] = "a text", [VALUE_ADDRESS] = "an address"
	};

	if (!a->kind || !b->kind) /* of a probe that is not made yet */
		return 0;
	if (a->kind != b->kind) {
		err_set(e, "'%s' is %s and '%s' is %s: they are never the same",
			a->name ? a->name : "payload", kinds[a->kind],
			b->name ? b->name : "payload", kinds[b->kind]);
		return err_exit(e, EXIT_USAGE);
	}
	a->width = b->width = a->width < b->width ? a->width : b->width;
	return 0;
}

void key_add_address(struct key *key, const void *address, size_t size)
{
	/* an IPv4 address in an IPv6 one is that address */
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	const uint8_t *bytes = address;

	if (size == 16 && !memcmp(bytes, mapped, sizeof(mapped))) {
		bytes += sizeof(mapped);
		size = 4;
	}
	key_add(key, VALUE_ADDRESS, bytes, size);
}

static void value_print(FILE *out, uint8_t kind, const uint8_t *data, size_t size)
{
	char address[INET6_ADDRSTRLEN] = "";
	uint64_t number;

	if (kind == VALUE_NUMBER) {
		memcpy(&number, data, sizeof(number));
		fprintf(out, "%llu", (unsigned long long)number);
	} else if (kind == VALUE_HASH) {
		fprintf(out, "%.*s...", (int)(size - sizeof(number)),
			(const char *)data + sizeof(number));
	} else if (kind == VALUE_TEXT) {
		fprintf(out, "%.*s", (int)size, (const char *)data);
	} else {
		fputs(inet_ntop(size == 4 ? AF_INET : AF_INET6, data, address, sizeof(address)),
		      out);
	}
}

void key_numbers(const struct key *key, const struct key_part *parts, size_t n, char *text,
		 size_t room)
{
	uint32_t at = 0;
	size_t used = 0;

	*text = '\0';
	for (size_t i = 0; i < n && at + 2 <= key->size; i++) {
		uint64_t number;

		memcpy(&number, key->data + at + 2, sizeof(number));
		if (key->data[at] == VALUE_NUMBER && parts[i].name && used + 100 < room)
			used += snprintf(text + used, room - used, "%.64s=%lld ", parts[i].name,
					 (long long)number);
		at += 2 + key->data[at + 1];
	}
}

void key_print(const struct key *key, const struct key_part *parts, size_t n, char *text,
	       size_t room)
{
	FILE *out = fmemopen(text, room, "w");
	uint32_t at = 0;

	if (!out)
		return;
	for (size_t i = 0; i < n && at + 2 <= key->size; i++) {
		fprintf(out, "%s%s=", i ? " " : "", parts[i].name ? parts[i].name : "payload");
		value_print(out, key->data[at], key->data + at + 2, key->data[at + 1]);
		at += 2 + key->data[at + 1];
	}
	fclose(out);
	text[room - 1] = '\0';
}
