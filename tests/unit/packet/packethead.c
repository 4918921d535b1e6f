/* Heads of packets, whole and cut at every length. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <pcap/pcap.h>

#include "base/auto.h"
#include "packet/packethead.h"

#define ETHER(type) "\2\0\0\0\0\1\2\0\0\0\0\2" type
#define IPV4(total, frag, protocol) \
	"\x45\0\0" total "\0\0" frag "\x40" protocol "\0\0\x0a\x4d\0\1\x0a\x4d\0\2"
#define PORTS "\x4c\xf4\x9c\xb0" /* 19700 to 40112 */
#define UDP PORTS "\0\x0c\0\0abcd"
#define TCP PORTS "\0\0\0\1\0\0\0\2\x60\x18\0\0\0\0\0\0\1\1\1\1wxyz" /* with options */
#define IPV6(length, next)                \
	"\x60\0\0\0\0" length next "\x40" \
	"\xfd\x77\0\0\0\0\0\0\0\0\0\0\0\0\0\1\xfd\x77\0\0\0\0\0\0\0\0\0\0\0\0\0\2"
#define SLL2(type) type "\0\0\0\0\0\7\0\1\0\6\2\0\0\0\0\1\0\0"

struct packet {
	int link;
	const char *data;
	size_t size;
	const char *payload; /* NULL: none */
	bool ports;
	size_t address_size;
};

#define PACKET(link, data, ...)                           \
	{                                                 \
		link, data, sizeof(data) - 1, __VA_ARGS__ \
	}

static const struct packet packets[] = {
	PACKET(DLT_EN10MB, ETHER("\x08\0") IPV4("\x20", "\0\0", "\x11") UDP, "abcd", true, 4),
	/* what Ethernet pads is no payload */
	PACKET(DLT_EN10MB, ETHER("\x08\0") IPV4("\x20", "\0\0", "\x11") UDP "\0\0\0\0\0\0", "abcd",
	       true, 4),
	PACKET(DLT_EN10MB, ETHER("\x81\0\0\5\x08\0") IPV4("\x20", "\0\0", "\x11") UDP, "abcd", true,
	       4),
	PACKET(DLT_EN10MB, ETHER("\x88\xa8\0\5\x81\0\0\6\x08\0") IPV4("\x20", "\0\0", "\x11") UDP,
	       "abcd", true, 4),
	PACKET(DLT_LINUX_SLL2, SLL2("\x08\0") IPV4("\x34", "\0\0", "\x06") TCP, "wxyz", true, 4),
	PACKET(DLT_RAW, IPV4("\x34", "\0\0", "\x06") TCP, "wxyz", true, 4),
	PACKET(DLT_RAW, IPV6("\x0c", "\x11") UDP, "abcd", true, 16),
	PACKET(DLT_RAW, IPV6("\x14", "\0") "\x11\0\0\0\0\0\0\0" UDP, "abcd", true, 16),
	/* a later fragment has no ports */
	PACKET(DLT_RAW, IPV4("\x20", "\0\1", "\x11") UDP, NULL, false, 4),
	PACKET(DLT_RAW, IPV4("\x20", "\0\0", "\x01") UDP, NULL, false, 4),
	/* a length that IPv6 does not know says nothing of the ports */
	PACKET(DLT_RAW, IPV6("\0", "\x11") UDP, NULL, true, 16),
};

static void heads_say_who_and_where(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(packets); i++) {
		const struct packet *p = &packets[i];
		struct packethead head;

		assert_true(packethead_read(&head, p->link, (const uint8_t *)p->data, p->size));
		assert_int_equal(head.address_size, p->address_size);
		assert_int_equal(head.src[p->address_size - 1], 1);
		assert_int_equal(head.dst[p->address_size - 1], 2);
		assert_int_equal(head.has_ports, p->ports);
		assert_int_equal(head.payload != NULL, p->payload != NULL);
		if (p->ports) {
			assert_int_equal(head.sport, 19700);
			assert_int_equal(head.dport, 40112);
		}
		if (p->payload) {
			assert_int_equal(head.payload_size, 4);
			assert_memory_equal(head.payload, p->payload, 4);
		}
	}
}

static struct packethead read_whole(int link, const char *data, size_t size)
{
	struct packethead head;

	assert_true(packethead_read(&head, link, (const uint8_t *)data, size));
	return head;
}
#define READ(link, data) read_whole(link, data, sizeof(data) - 1)

static void heads_say_what_is_on_the_way(void **state)
{
	struct packethead head = READ(DLT_EN10MB, ETHER("\x88\xa8\xf0\5\x81\0\x20\6\x08\0")
							  IPV4("\x20", "\0\1", "\x11"));

	(void)state;
	assert_int_equal(head.n_tags, 2);
	assert_int_equal(head.tags[0], 5);
	assert_int_equal(head.tags[1], 6);
	assert_int_equal(head.type, 0x0800);
	assert_int_equal(head.fragment, 8);
	assert_int_equal(head.length, 12);
	assert_null(head.transport);
	head = READ(DLT_RAW, IPV6("\x14", "\0") "\x11\0\0\0\0\0\0\0" UDP);
	assert_int_equal(head.length, 12);
	assert_int_equal(head.protocol, IPPROTO_UDP);
	assert_int_equal(head.transport_size, 12);
}

static void what_is_no_packet_of_ip_is_none(void **state)
{
	struct packethead head;

	(void)state;
	assert_false(packethead_read(&head, DLT_EN10MB, (const uint8_t *)ETHER("\x08\6") UDP, 26));
	assert_false(packethead_read(&head, 12345, (const uint8_t *)packets[0].data, 40));
	assert_false(packethead_read(&head, DLT_RAW, (const uint8_t *)"", 0));
}

/* In memory of just that size, which the sanitizer guards. */
static void a_packet_that_is_cut_is_read_no_further(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(packets); i++)
		for (size_t size = 0; size < packets[i].size; size++) {
			autofree uint8_t *data = malloc(size ? size : 1);
			struct packethead head;

			memcpy(data, packets[i].data, size);
			if (!packethead_read(&head, packets[i].link, data, size))
				continue;
			assert_true(head.dst + head.address_size <= data + size);
			if (head.transport)
				assert_true(head.transport + head.transport_size == data + size);
			if (head.payload)
				assert_true(head.payload + head.payload_size <= data + size);
		}
}

static void garbage_is_read_no_further(void **state)
{
	(void)state;
	srand(1);
	for (int i = 0; i < 100000; i++) {
		const struct packet *p = &packets[rand() % countof(packets)];
		autofree uint8_t *data = malloc(p->size);
		struct packethead head;

		memcpy(data, p->data, p->size);
		for (int n = rand() % 6; n >= 0; n--)
			data[rand() % p->size] = rand();
		if (packethead_read(&head, p->link, data, p->size) && head.payload)
			assert_true(head.payload + head.payload_size <= data + p->size);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heads_say_who_and_where),
		cmocka_unit_test(heads_say_what_is_on_the_way),
		cmocka_unit_test(what_is_no_packet_of_ip_is_none),
		cmocka_unit_test(a_packet_that_is_cut_is_read_no_further),
		cmocka_unit_test(garbage_is_read_no_further),
	};

	return cmocka_run_group_tests_name("packethead", tests, NULL, NULL);
}
