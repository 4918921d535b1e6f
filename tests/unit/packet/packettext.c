#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "packet/packettext.h"

#define ETHERNET 1
#define RAW 101
#define SLL2 276

#define V4(protocol, fragment, total) \
	"45 00 " total " 00 01 " fragment " 40 " protocol " 00 00 0a 00 00 05 0a 00 00 06 "
#define V6(next, length)                                                                      \
	"60 00 00 00 " length " " next " 40 fd 00 00 00 00 00 00 00 00 00 00 00 00 00 00 01 " \
	"fd 00 00 00 00 00 00 00 00 00 00 00 00 00 00 02 "
#define MAC "02 00 00 00 00 01 02 00 00 00 00 02 "
#define UDP "4c f4 00 35 00 28 00 00 "
#define TCP "4c f4 9c b0 00 00 00 01 00 00 00 02 50 12 01 00 00 00 00 00 "

/* The bytes of HEX, on the heap and no more than they are, so that a read beyond them is seen. */
static uint8_t *bytes_of(const char *hex, size_t *n)
{
	uint8_t *bytes = malloc(strlen(hex) / 3 + 1);
	char *end;

	for (*n = 0; *hex; hex = end + (*end == ' '))
		bytes[(*n)++] = strtoul(hex, &end, 16);
	return realloc(bytes, *n ? *n : 1);
}

static char *line_of(uint16_t link, const uint8_t *data, size_t caplen, size_t len)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	packettext_line(link, data, caplen, len, out);
	fclose(out);
	return text;
}

static const struct {
	uint16_t link;
	const char *hex, *text;
} rows[] = {
	{ RAW, V4("11", "00 00", "00 3c") UDP, "IP 10.0.0.5.19700 > 10.0.0.6.53: UDP, length 32" },
	{ RAW, V4("06", "00 00", "00 3c") TCP,
	  "IP 10.0.0.5.19700 > 10.0.0.6.40112: TCP [S.] seq 1 ack 2 win 256, length 20" },
	{ RAW, V4("01", "00 00", "00 3c") "03 04 ", "IP 10.0.0.5 > 10.0.0.6: ICMP type 3 code 4" },
	{ RAW, V4("2f", "00 00", "00 3c") "00 ", "IP 10.0.0.5 > 10.0.0.6: protocol 47, length 40" },
	{ RAW, V4("11", "20 b9", "00 3c") UDP,
	  "IP 10.0.0.5 > 10.0.0.6: fragment at 1480, protocol 17" },
	{ RAW, V4("11", "20 00", "05 dc") UDP,
	  "IP 10.0.0.5.19700 > 10.0.0.6.53: UDP, length 1472" },
	{ RAW, V6("11", "00 28") UDP, "IP6 fd00::1.19700 > fd00::2.53: UDP, length 32" },
	{ RAW, V6("3a", "00 28") "86 00 ", "IP6 fd00::1 > fd00::2: ICMP type 134 code 0" },
	{ ETHERNET, MAC "08 00 " V4("11", "00 00", "00 24") UDP,
	  "IP 10.0.0.5.19700 > 10.0.0.6.53: UDP, length 8" },
	{ ETHERNET, MAC "86 dd " V6("11", "00 10") UDP,
	  "IP6 fd00::1.19700 > fd00::2.53: UDP, length 8" },
	{ ETHERNET, MAC "81 00 60 2a 08 00 " V4("11", "00 00", "00 24") UDP,
	  "vlan 42, IP 10.0.0.5.19700 > 10.0.0.6.53: UDP, length 8" },
	{ ETHERNET, MAC "81 00 00 01 81 00 00 02 08 06 ", "vlan 1, vlan 2, ARP" },
	{ ETHERNET, MAC "88 cc 00 ", "ethertype 0x88cc" },
	{ ETHERNET, MAC "88 a8 00 01 81 00 00 02 08 06 ", "vlan 1, vlan 2, ARP" },
	{ ETHERNET, MAC "81 00 00 01 88 a8 00 02 08 06 ", "vlan 1, vlan 2, ARP" },
	{ RAW, V6("00", "00 30") "11 00 00 00 00 00 00 00 " UDP,
	  "IP6 fd00::1.19700 > fd00::2.53: UDP, length 32" },
	{ SLL2,
	  "08 00 00 00 00 00 00 01 00 01 00 06 02 00 00 00 00 01 00 00 " V4("11", "00 00", "00 24")
		  UDP,
	  "IP 10.0.0.5.19700 > 10.0.0.6.53: UDP, length 8" },
	/* cut short */
	{ RAW, "45 00 00 3c 00 01 ", "IP, cut short" },
	{ RAW, "44 00 00 3c 00 01 00 00 40 11 00 00 0a 00 00 05 0a 00 00 06 00 ", "IP, cut short" },
	{ RAW, "60 00 00 00 ", "IP6, cut short" },
	{ RAW, V4("06", "00 00", "00 3c") "4c f4 9c b0 ",
	  "IP 10.0.0.5.19700 > 10.0.0.6.40112: TCP, cut short" },
	{ RAW, V4("11", "00 00", "00 3c") "4c ", "IP 10.0.0.5 > 10.0.0.6: UDP, length 32" },
	{ RAW, "", "link type 101, 0 bytes" },
	{ ETHERNET, MAC, "link type 1, 12 bytes" },
	{ 999, "01 02 ", "link type 999, 2 bytes" },
	/* lengths that lie */
	{ RAW, V4("11", "00 00", "00 00") UDP, "IP 10.0.0.5.19700 > 10.0.0.6.53: UDP, length 0" },
	{ RAW, V6("06", "00 00") TCP,
	  "IP6 fd00::1.19700 > fd00::2.40112: TCP [S.] seq 1 ack 2 win 256, length 0" },
};

static void each_kind_of_packet_has_its_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(rows); i++) {
		size_t n;
		autofree uint8_t *data = bytes_of(rows[i].hex, &n);
		autofree char *text = line_of(rows[i].link, data, n, n);

		assert_string_equal(text, rows[i].text);
	}
}

static void assert_one_line(const char *text)
{
	assert_true(*text && strlen(text) < 300);
	for (; *text; text++)
		assert_in_range((unsigned char)*text, ' ', '~');
}

static void a_packet_that_is_cut_anywhere_has_a_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < countof(rows); i++) {
		size_t n;
		autofree uint8_t *whole = bytes_of(rows[i].hex, &n);

		for (size_t cut = 0; cut < n; cut++) {
			autofree uint8_t *data = malloc(cut ? cut : 1);
			autofree char *text = NULL;

			memcpy(data, whole, cut);
			text = line_of(rows[i].link, data, cut, n);
			assert_one_line(text);
		}
	}
}

static void random_bytes_have_a_line(void **state)
{
	static const uint16_t links[] = { ETHERNET, RAW, SLL2, 0 };
	static const uint16_t types[] = { 0x0800, 0x86dd, 0x8100, 0x0806 };

	(void)state;
	srand(1);
	for (int round = 0; round < 20000; round++) {
		uint16_t link = links[rand() % 4], type = htons(types[rand() % 4]);
		size_t n = rand() % 90;
		autofree uint8_t *data = malloc(n ? n : 1);
		autofree char *text = NULL;

		for (size_t i = 0; i < n; i++)
			data[i] = rand();
		if (link == ETHERNET && n >= 14)
			memcpy(data + 12, &type, 2);
		if (link == SLL2 && n >= 2)
			memcpy(data, &type, 2);
		text = line_of(link, data, n, rand());
		assert_one_line(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_of_packet_has_its_line),
		cmocka_unit_test(a_packet_that_is_cut_anywhere_has_a_line),
		cmocka_unit_test(random_bytes_have_a_line),
	};

	return cmocka_run_group_tests_name("packettext", tests, NULL, NULL);
}
