#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "convert/tracetext.h"
#include "madepages.h"
#include "ownring.h"

static const struct made_record tick = {
	.type = 500, .flags = 0x25, .preempt_count = 0x12, .pid = 42, .number = 7
};

/* What a record becomes, in the context of a file with the tick event. The caller frees it. */
static char *line_of(const struct tracedat_record *record)
{
	struct tracedat *dat = NULL;
	struct tracetext *text = NULL;
	struct err e = ERR_INIT;
	int fd = made_dat(NULL, 0, NULL);
	char *line = NULL;
	size_t size;
	FILE *out = open_memstream(&line, &size);

	assert_int_equal(tracedat_open(&dat, fd, &e), 0);
	assert_int_equal(tracetext_open(&text, dat, &e), 0);
	tracetext_line(text, record, out);
	fclose(out);
	tracetext_close(text);
	tracetext_close(NULL);
	tracedat_close(dat);
	close(fd);
	return line;
}

static void line_is(const struct tracedat_record *record, const char *want)
{
	char *line = line_of(record);

	assert_string_equal(line, want);
	free(line);
}

static void a_line_is_laid_out_as_the_kernel_does_it(void **state)
{
	struct tracedat_record record = {
		.cpu = 3,
		.time = 1234567890600,
		.data = &tick,
		.size = sizeof(tick),
	};

	(void)state;
	line_is(&record, "       tick tock-42      [003] dN.21  1234.567891: tick: number=7\n");
}

static void each_flag_has_the_kernels_letter(void **state)
{
	static const struct {
		uint8_t flags;
		const char *letters;
	} wants[] = {
		{ 0x00, "..." }, { 0x01, "d.." }, { 0x80, "b.." }, { 0x81, "D.." },
		{ 0x02, ".l." }, { 0x04, ".n." }, { 0x20, ".p." }, { 0x06, ".b." },
		{ 0x22, ".L." }, { 0x24, ".N." }, { 0x26, ".B." }, { 0x08, "..h" },
		{ 0x10, "..s" }, { 0x18, "..H" }, { 0x40, "..z" }, { 0x48, "..Z" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(wants) / sizeof(*wants); i++) {
		struct made_record made = tick;
		struct tracedat_record record = { .data = &made, .size = sizeof(made) };
		char *line;

		made.flags = wants[i].flags;
		line = line_of(&record);
		assert_memory_equal(strstr(line, "[000] ") + 6, wants[i].letters, 3);
		free(line);
	}
}

static void tasks_without_a_known_name_look_as_in_the_kernels_file(void **state)
{
	struct made_record made = tick;
	struct tracedat_record record = { .data = &made, .size = sizeof(made) };

	(void)state;
	made.pid = 0;
	line_is(&record, "          <idle>-0       [000] dN.21     0.000000: tick: number=7\n");
	made.pid = 43;
	line_is(&record, "           <...>-43      [000] dN.21     0.000000: tick: number=7\n");
	made.pid = INT32_MAX;
	line_is(&record, "           <...>-2147483647 [000] dN.21     0.000000: tick: number=7\n");
	made.pid = -1;
	line_is(&record, "           <XXX>--1      [000] dN.21     0.000000: tick: number=7\n");
}

static void lost_records_are_shown_before_the_line(void **state)
{
	struct tracedat_record record = {
		.cpu = 1,
		.data = &tick,
		.size = sizeof(tick),
		.missed = true,
		.missed_count = 12,
	};
	char *line = line_of(&record);

	(void)state;
	assert_memory_equal(line, "CPU:1 [LOST 12 EVENTS]\n       tick", 34);
	free(line);
	record.missed_count = 0;
	line = line_of(&record);
	assert_memory_equal(line, "CPU:1 [LOST EVENTS]\n       tick", 31);
	free(line);
}

static void records_that_are_too_short_or_unknown_are_said_to_be_so(void **state)
{
	struct made_record made = tick;
	struct tracedat_record record = { .data = &made, .size = 11 };
	char *line = line_of(&record);

	(void)state;
	assert_non_null(strstr(line, "tick: [record of 11 bytes, not 12]\n"));
	free(line);
	made.type = 501;
	record.size = 12;
	line = line_of(&record);
	assert_non_null(strstr(line, ": [unknown event 501, 12 bytes]\n"));
	free(line);
	record.size = 0;
	line = line_of(&record);
	assert_non_null(strstr(line, ": [unknown event 0, 0 bytes]\n"));
	free(line);
}

/* The whole text of a trace.dat. The caller frees it. */
static char *converted(int dat_fd, uint64_t max)
{
	struct err e = ERR_INIT;
	int out = made_file();
	char *text;
	off_t size;

	if (tracetext_convert(dat_fd, out, max, &e) < 0)
		fail_msg("%s", e.text);
	size = lseek(out, 0, SEEK_END);
	text = calloc(1, (size_t)size + 1);
	assert_int_equal(pread(out, text, (size_t)size, 0), size);
	close(out);
	return text;
}

static const char *body_of(const char *text)
{
	const char *end = strstr(text, "|     |         |\n");

	assert_non_null(end);
	return end + strlen("|     |         |\n");
}

static void a_bounded_text_is_the_end_of_the_whole_one(void **state)
{
	int streams[2] = { made_file(), made_file() };
	uint64_t max;
	char *whole;
	int fd;
	uint32_t i;

	(void)state;
	/* more than a chunk of pages */
	for (i = 0; i < 1200; i++)
		made_page(streams[i % 2], i * 10000, 40, i * 200, 200, 0);
	fd = made_dat(streams, 2, NULL);
	whole = converted(fd, UINT64_MAX);
	assert_null(strstr(whole, "older records"));
	assert_non_null(
		strstr(whole, "# entries-in-buffer/entries-written: 240000/240000   #P:2\n"));
	for (max = 0; max < strlen(whole); max = max * 5 + 333) {
		char *part = converted(fd, max);
		const char *body = body_of(part);
		size_t size = strlen(body);

		assert_non_null(strstr(part, "# older records are in the .dat file only\n"));
		assert_true(size <= max);
		assert_true(size + 100 > max); /* a line is less than that */
		assert_string_equal(body, whole + strlen(whole) - size);
		assert_true(whole[strlen(whole) - size - 1] == '\n');
		free(part);
	}
	free(whole);
	close(fd);
	close(streams[0]);
	close(streams[1]);
}

static void chunks_neither_repeat_nor_lose_a_record_and_lines_are_kept_whole(void **state)
{
	int stream = made_file();
	const char *body;
	const char *at;
	char *whole;
	char *part;
	unsigned n = 0;
	size_t keep;
	int fd;
	uint32_t i;

	(void)state;
	for (i = 0; i < 600; i++)
		made_page(stream, i * 10000, 40, i * 200, 200, 0);
	fd = made_dat(&stream, 1, NULL);
	whole = converted(fd, UINT64_MAX);
	body = body_of(whole);
	for (at = body; *at; at = strchr(at, '\n') + 1) {
		char number[40];

		snprintf(number, sizeof(number), "tick: number=%u\n", n++);
		assert_memory_equal(strstr(at, "tick: "), number, strlen(number));
	}
	assert_int_equal(n, 120000);

	/* exactly all lines but the first */
	keep = strlen(strchr(body, '\n') + 1);
	part = converted(fd, keep);
	assert_int_equal(strlen(body_of(part)), keep);
	free(part);
	free(whole);
	close(fd);
	close(stream);
}

static void an_empty_file_has_only_its_header(void **state)
{
	int fd = made_dat(NULL, 0, NULL);
	char *text = converted(fd, 1000);

	(void)state;
	assert_memory_equal(text, "# tracer: nop\n#\n# entries-in-buffer", 35);
	assert_string_equal(body_of(text), "");
	free(text);
	close(fd);
}

static void what_is_no_trace_dat_or_cannot_be_written_is_an_error(void **state)
{
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct err e = ERR_INIT;
	int fd = made_file();

	(void)state;
	assert_int_equal(tracetext_convert(fd, full, 1000, &e), -EINVAL);
	close(fd);
	fd = made_dat(NULL, 0, NULL);
	assert_int_equal(tracetext_convert(fd, full, 1000, &e), -ENOSPC);
	close(fd);
	close(full);
}

/* A file as the program makes it of a ring that has stopped, with the formats of two systems. */
struct recording {
	struct ownring ring;
	char *kernel; /* the kernel's own text */
	char *ours;
};

static char *event_format(const struct recording *r, const char *event)
{
	char file[200];

	snprintf(file, sizeof(file), "events/%s/format", event);
	return ownring_read(r->ring.tracefs, file);
}

static void dat_write(const struct recording *r, int fd)
{
	const char *sched[] = { event_format(r, "sched/sched_switch"),
				event_format(r, "sched/sched_wakeup") };
	const char *timer[] = { event_format(r, "timer/timer_start") };
	const char *syscalls[] = { event_format(r, "syscalls/sys_enter_openat"),
				   event_format(r, "syscalls/sys_exit_openat") };
	const char *ftrace[] = { event_format(r, "ftrace/kernel_stack"),
				 event_format(r, "ftrace/print") };
	struct tracedat_system systems[] = { { "sched", sched, 2 },
					     { "timer", timer, 1 },
					     { "syscalls", syscalls, 2 } };
	char *header = ownring_read(r->ring.dir, "events/header_page");
	char *cmdlines = ownring_read(r->ring.tracefs, "saved_cmdlines");
	struct tracedat_about about = {
		.header_page = header,
		.ftrace_formats = ftrace,
		.n_ftrace_formats = 2,
		.systems = systems,
		.n_systems = 3,
		.saved_cmdlines = cmdlines,
	};
	unsigned n_cpus = (unsigned)sysconf(_SC_NPROCESSORS_CONF);
	struct tracedat_cpu *cpus = calloc(n_cpus, sizeof(*cpus));
	int *fds = calloc(n_cpus, sizeof(*fds));
	int kallsyms = open("/proc/kallsyms", O_RDONLY | O_CLOEXEC);
	struct symbols *symbols = NULL;
	struct err e = ERR_INIT;
	unsigned i;

	assert_int_equal(ringpage_layout_parse(&about.layout, header, &e), 0);
	assert_int_equal(symbols_read(&symbols, kallsyms, &e), 0);
	for (i = 0; i < n_cpus; i++) {
		fds[i] = ownring_pages(&r->ring, i);
		cpus[i] = (struct tracedat_cpu) { .fds = &fds[i], .n_fds = fds[i] >= 0 };
		cpus[i].stats = ownring_stats(&r->ring, i);
	}
	assert_int_equal(tracedat_write(fd, &about, cpus, n_cpus, symbols, &e), 0);
	for (i = 0; i < n_cpus; i++) {
		close(fds[i]);
		free((char *)cpus[i].stats);
	}
	for (i = 0; i < 2; i++) {
		free((char *)sched[i]);
		free((char *)syscalls[i]);
		free((char *)ftrace[i]);
	}
	free((char *)timer[0]);
	symbols_free(symbols);
	close(kallsyms);
	free(fds);
	free(cpus);
	free(header);
	free(cmdlines);
}

/* Records what this machine does meanwhile, and reads both texts. False where there is no ring to
 * be had. */
static bool recorded(struct recording *r, const char *option, const char *buffer_kb)
{
	static const char *const events[] = { "sched/sched_switch", "sched/sched_wakeup",
					      "timer/timer_start", "syscalls/sys_enter_openat",
					      "syscalls/sys_exit_openat" };
	char enable[100];
	unsigned i;
	int fd = made_file();

	if (!ownring_open(&r->ring, "tracetext"))
		return false;
	ownring_write(&r->ring, "tracing_on", "0");
	ownring_write(&r->ring, "trace_clock", "boot");
	ownring_write(&r->ring, "options/hash-ptr", "0"); /* we print pointers as they are */
	ownring_write(&r->ring, "buffer_size_kb", buffer_kb);
	if (option)
		assert_true(ownring_write(&r->ring, option, "1"));
	for (i = 0; i < sizeof(events) / sizeof(*events); i++) {
		snprintf(enable, sizeof(enable), "events/%s/enable", events[i]);
		ownring_write(&r->ring, enable, "1");
	}
	ownring_write(&r->ring, "tracing_on", "1");
	ownring_write(&r->ring, "trace_marker", "a mark without a newline");
	for (i = 0; i < 300; i++) {
		close(open("/proc/self/comm", O_RDONLY | O_CLOEXEC));
		usleep(200);
	}
	ownring_write(&r->ring, "tracing_on", "0");
	ownring_write(&r->ring, "events/enable", "0");
	r->kernel = ownring_read(r->ring.dir, "trace");
	dat_write(r, fd);
	ownring_close(&r->ring);
	r->ours = converted(fd, UINT64_MAX);
	close(fd);
	return true;
}

/* Every line below the legend is the same; the kernel's own legend may be another version's. */
static void texts_are_the_same(struct recording *r)
{
	char *kernel = r->kernel;
	char *ours = (char *)body_of(r->ours);
	char *a = NULL;
	char *b;

	while ((a = strsep(&kernel, "\n")) && a[0] == '#')
		;
	assert_non_null(a);
	for (; a && *a; a = strsep(&kernel, "\n")) {
		b = strsep(&ours, "\n");
		/* a task that the kernel has no name for is one that sched_switch may have told us
		 */
		if (b && strstr(a, "<...>-"))
			continue;
		assert_non_null(b);
		assert_string_equal(b, a);
	}
	assert_string_equal(ours, "");
	free(r->kernel);
	free(r->ours);
}

static void the_text_is_the_kernels_own(void **state)
{
	struct recording r = { 0 };

	(void)state;
	if (!recorded(&r, NULL, "4096"))
		skip();
	assert_non_null(strstr(r.ours, "sched_switch: prev_comm="));
	assert_non_null(strstr(r.ours, "tracing_mark_write: a mark without a newline\n"));
	assert_non_null(strstr(r.ours, ": sys_openat(dfd: 0xffffff9c, filename: 0x"));
	assert_non_null(strstr(r.ours, ": sys_openat -> 0x"));
	assert_non_null(strstr(r.kernel, "entries-written"));
	texts_are_the_same(&r);
}

static void stack_traces_are_the_kernels_own(void **state)
{
	struct recording r = { 0 };

	(void)state;
	if (!recorded(&r, "options/stacktrace", "16384"))
		skip();
	assert_non_null(strstr(r.ours, ": <stack trace>\n => "));
	assert_non_null(strstr(r.ours, "\n => schedule\n"));
	texts_are_the_same(&r);
}

static void a_ring_that_has_wrapped_shows_no_loss_at_its_start(void **state)
{
	struct recording r = { 0 };
	unsigned long long entries;
	unsigned long long written;

	(void)state;
	if (!recorded(&r, NULL, "8"))
		skip();
	assert_null(strstr(r.ours, "LOST"));
	assert_int_equal(
		sscanf(strstr(r.ours, "written: "), "written: %llu/%llu", &entries, &written), 2);
	assert_true(written > entries);
	texts_are_the_same(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_laid_out_as_the_kernel_does_it),
		cmocka_unit_test(each_flag_has_the_kernels_letter),
		cmocka_unit_test(tasks_without_a_known_name_look_as_in_the_kernels_file),
		cmocka_unit_test(lost_records_are_shown_before_the_line),
		cmocka_unit_test(records_that_are_too_short_or_unknown_are_said_to_be_so),
		cmocka_unit_test(a_bounded_text_is_the_end_of_the_whole_one),
		cmocka_unit_test(chunks_neither_repeat_nor_lose_a_record_and_lines_are_kept_whole),
		cmocka_unit_test(an_empty_file_has_only_its_header),
		cmocka_unit_test(what_is_no_trace_dat_or_cannot_be_written_is_an_error),
		cmocka_unit_test(the_text_is_the_kernels_own),
		cmocka_unit_test(stack_traces_are_the_kernels_own),
		cmocka_unit_test(a_ring_that_has_wrapped_shows_no_loss_at_its_start),
	};

	return cmocka_run_group_tests_name("tracetext", tests, NULL, NULL);
}
