#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/auto.h"
#include "base/io.h"
#include "base/units.h"
#include "capture/capture.h"
#include "packet/packetprogram.h"
#include "packet/pcapng.h"
#include "process/message.h"
#include "scratch.h"
#include "source/packets.h"

/* The process runs in a network namespace of its own, whose loopback carries numbered datagrams. */

#define PORT 19700

struct place {
	struct scratch dir;
	json_t *spec;
	struct source source;
	struct state state;
	struct stop_page *stop;
	struct report *report; /* shared with the process that saves */
	struct stop_record record;
	struct anchor anchors[2];
	struct cost cost;
};

static int namespace_enter(void **state)
{
	autoclose int fd = -1;
	struct ifreq up = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };

	(void)state;
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &up), 0);
	return 0;
}

static void *shared(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(p != MAP_FAILED);
	return p;
}

static int place_open(void **state)
{
	struct place *place = calloc(1, sizeof(*place));
	struct err e = ERR_INIT;

	scratch_open(&place->dir);
	place->state.fd = place->dir.fd;
	assert_int_equal(stop_create(&place->stop, place->dir.fd, &e), 0);
	place->report = shared(sizeof(*place->report));
	place->source = (struct source) {
		.ops = &packets_source,
		.name = "packets",
		.at = "test.lua:1",
		.index = 3,
		.stats = shared(sizeof(struct stats)),
	};
	place->anchors[0] = anchor_take();
	*state = place;
	return 0;
}

static int place_close(void **state)
{
	struct place *place = *state;

	if (place->source.data)
		packets_source.free(&place->source);
	packets_source.free(&place->source);
	json_decref(place->spec);
	stop_close(place->stop);
	munmap(place->report, sizeof(*place->report));
	munmap(place->source.stats, sizeof(struct stats));
	scratch_close(&place->dir);
	free(place);
	return 0;
}

static int decode(struct place *place, const char *json, struct err *e)
{
	packets_source.free(&place->source);
	json_decref(place->spec);
	place->spec = json_loads(json, 0, NULL);
	assert_non_null(place->spec);
	place->source.spec = place->spec;
	return packets_source.decode(&place->source, e);
}

static void arm(struct place *place, const char *json)
{
	struct capture capture = { .state = &place->state, .stop = place->stop };
	struct err e = ERR_INIT;

	if (decode(place, json, &e) < 0 ||
	    packets_source.probe(&place->source, &place->cost, &e) < 0 ||
	    packets_source.arm(&place->source, &capture, &e) < 0)
		fail_msg("%s", e.text);
}

/* Its own process, as the engine would run it. */
struct recorder {
	pid_t pid;
	int fd;
};

static struct recorder recorder_start(struct place *place)
{
	struct recorder recorder;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	recorder.pid = fork();
	if (recorder.pid == 0) {
		struct live live = { .engine = pair[1],
				     .statedir = place->dir.fd,
				     .stop = place->stop };
		struct err e = ERR_INIT;

		close(pair[0]);
		if (packets_source.live(&place->source, &live, &e) < 0)
			message_send_error(pair[1], e.code, e.exit, e.text);
		_exit(0);
	}
	close(pair[1]);
	recorder.fd = pair[0];
	return recorder;
}

/* The next message but remarks; false if the process is gone. */
static bool recorder_says(const struct recorder *recorder, struct message *message)
{
	struct pollfd ready = { .fd = recorder->fd, .events = POLLIN };

	for (;;) {
		assert_int_equal(poll(&ready, 1, 10000), 1);
		switch (message_receive(recorder->fd, message)) {
		case 0:
			continue;
		case 1:
			if (message->type == MESSAGE_SAY)
				continue;
			return true;
		default:
			return false;
		}
	}
}

static struct recorder recorder_started(struct place *place)
{
	struct recorder recorder = recorder_start(place);
	struct message message;

	assert_true(recorder_says(&recorder, &message));
	if (message.type != MESSAGE_ARMED)
		fail_msg("%s", message.text);
	message_send(recorder.fd, MESSAGE_START, "");
	usleep(20000);
	return recorder;
}

static void decide(struct place *place, uint64_t event, uint64_t post)
{
	place->record = (struct stop_record) {
		.by = STOP_CONDITION,
		.event = event,
		.cut = event + post,
		.text = "the heartbeat stopped",
	};
	stop_decide(place->stop, &place->record);
}

static void recorder_ends(struct recorder *recorder)
{
	message_send(recorder->fd, MESSAGE_STOP, "");
	assert_int_equal(waitpid(recorder->pid, NULL, 0), recorder->pid);
	close(recorder->fd);
}

static void save(struct place *place, struct err *e)
{
	struct err *shared_e = shared(sizeof(*e));
	pid_t pid;

	place->anchors[1] = anchor_take();
	*place->report = (struct report) { 0 };
	*shared_e = (struct err)ERR_INIT;
	pid = fork();
	if (pid == 0) {
		struct save job = {
			.statedir = place->dir.fd,
			.outdir = place->dir.fd,
			.stop = &place->record,
			.anchors = place->anchors,
			.n_anchors = 2,
			.report = place->report,
		};

		_exit(packets_source.save(&place->source, &job, shared_e) < 0);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	*e = *shared_e;
	munmap(shared_e, sizeof(*e));
}

static void saved(struct place *place)
{
	struct err e = ERR_INIT;

	save(place, &e);
	if (e.code)
		fail_msg("%s", e.text);
}

struct found {
	size_t n;
	uint32_t first;
	uint32_t last;
	size_t disorders; /* stamps that go back */
	size_t jumps;     /* numbers that are not the next one */
	char interface[32];
	uint16_t link;
	uint64_t last_ns;
};

/* The numbers of the datagrams, by the 4 bytes in front of MARK. */
static struct found file_read(struct place *place)
{
	autoclose int fd = openat(place->dir.fd, "packets/packets.pcapng", O_RDONLY);
	struct pcapng_reader *reader = NULL;
	struct pcapng_packet packet;
	struct found found = { 0 };
	struct err e = ERR_INIT;

	assert_true(fd >= 0);
	assert_int_equal(pcapng_reader_new(&reader, fd, &e), 0);
	while (pcapng_reader_next(reader, &packet, NULL, &e) > 0) {
		const char *mark = memmem(packet.data, packet.caplen, "MARK", 4);
		const struct pcapng_interface *interface =
			pcapng_reader_interface(reader, packet.interface);
		uint32_t n;

		assert_non_null(mark);
		memcpy(&n, mark - 4, 4);
		found.disorders += packet.wall_ns < found.last_ns;
		if (!found.n)
			found.first = n;
		else
			found.jumps += n != found.last + 1;
		found.last = n;
		found.last_ns = packet.wall_ns;
		found.link = interface->link;
		snprintf(found.interface, sizeof(found.interface), "%s", interface->name);
		found.n++;
	}
	assert_int_equal(e.code, 0);
	pcapng_reader_free(reader);
	return found;
}

static void send_numbered(uint32_t from, uint32_t to)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(PORT),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	autoclose int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	for (uint32_t n = from; n <= to; n++) {
		char data[64] = "";

		memcpy(data, &n, 4);
		memcpy(data + 4, "MARK", 4);
		sendto(fd, data, sizeof(data), 0, (struct sockaddr *)&address, sizeof(address));
	}
}

static void what_is_not_well_formed_is_refused(void **state)
{
	static const struct {
		const char *json;
		const char *part;
	} specs[] = {
		{ "{}", "one of 'keep' and 'keep_ns'" },
		{ "{\"keep\":1,\"keep_ns\":1}", "one of 'keep' and 'keep_ns'" },
		{ "{\"keep\":-1}", "'keep' is not a number" },
		{ "{\"keep\":\"1M\"}", "'keep' is not a number" },
		{ "{\"keep\":1125899906842624}", "'keep' is not a number" },
		{ "{\"keep\":1,\"payload\":262145}", "'payload' is not a number" },
		{ "{\"keep\":1,\"interface\":5}", "name of an interface" },
		{ "{\"keep\":1,\"interface\":\"\"}", "name of an interface" },
		{ "{\"keep\":1,\"interface\":\"../eth0\"}", "name of an interface" },
		{ "{\"keep\":1,\"interface\":\"sixteen-letters-\"}", "name of an interface" },
		{ "{\"keep\":1,\"host\":[\"nowhere\"]}", "not an IPv4 or IPv6" },
	};
	struct place *place = *state;

	for (size_t i = 0; i < countof(specs); i++) {
		struct err e = ERR_INIT;

		assert_true(decode(place, specs[i].json, &e) < 0);
		if (!strstr(e.text, specs[i].part))
			fail_msg("%s: %s", specs[i].json, e.text);
	}
}

static void what_this_host_cannot_do_is_found_before(void **state)
{
	static const struct {
		const char *json;
		const char *part;
		enum exit_code exit;
	} specs[] = {
		{ "{\"keep\":1,\"interface\":\"loo\"}",
		  "no interface 'loo' here, did you mean 'lo'?", EXIT_HOST },
		{ "{\"keep\":1,\"filter\":\"tcp[[\"}", "filter '(tcp[[)': ", EXIT_USAGE },
		{ "{\"keep\":1,\"filter\":\"host localhost\"}", "only numeric addresses",
		  EXIT_USAGE },
		{ "{\"keep\":1,\"filter\":\"port http\"}", "only numeric addresses", EXIT_USAGE },
		{ "{\"keep\":1,\"filter\":\"ip proto ospf\"}",
		  "only numeric addresses, ports and protocols", EXIT_USAGE },
		{ "{\"keep\":1,\"filter\":\"ip proto \\\\tcp\"}", "only numeric addresses",
		  EXIT_USAGE },
		{ "{\"keep\":1,\"filter\":\"vlan 5\"}", "no VLAN support", EXIT_USAGE },
	};
	struct place *place = *state;

	for (size_t i = 0; i < countof(specs); i++) {
		struct cost cost = { 0 };
		struct err e = ERR_INIT;

		assert_int_equal(decode(place, specs[i].json, &e), 0);
		assert_true(packets_source.probe(&place->source, &cost, &e) < 0);
		if (!strstr(e.text, specs[i].part))
			fail_msg("%s: %s", specs[i].json, e.text);
		assert_int_equal(e.exit, specs[i].exit);
	}
}

static void a_filter_that_takes_for_ever_is_given_up(void **state)
{
	struct bpf_program program = { 0 };
	struct err e = ERR_INIT;
	uint64_t begin = clock_boot();
	autofree char *text = calloc(1, 1 << 20);
	char *at = text;

	(void)state;
	for (int i = 0; i < 12000; i++)
		at += sprintf(at, "%sip[%d] & %d = %d", i ? " or " : "", i % 1000, i % 251, i % 17);
	pcap_t *pcap = pcap_open_dead(DLT_EN10MB, 65536);

	assert_true(packetprogram_compile(&program, pcap, text, &e) < 0);
	assert_true(clock_boot() - begin < 5 * NS_PER_S);
	assert_true(strstr(e.text, "within 2s") || strstr(e.text, "too long") ||
		    strstr(e.text, "signal"));
	assert_null(program.bf_insns);
	pcap_close(pcap);
}

static void a_filter_is_compiled_as_libpcap_does(void **state)
{
	static const char *const texts[] = { "host 10.0.0.1", "host fd00::1 and port 5",
					     "ip proto 6", "tcp[13] & 4 != 0" };
	pcap_t *pcap = pcap_open_dead(DLT_EN10MB, 65536);

	(void)state;
	for (size_t i = 0; i < countof(texts); i++) {
		struct bpf_program ours = { 0 }, theirs;
		struct err e = ERR_INIT;

		if (packetprogram_compile(&ours, pcap, texts[i], &e) < 0)
			fail_msg("%s", e.text);
		assert_int_equal(pcap_compile(pcap, &theirs, texts[i], 1, PCAP_NETMASK_UNKNOWN), 0);
		assert_int_equal(ours.bf_len, theirs.bf_len);
		assert_memory_equal(ours.bf_insns, theirs.bf_insns,
				    ours.bf_len * sizeof(*ours.bf_insns));
		pcap_freecode(&theirs);
		packetprogram_free(&ours);
		packetprogram_free(&ours);
	}
	pcap_close(pcap);
}

static void what_it_takes_is_what_it_says(void **state)
{
	struct place *place = *state;
	struct stat st;

	arm(place, "{\"keep\":8388608,\"payload\":128}");
	assert_int_equal(place->cost.kernel_bytes, 16 << 20);
	assert_int_equal(place->cost.tmpfs_bytes, 10 << 20);
	assert_int_equal(fstatat(place->dir.fd, "packets-3.ring", &st, 0), 0);
	assert_in_range(st.st_size, 10 << 20, (10 << 20) + 4096);
}

static const char loopback[] = "{\"keep\":1048576,\"payload\":128,\"port\":[19700],\"dst\":[\"127."
			       "0.0.1\"],\"filter\":\"udp and inbound\","
			       "\"interface\":\"lo\"}";

static void packets_from_the_start_to_the_cut_are_kept(void **state)
{
	struct place *place = *state;
	struct message message;
	struct recorder recorder;
	struct found found;

	arm(place, loopback);
	recorder = recorder_start(place);
	assert_true(recorder_says(&recorder, &message));
	assert_int_equal(message.type, MESSAGE_ARMED);
	send_numbered(1, 100);
	message_send(recorder.fd, MESSAGE_START, "");
	usleep(20000);
	send_numbered(101, 300);
	usleep(1000);
	decide(place, clock_boot(), 0);
	usleep(1000);
	send_numbered(301, 400);
	recorder_ends(&recorder);
	saved(place);
	found = file_read(place);
	assert_int_equal(found.n, 200);
	assert_int_equal(found.first, 101);
	assert_int_equal(found.last, 300);
	assert_int_equal(found.jumps + found.disorders, 0);
	assert_string_equal(found.interface, "lo");
	assert_int_equal(found.link, 1);
	assert_int_equal(place->report->outcome, OUTCOME_OK);
	assert_int_equal(place->report->records, 200);
	assert_int_equal(place->report->to, place->record.cut);
	assert_int_equal(place->report->lost, 0);
	assert_int_equal(place->source.stats->records, 200);
}

static void packets_until_the_end_of_post_are_kept(void **state)
{
	struct place *place = *state;
	struct recorder recorder;
	struct found found;

	arm(place, loopback);
	recorder = recorder_started(place);
	send_numbered(1, 10);
	decide(place, clock_boot(), 300 * NS_PER_MS);
	message_send(recorder.fd, MESSAGE_STOP, "");
	usleep(100000);
	send_numbered(11, 20);
	usleep(300000);
	send_numbered(21, 30);
	recorder_ends(&recorder);
	saved(place);
	found = file_read(place);
	assert_int_equal(found.n, 20);
	assert_int_equal(found.last, 20);
	assert_int_equal(place->report->outcome, OUTCOME_OK);
}

static void packets_of_any_name_their_interface(void **state)
{
	struct place *place = *state;
	struct recorder recorder;
	struct found found;

	arm(place, "{\"keep\":1048576,\"payload\":128,\"port\":[19700],\"filter\":\"udp\","
		   "\"interface\":\"any\"}");
	/* as if the interface had come only after that */
	autoclose int names = openat(place->dir.fd, "packets-3.names", O_WRONLY);
	assert_int_equal(ftruncate(names, 0), 0);
	recorder = recorder_started(place);
	send_numbered(1, 10);
	decide(place, clock_boot(), 0);
	recorder_ends(&recorder);
	saved(place);
	found = file_read(place);
	assert_true(found.n >= 10);
	assert_string_equal(found.interface, "lo");
	assert_int_equal(found.link, 276);
}

/* What came after the event has pushed nothing out that came before it. */
static void a_storm_after_the_event_costs_nothing_before_it(void **state)
{
	struct place *place = *state;
	struct recorder recorder;
	struct found found;
	uint64_t event;

	arm(place, loopback);
	recorder = recorder_started(place);
	send_numbered(1, 20000);
	usleep(100000);
	event = clock_boot();
	/* the ring has 1 MiB besides what it keeps: 8000 packets are what a late decision may cost
	 */
	send_numbered(20001, 26000);
	usleep(100000);
	decide(place, event, 0);
	send_numbered(26001, 60000);
	recorder_ends(&recorder);
	saved(place);
	found = file_read(place);
	assert_int_equal(found.last, 20000);
	assert_int_equal(found.jumps, 0);
	/* 32 bytes of head, 106 of packet and 6 of padding */
	assert_int_equal(found.n, 1048576 / 144);
	assert_int_equal(place->report->outcome, OUTCOME_OK);
	assert_int_equal(place->report->lost, 0);
	assert_true(place->report->from > 0 && place->report->from < event);
	assert_true(place->report->overwritten > 10000);
}

static void a_killed_process_leaves_what_it_had(void **state)
{
	struct place *place = *state;
	struct recorder recorder;
	struct found found;

	arm(place, loopback);
	recorder = recorder_started(place);
	send_numbered(1, 500);
	usleep(300000);
	kill(recorder.pid, SIGKILL);
	assert_int_equal(waitpid(recorder.pid, NULL, 0), recorder.pid);
	close(recorder.fd);
	usleep(20000);
	decide(place, clock_boot(), 0);
	saved(place);
	found = file_read(place);
	assert_int_equal(found.n, 500);
	assert_int_equal(place->report->outcome, OUTCOME_PARTIAL);
	assert_non_null(strstr(place->report->note, "before the stop"));
	assert_true(place->report->to < place->record.cut);
}

static void without_an_engine_it_leaves_by_itself(void **state)
{
	struct place *place = *state;
	struct recorder recorder;

	arm(place, loopback);
	recorder = recorder_started(place);
	send_numbered(1, 50);
	close(recorder.fd);
	assert_int_equal(waitpid(recorder.pid, NULL, 0), recorder.pid);
	decide(place, clock_boot(), 0);
	saved(place);
	assert_int_equal(file_read(place).n, 50);
	assert_int_equal(place->report->outcome, OUTCOME_PARTIAL);
}

static void what_the_kernel_drops_is_a_hole(void **state)
{
	struct place *place = *state;
	struct recorder recorder;
	struct hole *hole = &place->report->holes[0];
	struct found found;
	uint64_t before;

	arm(place, "{\"keep\":67108864,\"payload\":0,\"port\":[19700],\"filter\":\"udp and "
		   "inbound\",\"interface\":\"lo\"}");
	recorder = recorder_started(place);
	send_numbered(1, 100);
	usleep(100000);
	before = clock_boot();
	kill(recorder.pid, SIGSTOP);
	send_numbered(101, 150000);
	kill(recorder.pid, SIGCONT);
	usleep(300000);
	send_numbered(150001, 150100);
	usleep(300000);
	decide(place, clock_boot(), 0);
	recorder_ends(&recorder);
	saved(place);
	found = file_read(place);
	assert_true(found.n > 1000);
	assert_int_equal(place->report->n_holes, 1);
	assert_int_equal(found.n + hole->count, 150100);
	assert_int_equal(place->report->lost, hole->count);
	assert_true(hole->from <= before + 50 * NS_PER_MS && hole->to > before &&
		    hole->to < place->record.event);
	assert_string_equal(hole->what, "kernel drops");
	assert_int_equal(found.first, 1);
	assert_int_equal(found.last, 150100);
}

static void a_window_of_time_is_kept(void **state)
{
	struct place *place = *state;
	struct recorder recorder;
	struct found found;

	arm(place, "{\"keep_ns\":400000000,\"payload\":128,\"port\":[19700],\"filter\":\"udp and "
		   "inbound\",\"interface\":\"lo\"}");
	recorder = recorder_started(place);
	send_numbered(1, 100);
	usleep(600000);
	send_numbered(101, 200);
	decide(place, clock_boot(), 0);
	recorder_ends(&recorder);
	saved(place);
	found = file_read(place);
	assert_int_equal(found.n, 100);
	assert_int_equal(found.first, 101);
	assert_int_equal(place->report->outcome, OUTCOME_OK);
	assert_int_equal(place->report->overwritten, 100);
}

/* Records by hand from here on: what a ring can hold without a network. */

static void push(struct place *place, uint64_t time, uint32_t n)
{
	struct packets *packets = place->source.data;
	struct ring_record record = { .time = time, .kind = 1, .aux = 100 };
	uint8_t data[64] = { 0 };
	struct iovec iov = { data, sizeof(data) };

	memcpy(data + 20, &n, 4);
	memcpy(data + 24, "MARK", 4);
	assert_int_equal(ring_push(packets->ring, &record, &iov, 1), 0);
}

static void by_hand(struct place *place, const char *json, uint64_t since)
{
	struct packets *packets;
	struct err e = ERR_INIT;
	autoclose int names = -1;

	arm(place, json);
	packets = place->source.data;
	names = packets_names_open(place->dir.fd, packets->names_file, &e);
	assert_int_equal(packets_names_link(names, DLT_EN10MB, &e), 0);
	ring_counters(packets->ring)->seen_since = since;
}

static void the_file_is_in_the_order_of_the_stamps(void **state)
{
	struct place *place = *state;
	uint64_t now = clock_boot();

	by_hand(place, loopback, now);
	push(place, now + 300, 3);
	push(place, now + 100, 1);
	push(place, now + 500, 9);
	push(place, now + 300, 4);
	push(place, now + 200, 2);
	ring_counters(((struct packets *)place->source.data)->ring)->seen_until = now + 600;
	decide(place, now + 400, 0);
	saved(place);
	struct found found = file_read(place);

	assert_int_equal(found.n, 4);
	assert_int_equal(found.jumps + found.disorders, 0);
	assert_int_equal(place->report->from, now);
	assert_int_equal(place->report->to, now + 400);
	assert_int_equal(found.last_ns, anchor_wall(&place->anchors[0], now + 300));
}

static void the_last_packet_before_the_stop_says_so(void **state)
{
	static const char comment[] = "last packet before the stop: the heartbeat stopped";
	struct place *place = *state;
	uint64_t now = clock_boot();
	autofree char *text = NULL;
	struct err e = ERR_INIT;
	const char *first, *second, *third, *said;
	size_t size;

	by_hand(place, loopback, now);
	for (uint32_t n = 1; n <= 3; n++)
		push(place, now + n * 100, 0x41414140 + n);
	decide(place, now + 250, NS_PER_S);
	saved(place);
	assert_int_equal(
		io_read_file(place->dir.fd, "packets/packets.pcapng", 1 << 20, &text, &size, &e),
		0);
	first = memmem(text, size, "AAAAMARK", 8);
	second = memmem(text, size, "BAAAMARK", 8);
	third = memmem(text, size, "CAAAMARK", 8);
	said = memmem(text, size, comment, sizeof(comment) - 1);
	assert_true(first && second && said > second && said < third);
}

static void losses_behind_the_cut_are_nobodys(void **state)
{
	struct place *place = *state;
	uint64_t now = clock_boot();
	struct ring_counters *c;

	by_hand(place, loopback, now);
	c = ring_counters(((struct packets *)place->source.data)->ring);
	push(place, now + 1, 1);
	c->lost = 5;
	c->lost_since = now + 500;
	c->lost_until = now + 600;
	c->seen_until = now + 1000;
	decide(place, now + 400, 0);
	saved(place);
	assert_int_equal(place->report->n_holes, 0);
	assert_int_equal(place->report->outcome, OUTCOME_OK);
	unlinkat(place->dir.fd, "packets/packets.pcapng", 0);
	place->record.cut = now + 550;
	saved(place);
	assert_int_equal(place->report->n_holes, 1);
	assert_int_equal(place->report->holes[0].to, now + 550);
}

static void a_window_of_time_that_was_too_much_is_truncated(void **state)
{
	struct place *place = *state;
	uint64_t now = clock_boot();
	struct ring_counters *c;

	by_hand(place, "{\"keep_ns\":1000000000,\"interface\":\"lo\"}", now);
	c = ring_counters(((struct packets *)place->source.data)->ring);
	for (uint32_t n = 0; n < 300000; n++)
		push(place, now + n, n);
	c->seen_until = now + NS_PER_S;
	decide(place, now + 299999, 0);
	saved(place);
	assert_int_equal(place->report->outcome, OUTCOME_TRUNCATED);
	assert_non_null(strstr(place->report->note, "held less than 1s"));
	assert_int_equal(place->report->from, c->overwritten_until + 1);
	assert_int_equal(place->report->records, 300000 - c->overwritten);
}

static void a_recording_that_never_began_is_partial(void **state)
{
	struct place *place = *state;

	arm(place, loopback);
	decide(place, clock_boot(), 0);
	saved(place);
	assert_int_equal(file_read(place).n, 0);
	assert_int_equal(place->report->outcome, OUTCOME_PARTIAL);
	assert_int_equal(place->report->from, 0);
	assert_int_equal(place->report->to, 0);
	assert_non_null(strstr(place->report->note, "had not begun"));
}

static void a_broken_ring_is_a_sentence(void **state)
{
	struct place *place = *state;
	struct err e = ERR_INIT;

	arm(place, loopback);
	decide(place, clock_boot(), 0);
	autoclose int fd = openat(place->dir.fd, "packets-3.ring", O_WRONLY);
	assert_int_equal(pwrite(fd, "?", 1, 0), 1);
	save(place, &e);
	assert_true(e.code < 0);
	assert_non_null(strstr(e.text, "not a ring"));
	assert_int_equal(place->report->outcome, OUTCOME_FAILED);
	assert_int_equal(unlinkat(place->dir.fd, "packets-3.ring", 0), 0);
	save(place, &e);
	assert_int_equal(e.code, -ENOENT);
}

static void an_existing_file_is_not_overwritten(void **state)
{
	struct place *place = *state;
	struct err e = ERR_INIT;

	arm(place, loopback);
	decide(place, clock_boot(), 0);
	saved(place);
	save(place, &e);
	assert_int_equal(e.code, -EEXIST);
}

static void names_are_read_as_far_as_they_are_names(void **state)
{
	struct place *place = *state;
	static struct packets_names names;
	struct err e = ERR_INIT;
	static const char text[] =
		"interface 7 eth7\nlink 276\ngarbage\ninterface x y\ninterface 7 renamed0\n"
		"interface 8 much-longer-than-a-name-can-be\ninterface 9";

	assert_int_equal(io_create_file(place->dir.fd, "names", text, sizeof(text) - 1, &e), 0);
	assert_int_equal(packets_names_read(&names, place->dir.fd, "names", &e), 0);
	assert_int_equal(names.link, 276);
	assert_string_equal(packets_names_find(&names, 7), "renamed0");
	assert_int_equal(strlen(packets_names_find(&names, 8)), 15);
	assert_null(packets_names_find(&names, 9));
	assert_true(packets_names_read(&names, place->dir.fd, "none", &e) < 0);
	assert_true(packets_names_open(place->dir.fd, "none", &e) < 0);
}

#define test(name) cmocka_unit_test_setup_teardown(name, place_open, place_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(what_is_not_well_formed_is_refused),
		test(what_this_host_cannot_do_is_found_before),
		test(a_filter_that_takes_for_ever_is_given_up),
		test(a_filter_is_compiled_as_libpcap_does),
		test(what_it_takes_is_what_it_says),
		test(packets_from_the_start_to_the_cut_are_kept),
		test(packets_until_the_end_of_post_are_kept),
		test(packets_of_any_name_their_interface),
		test(a_storm_after_the_event_costs_nothing_before_it),
		test(a_killed_process_leaves_what_it_had),
		test(without_an_engine_it_leaves_by_itself),
		test(what_the_kernel_drops_is_a_hole),
		test(a_window_of_time_is_kept),
		test(the_file_is_in_the_order_of_the_stamps),
		test(the_last_packet_before_the_stop_says_so),
		test(losses_behind_the_cut_are_nobodys),
		test(a_window_of_time_that_was_too_much_is_truncated),
		test(a_recording_that_never_began_is_partial),
		test(a_broken_ring_is_a_sentence),
		test(an_existing_file_is_not_overwritten),
		test(names_are_read_as_far_as_they_are_names),
	};

	return cmocka_run_group_tests_name("packets", tests, namespace_enter, NULL);
}
