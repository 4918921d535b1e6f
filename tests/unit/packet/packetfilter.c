#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "packet/packetfilter.h"

/* The text is judged by what its compiled form does to packets made here. */

#define TCP 6
#define UDP 17
#define ICMP 1
#define ICMP6 58
#define FRAGMENT 44

struct packet {
	int link; /* DLT_ */
	size_t size;
	uint8_t data[256];
};

static void put(struct packet *p, const void *data, size_t size)
{
	assert_true(p->size + size <= sizeof(p->data));
	memcpy(p->data + p->size, data, size);
	p->size += size;
}

static void put_8(struct packet *p, uint8_t n)
{
	put(p, &n, 1);
}

static void put_16(struct packet *p, uint16_t n)
{
	n = htons(n);
	put(p, &n, 2);
}

static void put_32(struct packet *p, uint32_t n)
{
	n = htonl(n);
	put(p, &n, 4);
}

static void put_address(struct packet *p, const char *text)
{
	uint8_t bytes[16];
	int family = strchr(text, ':') ? AF_INET6 : AF_INET;

	assert_int_equal(inet_pton(family, text, bytes), 1);
	put(p, bytes, family == AF_INET ? 4 : 16);
}

static void put_ethernet(struct packet *p, int vlan, uint16_t type)
{
	p->link = DLT_EN10MB;
	put(p, "\2\0\0\0\0\1\2\0\0\0\0\2", 12);
	if (vlan >= 0) {
		put_16(p, 0x8100);
		put_16(p, vlan);
	}
	put_16(p, type);
}

/* What libpcap puts before packets of `any`. */
static void put_cooked(struct packet *p, uint16_t type)
{
	p->link = DLT_LINUX_SLL2;
	put_16(p, type);
	put_16(p, 0);
	put_32(p, 3);
	put_16(p, 1);
	put_8(p, 0);
	put_8(p, 6);
	put(p, "\2\0\0\0\0\1\0\0", 8);
}

/* OFFSET: of a fragment, in units of 8 bytes. */
static void put_ip(struct packet *p, uint8_t proto, const char *src, const char *dst,
		   uint16_t offset)
{
	if (strchr(src, ':')) {
		put_32(p, 0x60000000);
		put_16(p, 40);
		put_8(p, offset ? FRAGMENT : proto);
		put_8(p, 64);
	} else {
		put(p, "\x45\0\0\x40\0\0", 6);
		put_16(p, offset);
		put_8(p, 64);
		put_8(p, proto);
		put_16(p, 0);
	}
	put_address(p, src);
	put_address(p, dst);
	if (strchr(src, ':') && offset) {
		put_8(p, proto);
		put_8(p, 0);
		put_16(p, offset << 3);
		put_32(p, 77);
	}
}

static void put_transport(struct packet *p, uint8_t proto, uint16_t sport, uint16_t dport,
			  uint8_t flags)
{
	put_16(p, sport);
	put_16(p, dport);
	if (proto == UDP) {
		put_32(p, 0x00100000);
		put(p, "payload!", 8);
		return;
	}
	put_32(p, 0);
	put_32(p, 0);
	put_8(p, 0x50);
	put_8(p, flags);
	put(p, "\0\0\0\0\0\0", 6);
}

struct flow {
	uint8_t proto;
	const char *src;
	const char *dst;
	uint16_t sport;
	uint16_t dport;
	uint8_t flags;   /* TCP */
	uint16_t offset; /* not 0: a later fragment */
};

enum carrier { PLAIN, TAGGED, COOKED };

static struct packet packet_of(const struct flow *flow, enum carrier carrier)
{
	uint16_t type = strchr(flow->src, ':') ? 0x86dd : 0x0800;
	struct packet p = { 0 };

	if (carrier == COOKED)
		put_cooked(&p, type);
	else
		put_ethernet(&p, carrier == TAGGED ? 5 : -1, type);
	put_ip(&p, flow->proto, flow->src, flow->dst, flow->offset);
	put_transport(&p, flow->proto, flow->sport, flow->dport, flow->flags);
	return p;
}

/* An ICMP error from ROUTER to the flow's sender. */
static struct packet icmp_of(const struct flow *flow, const char *router, uint8_t type)
{
	bool v6 = strchr(flow->src, ':');
	struct packet p = { 0 };

	put_ethernet(&p, -1, v6 ? 0x86dd : 0x0800);
	put_ip(&p, v6 ? ICMP6 : ICMP, router, flow->src, 0);
	put_8(&p, type);
	put(&p, "\1\0\0\0\0\0\0", 7);
	put_ip(&p, flow->proto, flow->src, flow->dst, 0);
	put_16(&p, flow->sport);
	put_16(&p, flow->dport);
	return p;
}

static char *text_of(const char *json)
{
	autojson json_t *spec = json_loads(json, 0, NULL);
	struct err e = ERR_INIT;
	char *text = NULL;

	assert_non_null(spec);
	if (packetfilter_text(&text, spec, &e) < 0)
		fail_msg("%s", e.text);
	return text;
}

static bool program_takes(const char *text, const struct packet *p)
{
	struct pcap_pkthdr head = { .caplen = p->size, .len = p->size };
	pcap_t *pcap = pcap_open_dead(p->link, 262144);
	struct bpf_program program;
	int r;

	if (pcap_compile(pcap, &program, text, 1, PCAP_NETMASK_UNKNOWN) < 0)
		fail_msg("'%s': %s", text, pcap_geterr(pcap));
	r = pcap_offline_filter(&program, &head, p->data);
	pcap_freecode(&program);
	pcap_close(pcap);
	return r != 0;
}

static bool takes(const char *json, const struct packet *p)
{
	autofree char *text = text_of(json);

	return program_takes(text, p);
}

static bool takes_flow(const char *json, const struct flow *flow)
{
	struct packet plain = packet_of(flow, PLAIN), cooked = packet_of(flow, COOKED);
	bool answer = takes(json, &plain);

	if (takes(json, &cooked) != answer)
		fail_msg("%s: %d on ethernet, but not on `any`", json, answer);
	return answer;
}

static const struct flow v4 = { TCP, "10.0.0.5", "10.0.0.9", 19700, 40000, 0x10, 0 };
static const struct flow v6 = { TCP, "fd00::5", "fd00::9", 19700, 40000, 0x10, 0 };
static const struct flow v4_udp = { UDP, "10.0.0.5", "10.0.0.9", 19700, 40000, 0, 0 };
static const struct flow other_udp = { UDP, "10.0.0.7", "10.0.0.9", 19700, 40000, 0, 0 };
static const struct flow other_v6 = { UDP, "fd00::7", "fd00::9", 19700, 40000, 0, 0 };

static void no_condition_is_every_packet(void **state)
{
	autofree char *text = text_of("{\"host\":[],\"src\":[],\"dst\":[],\"port\":[]}");
	autofree char *blank = text_of("{\"filter\":\"  \"}");

	(void)state;
	assert_string_equal(text, "");
	assert_string_equal(blank, "");
	assert_true(takes_flow("{}", &v4));
	assert_true(takes_flow("{}", &other_v6));
}

static void a_host_is_either_end(void **state)
{
	(void)state;
	assert_true(takes_flow("{\"host\":[\"10.0.0.5\"]}", &v4));
	assert_true(takes_flow("{\"host\":[\"10.0.0.9\"]}", &v4));
	assert_false(takes_flow("{\"host\":[\"10.0.0.7\"]}", &v4));
	assert_true(takes_flow("{\"host\":[\"fd00::5\"]}", &v6));
	assert_false(takes_flow("{\"host\":[\"fd00::7\"]}", &v6));
	assert_true(takes_flow("{\"host\":[\"10.0.0.5\",\"fd00::5\"]}", &v6));
	assert_true(takes_flow("{\"host\":[\"10.0.0.5\",\"fd00::5\"]}", &v4));
}

static void source_and_destination_are_told_apart(void **state)
{
	(void)state;
	assert_true(takes_flow("{\"src\":[\"10.0.0.5\"]}", &v4));
	assert_false(takes_flow("{\"src\":[\"10.0.0.9\"]}", &v4));
	assert_true(takes_flow("{\"dst\":[\"fd00::9\"]}", &v6));
	assert_false(takes_flow("{\"dst\":[\"fd00::5\"]}", &v6));
	assert_true(
		takes_flow("{\"src\":[\"10.0.0.5\",\"10.0.0.6\"],\"dst\":[\"10.0.0.9\"]}", &v4));
	assert_false(
		takes_flow("{\"src\":[\"10.0.0.5\",\"10.0.0.6\"],\"dst\":[\"10.0.0.8\"]}", &v4));
}

static void a_port_is_either_end(void **state)
{
	(void)state;
	assert_true(takes_flow("{\"port\":[19700]}", &v4));
	assert_true(takes_flow("{\"port\":[1,40000]}", &v6));
	assert_false(takes_flow("{\"port\":[1]}", &v4));
}

/* `host A and tcp port P or udp` takes the UDP of everybody. */
static void a_host_binds_whatever_else_is_asked_for(void **state)
{
	static const char *const specs[] = {
		"{\"host\":[\"10.0.0.5\",\"fd00::5\"],\"filter\":\"tcp port 19700 or udp port "
		"19700\"}",
		"{\"host\":[\"10.0.0.5\",\"fd00::5\"],\"port\":[1,19700]}",
		"{\"host\":[\"10.0.0.5\",\"fd00::5\"],\"port\":[1,19700],\"filter\":\"tcp or "
		"udp\"}",
		"{\"src\":[\"10.0.0.5\",\"fd00::5\"],\"filter\":\"tcp or udp or ip or ip6\"}",
	};

	(void)state;
	for (size_t i = 0; i < countof(specs); i++) {
		assert_true(takes_flow(specs[i], &v4));
		assert_true(takes_flow(specs[i], &v4_udp));
		assert_true(takes_flow(specs[i], &v6));
		assert_false(takes_flow(specs[i], &other_udp));
		assert_false(takes_flow(specs[i], &other_v6));
	}
}

static void a_tcp_flag_is_seen_in_both_versions(void **state)
{
	static const struct {
		const char *name;
		uint8_t bit;
	} flags[] = { { "fin", 1 }, { "syn", 2 },  { "rst", 4 },
		      { "psh", 8 }, { "ack", 16 }, { "urg", 32 } };

	(void)state;
	for (size_t i = 0; i < countof(flags); i++) {
		struct flow with4 = v4, with6 = v6, udp6 = other_v6;
		char json[64];

		snprintf(json, sizeof(json), "{\"tcp\":\"%s\"}", flags[i].name);
		with4.flags = with6.flags = flags[i].bit;
		assert_true(takes_flow(json, &with4));
		assert_true(takes_flow(json, &with6));
		with4.flags = with6.flags = 0xff & ~flags[i].bit;
		assert_false(takes_flow(json, &with4));
		assert_false(takes_flow(json, &with6));
		assert_false(takes_flow(json, &v4_udp));
		assert_false(takes_flow(json, &udp6));
	}
}

static void a_reset_of_another_host_is_not_taken(void **state)
{
	struct flow mine = v6, theirs = v6, old = v4;

	(void)state;
	mine.flags = theirs.flags = old.flags = 0x14;
	theirs.src = "fd00::7";
	assert_true(takes_flow("{\"host\":[\"fd00::5\"],\"tcp\":\"rst\"}", &mine));
	assert_false(takes_flow("{\"host\":[\"fd00::5\"],\"tcp\":\"rst\"}", &theirs));
	assert_false(takes_flow("{\"host\":[\"fd00::5\"],\"tcp\":\"rst\"}", &old));
	assert_false(takes_flow("{\"host\":[\"fd00::5\"],\"tcp\":\"rst\"}", &v6));
}

static void later_fragments_of_a_host_come_with_its_port(void **state)
{
	struct flow mine4 = v4_udp, mine6 = other_v6, theirs = other_udp;

	(void)state;
	mine6.src = "fd00::5";
	mine4.offset = mine6.offset = theirs.offset = 185;
	mine4.sport = mine6.sport = theirs.sport = 7;
	mine4.dport = mine6.dport = theirs.dport = 7;
	assert_true(takes_flow("{\"host\":[\"10.0.0.5\"],\"port\":[19700]}", &mine4));
	assert_true(takes_flow("{\"host\":[\"fd00::5\"],\"port\":[19700]}", &mine6));
	assert_true(takes_flow("{\"host\":[\"10.0.0.5\"],\"port\":[19700],\"filter\":\"udp\"}",
			       &mine4));
	assert_true(takes_flow("{\"host\":[\"10.0.0.5\"]}", &mine4));
	assert_false(takes_flow("{\"host\":[\"10.0.0.5\"],\"port\":[19700]}", &theirs));
	/* without an address they would be those of everybody */
	assert_false(takes_flow("{\"port\":[19700]}", &mine4));
	assert_false(takes_flow("{\"port\":[19700]}", &mine6));
}

static void errors_that_quote_a_host_come_with_it(void **state)
{
	static const char *const specs[] = {
		"{\"host\":[\"10.0.0.9\",\"fd00::9\"]}",
		"{\"host\":[\"10.0.0.9\",\"fd00::9\"],\"port\":[40000]}",
	};
	struct flow back4 = { UDP, "10.0.0.9", "10.0.0.3", 1, 2, 0, 0 };
	struct packet about4 = icmp_of(&v4_udp, "192.0.2.1", 3),
		      about_sender4 = icmp_of(&back4, "192.0.2.1", 11);
	struct packet about6 = icmp_of(&v6, "2001:db8::1", 1),
		      echo6 = icmp_of(&v6, "2001:db8::1", 128);
	struct packet echo4 = icmp_of(&v4_udp, "192.0.2.1", 8);
	struct flow not_mine4 = { UDP, "10.0.0.5", "10.0.0.8", 1, 2, 0, 0 };
	struct flow not_mine6 = { UDP, "fd00::5", "fd00::8", 1, 2, 0, 0 };
	struct packet other4 = icmp_of(&not_mine4, "192.0.2.1", 3),
		      other6 = icmp_of(&not_mine6, "2001:db8::1", 1);

	(void)state;
	for (size_t i = 0; i < countof(specs); i++) {
		assert_true(takes(specs[i], &about4));
		assert_true(takes(specs[i], &about_sender4));
		assert_true(takes(specs[i], &about6));
		assert_false(takes(specs[i], &echo4));
		assert_false(takes(specs[i], &echo6));
		assert_false(takes(specs[i], &other4));
		assert_false(takes(specs[i], &other6));
	}
	assert_false(takes("{\"src\":[\"10.0.0.9\"]}", &about4));
	assert_false(takes("{\"host\":[\"10.0.0.9\"],\"filter\":\"udp\"}", &about4));
	assert_false(takes("{\"host\":[\"10.0.0.9\"],\"tcp\":\"rst\"}", &about4));
}

static void a_tag_does_not_hide_a_packet(void **state)
{
	static const char *const specs[] = {
		"{\"host\":[\"10.0.0.5\",\"fd00::5\"]}",
		"{\"host\":[\"10.0.0.5\",\"fd00::5\"],\"port\":[19700]}",
		"{\"host\":[\"10.0.0.5\",\"fd00::5\"],\"tcp\":\"ack\",\"filter\":\"tcp or ip6\"}",
		"{\"port\":[19700]}",
	};
	const struct flow not_mine = { TCP, "10.0.0.7", "10.0.0.8", 7, 7, 0x10, 0 };

	(void)state;
	for (size_t i = 0; i < countof(specs); i++) {
		autofree char *plain = text_of(specs[i]);
		autofree char *both = packetfilter_tagged(plain);
		struct packet tagged4 = packet_of(&v4, TAGGED), tagged6 = packet_of(&v6, TAGGED);
		struct packet plain4 = packet_of(&v4, PLAIN), plain6 = packet_of(&v6, PLAIN);
		struct packet other = packet_of(&not_mine, TAGGED),
			      other_plain = packet_of(&not_mine, PLAIN);

		assert_false(program_takes(plain, &tagged4));
		assert_true(program_takes(both, &tagged4));
		assert_true(program_takes(both, &tagged6));
		assert_true(program_takes(both, &plain4));
		assert_true(program_takes(both, &plain6));
		assert_false(program_takes(both, &other));
		assert_false(program_takes(both, &other_plain));
	}
}

static void a_text_about_tags_is_left_alone(void **state)
{
	autofree char *plain =
		text_of("{\"host\":[\"10.0.0.5\"],\"filter\":\"vlan 5 and host 10.0.0.5\"}");
	autofree char *both = packetfilter_tagged(plain);
	autofree char *nothing = packetfilter_tagged("");

	(void)state;
	assert_string_equal(plain, both);
	assert_string_equal(nothing, "");
}

static void what_is_not_well_formed_is_refused(void **state)
{
	static const struct {
		const char *json;
		const char *part;
	} specs[] = {
		{ "{\"host\":\"10.0.0.5\"}", "not a list" },
		{ "{\"host\":[5]}", "not an IPv4 or IPv6" },
		{ "{\"host\":[\"example.com\"]}", "'example.com' of 'host'" },
		{ "{\"host\":[\"10.0.0.5 or tcp\"]}", "not an IPv4 or IPv6" },
		{ "{\"host\":[\"10.0.0.0/8\"]}", "not an IPv4 or IPv6" },
		{ "{\"src\":[\"fe80::1%eth0\"]}", "of 'src'" },
		{ "{\"dst\":[\"\"]}", "of 'dst'" },
		{ "{\"port\":[0]}", "1 to 65535" },
		{ "{\"port\":[65536]}", "1 to 65535" },
		{ "{\"port\":[4294967297]}", "1 to 65535" },
		{ "{\"port\":[\"ssh\"]}", "1 to 65535" },
		{ "{\"port\":22}", "not a list" },
		{ "{\"tcp\":\"reset\"}", "'reset' is not one of" },
		{ "{\"tcp\":4}", "is not one of" },
		{ "{\"filter\":5}", "not a text" },
		{ "{\"filter\":\"udp\\u0000 or tcp\"}", "not a text" },
		{ "{\"filter\":\"udp) or (tcp\"}", "did not open" },
		{ "{\"filter\":\"(udp\"}", "does not close" },
		{ "{\"filter\":\"udp)\"}", "did not open" },
	};

	(void)state;
	for (size_t i = 0; i < countof(specs); i++) {
		autojson json_t *spec = json_loads(specs[i].json, JSON_ALLOW_NUL, NULL);
		struct err e = ERR_INIT;
		char *text = NULL;

		assert_non_null(spec);
		if (packetfilter_text(&text, spec, &e) == 0)
			fail_msg("%s becomes '%s'", specs[i].json, text);
		assert_null(text);
		if (!strstr(e.text, specs[i].part))
			fail_msg("%s: %s", specs[i].json, e.text);
	}
}

static void long_lists_are_refused(void **state)
{
	autojson json_t *spec = json_object(), *ports = json_array();
	autofree char *text = NULL;
	struct err e = ERR_INIT;

	(void)state;
	for (int i = 1; i <= 64; i++)
		json_array_append_new(ports, json_integer(i));
	json_object_set(spec, "port", ports);
	assert_int_equal(packetfilter_text(&text, spec, &e), 0);
	json_array_append_new(ports, json_integer(65));
	assert_true(packetfilter_text(&text, spec, &e) < 0);
	assert_non_null(strstr(e.text, "more than 64"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_condition_is_every_packet),
		cmocka_unit_test(a_host_is_either_end),
		cmocka_unit_test(source_and_destination_are_told_apart),
		cmocka_unit_test(a_port_is_either_end),
		cmocka_unit_test(a_host_binds_whatever_else_is_asked_for),
		cmocka_unit_test(a_tcp_flag_is_seen_in_both_versions),
		cmocka_unit_test(a_reset_of_another_host_is_not_taken),
		cmocka_unit_test(later_fragments_of_a_host_come_with_its_port),
		cmocka_unit_test(errors_that_quote_a_host_come_with_it),
		cmocka_unit_test(a_tag_does_not_hide_a_packet),
		cmocka_unit_test(a_text_about_tags_is_left_alone),
		cmocka_unit_test(what_is_not_well_formed_is_refused),
		cmocka_unit_test(long_lists_are_refused),
	};

	return cmocka_run_group_tests_name("packetfilter", tests, NULL, NULL);
}
