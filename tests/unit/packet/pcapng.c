#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/auto.h"
#include "packet/pcapng.h"

#define WALL 1782000000123456789ull

static int scratch(void)
{
	int fd = memfd_create("pcapng-test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void ok(int r, const struct err *e)
{
	if (r < 0)
		fail_msg("%s", e->text);
}

/* Packet N: its stamp, size and bytes follow from its number. */
static struct pcapng_packet numbered(uint32_t n, uint8_t *data)
{
	uint32_t caplen = n * 37 % 301;

	memset(data, n & 0xff, caplen);
	return (struct pcapng_packet) { .interface = n % 2,
					.wall_ns = WALL + n * 1000003ull,
					.caplen = caplen,
					.len = caplen + n,
					.data = data };
}

static void write_file(int fd, uint32_t packets)
{
	static const struct pcapng_interface interfaces[] = {
		{ .name = "any", .link = 276, .snaplen = 512, .filter = "(host 10.0.0.1)" },
		{ .name = "eth0", .link = 276, .snaplen = 512 },
	};
	struct pcapng_counts counts = {
		.from_ns = WALL, .to_ns = WALL + 5, .received = packets + 3, .dropped = 3
	};
	struct err e = ERR_INIT;
	struct pcapng *file = NULL;
	uint8_t data[512];

	ok(pcapng_new(&file, fd, "a capture", &e), &e);
	for (size_t i = 0; i < countof(interfaces); i++)
		ok(pcapng_add_interface(file, &interfaces[i], &e), &e);
	for (uint32_t n = 0; n < packets; n++) {
		struct pcapng_packet packet = numbered(n, data);

		packet.comment = n + 1 == packets ? "the last one" : NULL;
		ok(pcapng_add_packet(file, &packet, &e), &e);
	}
	ok(pcapng_add_counts(file, &counts, &e), &e);
	ok(pcapng_flush(file, &e), &e);
	pcapng_free(file);
}

static struct pcapng_reader *reader_of(int fd)
{
	struct pcapng_reader *reader = NULL;
	struct err e = ERR_INIT;

	ok(pcapng_reader_new(&reader, fd, &e), &e);
	return reader;
}

static void assert_numbered(const struct pcapng_packet *packet, uint32_t n)
{
	uint8_t data[512];
	struct pcapng_packet expected = numbered(n, data);

	assert_int_equal(packet->interface, expected.interface);
	assert_int_equal(packet->wall_ns, expected.wall_ns);
	assert_int_equal(packet->caplen, expected.caplen);
	assert_int_equal(packet->len, expected.len);
	assert_memory_equal(packet->data, data, expected.caplen);
}

static void libpcap_reads_what_we_write(void **state)
{
	char error[PCAP_ERRBUF_SIZE];
	struct pcap_pkthdr *head;
	const u_char *bytes;
	int fd = scratch();
	uint32_t n = 0;

	(void)state;
	write_file(fd, 5000);
	lseek(fd, 0, SEEK_SET);
	pcap_t *pcap = pcap_fopen_offline_with_tstamp_precision(fdopen(fd, "r"),
								PCAP_TSTAMP_PRECISION_NANO, error);

	if (!pcap)
		fail_msg("%s", error);
	assert_int_equal(pcap_datalink(pcap), DLT_LINUX_SLL2);
	for (; pcap_next_ex(pcap, &head, &bytes) == 1; n++) {
		struct pcapng_packet packet = {
			.interface = n % 2,
			.wall_ns = head->ts.tv_sec * 1000000000ull + head->ts.tv_usec,
			.caplen = head->caplen,
			.len = head->len,
			.data = bytes,
		};

		assert_numbered(&packet, n);
	}
	assert_int_equal(n, 5000);
	pcap_close(pcap);
}

static bool file_has(int fd, const void *what, size_t size)
{
	static char content[65536];
	ssize_t n = pread(fd, content, sizeof(content), 0);

	assert_true(n > 0);
	return memmem(content, n, what, size) != NULL;
}

static void the_section_and_the_interfaces_say_what_they_are(void **state)
{
	/* option 9, one byte: 10 to the minus 9; option 11, a byte 0 for pcap's text; counts 4 and
	 * 7 */
	static const uint8_t resolution[] = { 9, 0, 1, 0, 9, 0, 0, 0 };
	static const uint8_t filter[] = { 11, 0, 16, 0, 0, '(', 'h', 'o', 's', 't' };
	static const uint8_t received[] = { 4, 0, 8, 0, 13, 0, 0, 0, 0, 0,
					    0, 0, 7, 0, 8,  0, 3, 0, 0, 0 };
	static const uint8_t comment[] = { 1, 0, 12, 0, 't', 'h', 'e', ' ', 'l', 'a', 's', 't' };
	static const uint8_t application[] = { 4, 0, 6, 0, 't', 'r', 'a', 'c', 'e', 'r', 0, 0 };
	autoclose int fd = scratch();

	(void)state;
	write_file(fd, 10);
	assert_true(file_has(fd, "a capture", 9));
	assert_true(file_has(fd, application, sizeof(application)));
	assert_true(file_has(fd, resolution, sizeof(resolution)));
	assert_true(file_has(fd, filter, sizeof(filter)));
	assert_true(file_has(fd, received, sizeof(received)));
	assert_true(file_has(fd, comment, sizeof(comment)));
}

static void we_read_what_we_write(void **state)
{
	struct pcapng_packet packet;
	struct err e = ERR_INIT;
	autoclose int fd = scratch();
	uint32_t n = 0;

	(void)state;
	write_file(fd, 20000);
	struct pcapng_reader *reader = reader_of(fd);

	for (; pcapng_reader_next(reader, &packet, NULL, &e) > 0; n++)
		assert_numbered(&packet, n);
	assert_int_equal(e.code, 0);
	assert_int_equal(n, 20000);
	assert_string_equal(pcapng_reader_interface(reader, 0)->name, "any");
	assert_string_equal(pcapng_reader_interface(reader, 1)->name, "eth0");
	assert_int_equal(pcapng_reader_interface(reader, 1)->link, 276);
	assert_int_equal(pcapng_reader_interface(reader, 1)->snaplen, 512);
	assert_null(pcapng_reader_interface(reader, 2));
	pcapng_reader_free(reader);
	pcapng_reader_free(NULL);
}

static void the_last_packets_are_found_in_one_pass(void **state)
{
	static const size_t sizes[] = { 0, 1, 7, 1000, 2999, 3000, 3001, 5000 };
	autoclose int fd = scratch();

	(void)state;
	write_file(fd, 3000);
	for (size_t i = 0; i < countof(sizes); i++) {
		autofree uint64_t *offsets = calloc(sizes[i] + 1, sizeof(*offsets));
		struct pcapng_reader *reader = reader_of(fd);
		size_t wanted = sizes[i] < 3000 ? sizes[i] : 3000;
		struct err e = ERR_INIT;

		assert_int_equal(pcapng_reader_last(reader, UINT64_MAX, offsets, sizes[i], &e),
				 wanted);
		assert_int_equal(e.code, 0);
		for (size_t k = wanted; k-- > 0;) {
			struct pcapng_packet packet;

			ok(pcapng_reader_at(reader, offsets[k], &packet, &e), &e);
			assert_numbered(&packet, 3000 - wanted + k);
		}
		pcapng_reader_free(reader);
	}
}

static void the_last_packets_can_end_before_a_time(void **state)
{
	autoclose int fd = scratch();
	struct pcapng_packet packet;
	struct err e = ERR_INIT;
	uint64_t offsets[10];

	(void)state;
	write_file(fd, 300);
	struct pcapng_reader *reader = reader_of(fd);

	assert_int_equal(pcapng_reader_last(reader, WALL + 99 * 1000003ull, offsets, 10, &e), 10);
	ok(pcapng_reader_at(reader, offsets[9], &packet, &e), &e);
	assert_numbered(&packet, 99);
	pcapng_reader_free(reader);
}

static void a_place_without_a_packet_is_refused(void **state)
{
	static const uint64_t places[] = { 0, 1, 4, 1ull << 40, INT64_MAX, UINT64_MAX };
	autoclose int fd = scratch();
	struct pcapng_packet packet;

	(void)state;
	write_file(fd, 3);
	struct pcapng_reader *reader = reader_of(fd);

	for (size_t i = 0; i < countof(places); i++) {
		struct err e = ERR_INIT;

		assert_true(pcapng_reader_at(reader, places[i], &packet, &e) < 0);
		assert_true(e.text[0]);
	}
	pcapng_reader_free(reader);
}

static void a_file_cut_short_gives_what_is_whole(void **state)
{
	autoclose int fd = scratch();
	off_t size;
	uint32_t before = 0;

	(void)state;
	write_file(fd, 60);
	size = lseek(fd, 0, SEEK_END);
	for (off_t cut = 200; cut < size; cut += 13) {
		autoclose int copy = scratch();
		struct pcapng_packet packet;
		struct err e = ERR_INIT;
		uint32_t n = 0;
		off_t from = 0;

		while (from < cut)
			assert_true(copy_file_range(fd, &from, copy, NULL, cut - from, 0) > 0);
		struct pcapng_reader *reader = NULL;

		if (pcapng_reader_new(&reader, copy, &e) < 0)
			continue;
		for (; pcapng_reader_next(reader, &packet, NULL, &e) > 0; n++)
			assert_numbered(&packet, n);
		assert_true(n >= before && n <= 60);
		before = n;
		pcapng_reader_free(reader);
	}
	assert_int_equal(before, 60);
}

static void other_files_are_refused(void **state)
{
	static const struct {
		size_t size;
		char bytes[32];
	} contents[] = {
		{ 0, "" },
		{ 1, "x" },
		{ 4, "\n\r\r\n" },
		{ 28, "\n\r\r\n\x1c" },
		{ 24, "\xd4\xc3\xb2\xa1\x02\0\x04" },
		{ 12, "\x06\0\0\0\x0c\0\0\0\x0c\0\0" },
	};

	(void)state;
	for (size_t i = 0; i < countof(contents); i++) {
		struct pcapng_reader *reader = NULL;
		struct err e = ERR_INIT;
		autoclose int fd = scratch();

		assert_int_equal(write(fd, contents[i].bytes, contents[i].size), contents[i].size);
		assert_true(pcapng_reader_new(&reader, fd, &e) < 0);
		assert_true(e.text[0]);
		assert_null(reader);
	}
}

static void a_file_of_the_other_byte_order_is_refused(void **state)
{
	const uint32_t other = __builtin_bswap32(0x1a2b3c4d);
	struct pcapng_reader *reader = NULL;
	struct err e = ERR_INIT;
	autoclose int fd = scratch();

	(void)state;
	write_file(fd, 1);
	assert_int_equal(pwrite(fd, &other, 4, 8), 4);
	assert_true(pcapng_reader_new(&reader, fd, &e) < 0);
	assert_non_null(strstr(e.text, "of this machine"));
}

static size_t walk(int fd)
{
	struct pcapng_reader *reader = NULL;
	struct pcapng_packet packet;
	struct err e = ERR_INIT;
	size_t sum = 0, n = 0;

	if (pcapng_reader_new(&reader, fd, &e) < 0)
		return 0;
	while (pcapng_reader_next(reader, &packet, NULL, &e) > 0) {
		const uint8_t *data = packet.data;
		const struct pcapng_interface *interface =
			pcapng_reader_interface(reader, packet.interface);

		assert_non_null(interface);
		sum += strlen(interface->name);
		assert_true(packet.caplen <= PCAPNG_SNAPLEN);
		for (size_t i = 0; i < packet.caplen; i++)
			sum += data[i];
		assert_true(++n < 10000);
	}
	pcapng_reader_free(reader);
	return sum;
}

static void a_mutated_file_stays_in_its_bounds(void **state)
{
	static uint8_t good[65536], bad[65536];
	autoclose int fd = scratch();
	unsigned int seed = 11;
	ssize_t size;
	size_t total = 0;

	(void)state;
	write_file(fd, 40);
	size = pread(fd, good, sizeof(good), 0);
	assert_in_range(size, 1000, sizeof(good) - 1);
	for (int i = 0; i < 4000; i++) {
		memcpy(bad, good, size);
		for (int k = 0; k <= i % 4; k++) {
			/* half of the changes are in the heads, where the lengths are */
			size_t at = rand_r(&seed) % (i % 2 ? 300 : size);

			bad[at] = i % 3 ? rand_r(&seed) : (uint8_t)(rand_r(&seed) % 3 - 1);
		}
		assert_int_equal(pwrite(fd, bad, size, 0), size);
		total += walk(fd);
	}
	assert_true(total > 0);
}

/* Where the bytes are in what write_file has written, from FROM on. */
static off_t place_of(int fd, const void *what, size_t size, off_t from)
{
	static char content[65536];
	ssize_t n = pread(fd, content, sizeof(content), 0);
	const char *found = memmem(content + from, n - from, what, size);

	assert_non_null(found);
	return found - content;
}

static void a_packet_longer_than_its_block_ends_the_walk(void **state)
{
	const uint32_t packet_block = 6, caplen = 4000;
	struct pcapng_packet packet;
	autoclose int fd = scratch();
	struct err e = ERR_INIT;

	(void)state;
	write_file(fd, 3);
	/* behind type, length, interface and stamp */
	off_t second = place_of(fd, &packet_block, 4, place_of(fd, &packet_block, 4, 0) + 4);

	assert_int_equal(pwrite(fd, &caplen, 4, second + 20), 4);
	struct pcapng_reader *reader = reader_of(fd);

	assert_int_equal(pcapng_reader_next(reader, &packet, NULL, &e), 1);
	assert_true(pcapng_reader_next(reader, &packet, NULL, &e) < 0);
	assert_non_null(strstr(e.text, "longer than its block"));
	pcapng_reader_free(reader);
}

static void a_name_longer_than_its_block_is_none(void **state)
{
	static const uint8_t name[] = { 2, 0, 4, 0, 'e', 't', 'h', '0' };
	const uint16_t size = 4000;
	struct pcapng_packet packet;
	autoclose int fd = scratch();
	struct err e = ERR_INIT;

	(void)state;
	write_file(fd, 3);
	assert_int_equal(pwrite(fd, &size, 2, place_of(fd, name, sizeof(name), 0) + 2), 2);
	struct pcapng_reader *reader = reader_of(fd);

	assert_int_equal(pcapng_reader_next(reader, &packet, NULL, &e), 1);
	assert_string_equal(pcapng_reader_interface(reader, 1)->name, "?");
	pcapng_reader_free(reader);
}

static void a_full_disk_is_an_error(void **state)
{
	struct pcapng_interface interface = { .name = "any", .link = 276 };
	autoclose int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct pcapng *file = NULL;
	struct err e = ERR_INIT;
	static uint8_t data[PCAPNG_SNAPLEN];
	struct pcapng_packet packet = { .caplen = sizeof(data), .len = sizeof(data), .data = data };
	int r = 0;

	(void)state;
	assert_true(fd >= 0);
	ok(pcapng_new(&file, fd, NULL, &e), &e);
	ok(pcapng_add_interface(file, &interface, &e), &e);
	for (int i = 0; i < 10 && r == 0; i++)
		r = pcapng_add_packet(file, &packet, &e);
	assert_int_equal(r, -ENOSPC);
	pcapng_free(file);

	ok(pcapng_new(&file, fd, NULL, &e), &e);
	assert_int_equal(pcapng_flush(file, &e), -ENOSPC);
	pcapng_free(file);
	pcapng_free(NULL);
}

static void what_cannot_be_written_is_refused(void **state)
{
	struct pcapng_interface interface = { .name = "any", .link = 276 };
	static uint8_t data[PCAPNG_SNAPLEN + 1];
	struct pcapng_packet packet = { .caplen = 1, .data = data };
	struct pcapng_counts counts = { .interface = 1 };
	autoclose int fd = scratch();
	struct pcapng *file = NULL;
	struct err e = ERR_INIT;

	(void)state;
	ok(pcapng_new(&file, fd, NULL, &e), &e);
	assert_true(pcapng_add_packet(file, &packet, &e) < 0);
	ok(pcapng_add_interface(file, &interface, &e), &e);
	packet.caplen = sizeof(data);
	assert_true(pcapng_add_packet(file, &packet, &e) < 0);
	assert_true(pcapng_add_counts(file, &counts, &e) < 0);
	for (uint32_t i = 1; i < PCAPNG_INTERFACES; i++)
		ok(pcapng_add_interface(file, &interface, &e), &e);
	assert_true(pcapng_add_interface(file, &interface, &e) < 0);
	pcapng_free(file);
}

static void long_texts_are_cut_and_large_packets_are_whole(void **state)
{
	static char text[100000];
	static uint8_t data[PCAPNG_SNAPLEN];
	struct pcapng_interface interface = { .name = text, .link = 1, .filter = text };
	struct pcapng_packet packet = { .caplen = sizeof(data),
					.len = 7,
					.data = data,
					.comment = text },
			     back;
	autoclose int fd = scratch();
	struct pcapng *file = NULL;
	struct err e = ERR_INIT;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	memset(data, 'y', sizeof(data));
	ok(pcapng_new(&file, fd, text, &e), &e);
	ok(pcapng_add_interface(file, &interface, &e), &e);
	for (int i = 0; i < 9; i++)
		ok(pcapng_add_packet(file, &packet, &e), &e);
	ok(pcapng_flush(file, &e), &e);
	pcapng_free(file);

	struct pcapng_reader *reader = reader_of(fd);

	for (int i = 0; i < 9; i++) {
		assert_int_equal(pcapng_reader_next(reader, &back, NULL, &e), 1);
		assert_int_equal(back.caplen, sizeof(data));
		assert_memory_equal(back.data, data, sizeof(data));
	}
	assert_int_equal(pcapng_reader_next(reader, &back, NULL, &e), 0);
	assert_int_equal(strlen(pcapng_reader_interface(reader, 0)->name), 256);
	pcapng_reader_free(reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(libpcap_reads_what_we_write),
		cmocka_unit_test(the_section_and_the_interfaces_say_what_they_are),
		cmocka_unit_test(we_read_what_we_write),
		cmocka_unit_test(the_last_packets_are_found_in_one_pass),
		cmocka_unit_test(the_last_packets_can_end_before_a_time),
		cmocka_unit_test(a_place_without_a_packet_is_refused),
		cmocka_unit_test(a_file_cut_short_gives_what_is_whole),
		cmocka_unit_test(other_files_are_refused),
		cmocka_unit_test(a_file_of_the_other_byte_order_is_refused),
		cmocka_unit_test(a_mutated_file_stays_in_its_bounds),
		cmocka_unit_test(a_packet_longer_than_its_block_ends_the_walk),
		cmocka_unit_test(a_name_longer_than_its_block_is_none),
		cmocka_unit_test(a_full_disk_is_an_error),
		cmocka_unit_test(what_cannot_be_written_is_refused),
		cmocka_unit_test(long_texts_are_cut_and_large_packets_are_whole),
	};

	return cmocka_run_group_tests_name("pcapng", tests, NULL, NULL);
}
