#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/auto.h"
#include "base/io.h"
#include "trace/filter.h"
#include "trace/instance.h"
#include "trace/tracing.h"

/* The kernel is the judge: a uprobe on a function of this test gives records with a field of each
 * size and signedness, the renaming of this task gives one with strings of a fixed size. */

struct sample {
	int8_t s8;
	uint8_t u8;
	int16_t s16;
	uint16_t u16;
	int32_t s32;
	uint32_t u32;
	int64_t s64;
	uint64_t u64;
	uint64_t n; /* 1, 2, ...: which sample it is */
	char text[64];
};

/* The probe finds it by its place in the file, so it stays where the program was linked. */
struct sample filter_sample = { .n = 1 };

void filter_probed(void);

__attribute__((noinline)) void filter_probed(void)
{
	__asm__ volatile("" ::: "memory");
}

struct event {
	const char *group;
	const char *name;
	struct format *format;
};

struct kernel {
	struct tracing *tracing;
	char group[32];
	char all[48];      /* instance that records everything */
	char filtered[48]; /* instance with the filter under test */
	struct event probe;
	struct event rename;
};

static const struct sample samples[] = {
	{ .n = 1, .text = "" },
	{ -1, 255, -1, 65535, -1, UINT32_MAX, -1, UINT64_MAX, 2, "scoutfsd" },
	{ 127, 128, 32767, 32768, INT32_MAX, 0x80000000u, INT64_MAX, 1ull << 63, 3, "sh" },
	{ -128, 127, -32768, 32767, INT32_MIN, 0x7fffffff, INT64_MIN, INT64_MAX, 4,
	  "kworker/0:1-events" },
	{ 1, 1, 1, 1, 1, 1, 1, 1, 5, "a*b" },
	{ 0x20, 0x20, 0x220, 0x220, 0x10020, 0x10020, 0x100000020, 0x100000020, 6, "a]b-c" },
	{ 10, 10, 10, 10, 10, 10, 10, 10, 7, "back\\slash" },
	{ 8, 16, 100, 1000, 100000, 0xdeadbeef, -5, 5, 8, "123*x" },
	{ .n = 9, .text = "123abc" },
	{ .n = 10, .text = "an 'apostrophe'" },
	{ .n = 11, .text = "sh -c" },
};

/* At most 15 bytes, as the kernel keeps them. */
static const char *const names[] = { "sh",  "bash", "exactly15bytes_",
				     "a]b", "x[yz", "kworker/u8:1",
				     "sh2", "12*",  "12ab" };

static void instance_off(struct kernel *k, const char *instance)
{
	struct err e = ERR_INIT;

	if (instance_remove(k->tracing, instance, &e) < 0)
		print_error("%s\n", e.text);
}

/* Where the probed function begins in the file, by what is mapped where. */
static uint64_t function_offset(void)
{
	autofclose FILE *maps = fopen("/proc/self/maps", "r");
	uint64_t address = (uintptr_t)filter_probed, start, end, offset;
	char line[512];

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %*s %lx", &start, &end, &offset) == 3 &&
		    address >= start && address < end)
			return address - start + offset;
	}
	fail_msg("the probed function is not mapped");
	return 0;
}

static void probe_add(struct kernel *k)
{
	static const struct {
		const char *name;
		size_t at;
	} fields[] = {
		{ "s8", offsetof(struct sample, s8) },   { "u8", offsetof(struct sample, u8) },
		{ "s16", offsetof(struct sample, s16) }, { "u16", offsetof(struct sample, u16) },
		{ "s32", offsetof(struct sample, s32) }, { "u32", offsetof(struct sample, u32) },
		{ "s64", offsetof(struct sample, s64) }, { "u64", offsetof(struct sample, u64) },
	};
	uint64_t function = function_offset();
	/* as the kernel does it: bytes from where the file's first byte would be mapped */
	uint64_t data = (uintptr_t)&filter_sample - ((uintptr_t)filter_probed - function);
	struct err e = ERR_INIT;
	char text[2048];
	char self[512] = "";
	int n;

	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	n = snprintf(text, sizeof(text), "p:%s/probe %s:0x%lx n=@+0x%lx:u64 text=@+0x%lx:string",
		     k->group, self, function, data + offsetof(struct sample, n),
		     data + offsetof(struct sample, text));
	for (size_t i = 0; i < countof(fields); i++)
		n += snprintf(text + n, sizeof(text) - n, " %s=@+0x%lx:%s", fields[i].name,
			      data + fields[i].at, fields[i].name);
	autoclose int fd = openat(tracing_fd(k->tracing), "uprobe_events", O_WRONLY | O_APPEND);
	assert_true(fd >= 0);
	if (io_write(fd, text, n, &e) < 0)
		fail_msg("'%s': %s", text, e.text);
}

static void probe_remove(struct kernel *k)
{
	autoclose int fd = openat(tracing_fd(k->tracing), "uprobe_events", O_WRONLY | O_APPEND);
	struct err e = ERR_INIT;
	char text[64];

	snprintf(text, sizeof(text), "-:%s/probe", k->group);
	if (io_write(fd, text, strlen(text), &e) < 0)
		print_error("%s: %s\n", text, e.text);
}

static int instance_set(struct kernel *k, const char *instance, const struct event *event,
			const char *file, const char *text)
{
	struct err e = ERR_INIT;
	char path[160];

	snprintf(path, sizeof(path), "events/%s/%s/%s", event->group, event->name, file);
	return instance_write(k->tracing, instance, path, text, &e);
}

static void event_open(struct kernel *k, struct event *event, const char *group, const char *name)
{
	struct err e = ERR_INIT;

	event->group = group;
	event->name = name;
	if (tracing_format(k->tracing, group, name, &event->format, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(instance_set(k, k->all, event, "enable", "1"), 0);
	assert_int_equal(instance_set(k, k->filtered, event, "enable", "1"), 0);
}

static int kernel_open(void **state)
{
	struct kernel *k = calloc(1, sizeof(*k));
	struct err e = ERR_INIT;
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	if (tracing_open(&k->tracing, &e) < 0)
		fail_msg("%s", e.text);
	snprintf(k->group, sizeof(k->group), "filtertest%d", getpid());
	snprintf(k->all, sizeof(k->all), "filter-test-all-%d", getpid());
	snprintf(k->filtered, sizeof(k->filtered), "filter-test-%d", getpid());
	probe_add(k);
	assert_int_equal(instance_create(k->tracing, k->all, &e), 0);
	assert_int_equal(instance_create(k->tracing, k->filtered, &e), 0);
	event_open(k, &k->probe, k->group, "probe");
	event_open(k, &k->rename, "task", "task_rename");
	*state = k;
	return 0;
}

static int kernel_close(void **state)
{
	struct kernel *k = *state;

	instance_off(k, k->all);
	instance_off(k, k->filtered);
	probe_remove(k);
	format_free(k->probe.format);
	format_free(k->rename.format);
	tracing_close(k->tracing);
	free(k);
	return 0;
}

#define RECORDS 64
#define RECORD_SIZE 512

/* What an instance recorded of one event by this task, in order. */
struct records {
	size_t n;
	size_t sizes[RECORDS];
	uint8_t data[RECORDS][RECORD_SIZE];
};

static void records_add(struct records *records, const struct event *event,
			const struct ringpage_record *record)
{
	const struct field *type = format_field(event->format, "common_type");
	const struct field *pid = format_field(event->format, "common_pid");

	if (field_int(type, record->data, record->size) != event->format->id ||
	    field_int(pid, record->data, record->size) != getpid())
		return;
	assert_true(records->n < RECORDS && record->size <= RECORD_SIZE);
	memcpy(records->data[records->n], record->data, record->size);
	records->sizes[records->n++] = record->size;
}

static void records_read(struct kernel *k, const char *instance, const struct event *event,
			 struct records *records)
{
	struct ringpage_layout layout;
	struct err e = ERR_INIT;
	uint8_t page[65536];

	records->n = 0;
	autoclose int fd =
		instance_open_cpu(k->tracing, instance, sched_getcpu(), "trace_pipe_raw", &e);
	assert_true(fd >= 0);
	assert_int_equal(instance_layout(k->tracing, instance, &layout, &e), 0);
	assert_true(layout.page_size <= sizeof(page));
	while (read(fd, page, layout.page_size) > 0) {
		struct ringpage_record record;
		struct ringpage walk;

		ringpage_open(&walk, &layout, page);
		while (ringpage_next(&walk, &record) > 0)
			records_add(records, event, &record);
	}
}

static void samples_run(void)
{
	for (size_t i = 0; i < countof(samples); i++) {
		filter_sample = samples[i];
		filter_probed();
	}
}

static void names_run(void)
{
	char before[16];

	prctl(PR_GET_NAME, before);
	for (size_t i = 0; i < countof(names); i++)
		prctl(PR_SET_NAME, names[i]);
	prctl(PR_SET_NAME, before);
}

struct judged {
	size_t passed;
	size_t rejected;
};

/* What is behind a string's NUL may differ between two instances. */
static bool field_same(const struct field *field, const struct records *a, size_t i,
		       const struct records *b, size_t j)
{
	size_t n, m;
	const char *x = field_string(field, a->data[i], a->sizes[i], &n);
	const char *y = field_string(field, b->data[j], b->sizes[j], &m);

	return n == m && !memcmp(x, y, n) &&
	       field_int(field, a->data[i], a->sizes[i]) ==
		       field_int(field, b->data[j], b->sizes[j]);
}

static bool record_same(const struct event *event, const struct records *a, size_t i,
			const struct records *b, size_t j)
{
	for (size_t f = 0; f < event->format->n_fields; f++) {
		const struct field *field = &event->format->fields[f];

		/* flags and the depth of preemption are the instance's */
		if (strncmp(field->name, "common_", 7) && !field_same(field, a, i, b, j))
			return false;
	}
	return true;
}

/* The kernel looks for "*x" and "*x*" behind the NUL as well, where there is what happened to be in
 * its memory: of these we can only judge what passed, by the bytes that it passed with. */
static bool pattern_is_exact(const struct event *event, const char *text)
{
	return strcmp(event->name, "task_rename") || !(strstr(text, "\"*") || strstr(text, "!*"));
}

/* Records with the filter beside records without it: the k-th of those that pass here is the k-th
 * that passed there. */
static struct judged records_judge(const char *text, const struct event *event,
				   const struct filter *filter,
				   const struct filter_context *context, const struct records *all,
				   const struct records *passed)
{
	struct judged judged = { 0 };

	for (size_t i = 0; i < all->n; i++) {
		size_t k = judged.passed;
		bool theirs = k < passed->n && record_same(event, passed, k, all, i);
		const struct records *from = theirs ? passed : all;
		size_t at = theirs ? k : i;
		bool ours = filter_match(filter, context, from->data[at], from->sizes[at]);

		if (ours != theirs && (theirs || pattern_is_exact(event, text)))
			fail_msg("'%s', record %zu: we say %d, the kernel %d", text, i, ours,
				 theirs);
		judged.passed += theirs;
		judged.rejected += !theirs;
	}
	assert_int_equal(judged.passed, passed->n);
	return judged;
}

static struct judged kernel_judge(struct kernel *k, const struct event *event, const char *text,
				  void (*run)(void))
{
	struct records all, passed;
	struct filter *filter = NULL;
	struct err e = ERR_INIT;
	struct judged judged;
	autofree char *ours = NULL;
	char comm[16];
	struct filter_context context = { .cpu = sched_getcpu(), .comm = comm };

	prctl(PR_GET_NAME, comm);
	if (filter_parse(&filter, text, event->format, &e) < 0)
		fail_msg("%s", e.text);
	ours = filter_text(filter);
	if (instance_set(k, k->filtered, event, "filter", ours) < 0)
		fail_msg("the kernel refuses '%s'", ours);
	run();
	records_read(k, k->all, event, &all);
	records_read(k, k->filtered, event, &passed);
	assert_true(all.n >= countof(names));
	judged = records_judge(text, event, filter, &context, &all, &passed);
	filter_free(filter);
	return judged;
}

static void integers_pass_as_in_the_kernel(void **state)
{
	static const char *const fields[] = {
		"s8", "u8", "s16", "u16", "s32", "u32", "s64", "u64"
	};
	static const char *const ops[] = { "==", "!=", "<", "<=", ">", ">=", "&" };
	static const char *const values[] = { "0",   "1",          "0x20", "012", "255",
					      "128", "0xffffffff", "-1",   "-128" };
	char text[64];

	for (size_t f = 0; f < countof(fields); f++) {
		for (size_t o = 0; o < countof(ops); o++) {
			for (size_t v = 0; v < countof(values); v++) {
				if (fields[f][0] == 'u' && values[v][0] == '-')
					continue;
				snprintf(text, sizeof(text), "%s %s %s", fields[f], ops[o],
					 values[v]);
				kernel_judge(*state, &((struct kernel *)*state)->probe, text,
					     samples_run);
			}
		}
	}
}

static void logic_passes_as_in_the_kernel(void **state)
{
	static const char *const texts[] = {
		"s8 == 1 || s16 == -1 && u8 == 255",
		"(s8 == 1 || s16 == -1) && u8 == 1",
		"s8 == 1 && u8 == 1 || s16 == -1",
		"!(s8 == 1 || s16 == -1) && u8 != 0",
		"!s8 == 1",
		"!!s8 == 1",
		"!(!(s8 == 1) && !(u8 == 255 || u8 == 16)) || text == \"sh\"",
		"((((s8 > 0))))&&(u64&0x20||u64==5)",
		"s8==1||u8==255||s16==100||u16==10&&s64==10||!u64<1",
		" \t s64 < -1\n|| s64 > 0x7fffffffffffff00 ",
		"u64 >= 9223372036854775808",
		"s64 == -9223372036854775808",
		"common_pid > 0 && n < 4",
		"common_pid == 0",
	};
	size_t passed = 0, rejected = 0;

	for (size_t i = 0; i < countof(texts); i++) {
		struct judged j = kernel_judge(*state, &((struct kernel *)*state)->probe, texts[i],
					       samples_run);

		passed += j.passed;
		rejected += j.rejected;
	}
	assert_true(passed > 0 && rejected > 0);
}

static const char *const patterns[] = {
	"sh",
	"*sh",
	"sh*",
	"*sh*",
	"s?",
	"[a-s]h",
	"[!a-r]h*",
	"*[0-9]*",
	"*",
	"**",
	"",
	"!sh",
	"!*sh*",
	"!",
	"a\\*b",
	"a*b",
	"a[]]b*",
	"a[!]]b*",
	"*]b*",
	"back\\\\*",
	"*\\\\*",
	"123*",
	"12*",
	"12*ab",
	"!12*",
	"*events",
	"k*r/*[:]*",
	"[",
	"x[yz",
	"x[y",
	"*[*",
	"*-*",
	"[a-]*",
	"*[]-]*",
	"*?*",
	"??",
	"*\\",
	"sh\\",
	"*_",
	"exactly15bytes_",
	"exactly15bytes_and_more",
	"exactly15bytes_*",
	"*ytes_",
	"*worker*",
	"*s*s*",
	"scout*d",
	"*u8:?",
	"k[!x]orker*",
};

static void strings_pass_as_in_the_kernel(void **state)
{
	static const char *const ops[] = { "~", "==", "!=" };
	struct kernel *k = *state;
	char text[128];

	for (size_t i = 0; i < countof(patterns); i++) {
		for (size_t o = 0; o < countof(ops); o++) {
			snprintf(text, sizeof(text), "text %s \"%s\"", ops[o], patterns[i]);
			kernel_judge(k, &k->probe, text, samples_run);
		}
	}
	kernel_judge(k, &k->probe, "text == \"an 'apostrophe'\"", samples_run);
	kernel_judge(k, &k->probe, "text ~ 'sh *' || text ~ '*apo*'", samples_run);
}

static void strings_of_fixed_size_pass_as_in_the_kernel(void **state)
{
	static const char *const ops[] = { "~", "==", "!=" };
	struct kernel *k = *state;
	char text[128];

	for (size_t i = 0; i < countof(patterns); i++) {
		for (size_t o = 0; o < countof(ops); o++) {
			snprintf(text, sizeof(text), "newcomm %s \"%s\"", ops[o], patterns[i]);
			kernel_judge(k, &k->rename, text, names_run);
		}
	}
}

static void the_cpu_and_the_task_pass_as_in_the_kernel(void **state)
{
	static const char *const ops[] = { "==", "!=", "<", "<=", ">", ">=", "&" };
	struct kernel *k = *state;
	char text[128];

	for (size_t o = 0; o < countof(ops); o++) {
		for (int cpu = -1; cpu < 4; cpu++) {
			snprintf(text, sizeof(text), "%s %s %d", cpu & 1 ? "CPU" : "cpu", ops[o],
				 cpu);
			kernel_judge(k, &k->probe, text, samples_run);
		}
	}
	prctl(PR_SET_NAME, "12 kworker");
	for (size_t i = 0; i < countof(patterns); i++) {
		snprintf(text, sizeof(text), "%s ~ \"%s\"", i & 1 ? "COMM" : "comm", patterns[i]);
		kernel_judge(k, &k->probe, text, samples_run);
	}
	assert_int_equal(kernel_judge(k, &k->probe, "COMM == \"12 kworker\"", samples_run).rejected,
			 0);
	assert_int_equal(kernel_judge(k, &k->probe, "comm != \"12 kworker\"", samples_run).passed,
			 0);
}

static void what_the_kernel_refuses_we_refuse(void **state)
{
	static const struct {
		const char *text;
		const char *part; /* of our sentence */
	} texts[] = {
		{ "", "ends where a field" },
		{ "   ", "ends where a field" },
		{ "s8", "== != <" },
		{ "s8 ==", "ends where a number" },
		{ "s8 = 1", "at '= 1'" },
		{ "s8 === 1", "at '= 1'" },
		{ "s8 == x", "at 'x'" },
		{ "s8 == +1", "at '+1'" },
		{ "== 1", "a field is missing" },
		{ "s9 == 1", "did you mean 's8'?" },
		{ "common_pidd == 1", "did you mean 'common_pid'?" },
		{ "s8 == 1 s16 == 1", "'&&' or '||' is missing at 's16" },
		{ "s8 == 1 & s16 == 1", "'&&' or '||'" },
		{ "s8 == 1 | s16 == 1", "'&&' or '||'" },
		{ "s8 == 1 && && s16 == 1", "a field is missing at '&&" },
		{ "|| s8 == 1", "a field is missing" },
		{ "(s8 == 1", "')' is missing" },
		{ "s8 == 1)", "'&&' or '||' is missing at ')'" },
		{ "s8 == (1)", "at '(1)'" },
		{ "s8 == 08", "not a value" },
		{ "s8 == 0x", "not a value" },
		{ "s8 == 1f", "not a value" },
		{ "s8 == --1", "not a value" },
		{ "s8 == -", "not a value" },
		{ "u8 == -1", "an unsigned" },
		{ "u64 == 18446744073709551616", "not a value" },
		{ "s64 == 9223372036854775808", "a signed" },
		{ "s64 == -9223372036854775809", "a signed" },
		{ "s64 == 0000000000000000000000001", "not a value" },
		{ "s8 == \"1\"", "has no quotes" },
		{ "s8 ~ 1", "for strings" },
		{ "text == 1", "in quotes" },
		{ "text == sh", "in quotes" },
		{ "text < \"sh\"", "but not <" },
		{ "text & \"sh\"", "but not &" },
		{ "text == \"sh", "has no end" },
		{ "text == \"sh'", "has no end" },
		{ "text !~ \"sh\"", "at '!~" },
		{ "CPU == \"1\"", "has no quotes" },
		{ "CPU ~ 1", "for strings" },
		{ "COMM == 1", "in quotes" },
		{ "COMM > \"sh\"", "but not >" },
		{ "s-8 == 1", "has no field 's'" },
	};
	struct kernel *k = *state;

	for (size_t i = 0; i < countof(texts); i++) {
		struct filter *filter = NULL;
		struct err e = ERR_INIT;

		if (instance_set(k, k->filtered, &k->probe, "filter", texts[i].text) >= 0 &&
		    *texts[i].text)
			fail_msg("the kernel takes '%s'", texts[i].text);
		if (filter_parse(&filter, texts[i].text, k->probe.format, &e) == 0)
			fail_msg("we take '%s'", texts[i].text);
		assert_null(filter);
		if (!strstr(e.text, texts[i].part))
			fail_msg("'%s': %s", texts[i].text, e.text);
	}
	instance_set(k, k->filtered, &k->probe, "filter", "0");
}

static void text_too_long_or_too_deep_is_refused(void **state)
{
	struct kernel *k = *state;
	struct filter *filter = NULL;
	struct err e = ERR_INIT;
	char text[5000];

	memset(text, ' ', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	assert_true(filter_parse(&filter, text, k->probe.format, &e) < 0);
	assert_non_null(strstr(e.text, "longer than 4095"));
	memset(text, '(', 4000);
	text[4000] = '\0';
	assert_true(filter_parse(&filter, text, k->probe.format, &e) < 0);
	assert_non_null(strstr(e.text, "within each other"));
	memset(text, '!', 4000);
	assert_true(filter_parse(&filter, text, k->probe.format, &e) < 0);
	assert_non_null(strstr(e.text, "within each other"));
	text[0] = '\0';
	for (int i = 0; i < 100; i++)
		strcat(text, i ? " && (s8 == 1)" : "(s8 == 1)");
	assert_int_equal(filter_parse(&filter, text, k->probe.format, &e), 0);
	filter_free(take_ptr(filter));
	snprintf(text, sizeof(text), "text == \"%0256d\"", 0);
	assert_true(instance_set(k, k->filtered, &k->probe, "filter", text) < 0);
	assert_true(filter_parse(&filter, text, k->probe.format, &e) < 0);
	assert_non_null(strstr(e.text, "longer than 255"));
	snprintf(text, sizeof(text), "text == \"%0255d\"", 0);
	assert_true(instance_set(k, k->filtered, &k->probe, "filter", text) >= 0);
	assert_int_equal(filter_parse(&filter, text, k->probe.format, &e), 0);
	filter_free(filter);
	instance_set(k, k->filtered, &k->probe, "filter", "0");
}

static void text_keeps_its_brackets(void **state)
{
	static const struct {
		const char *in;
		const char *out;
	} texts[] = {
		{ "s8==1", "s8 == 1" },
		{ "s8 == 1||u8<2&&u16>3", "(s8 == 1 || (u8 < 2 && u16 > 3))" },
		{ "(s8 == 1||u8<2)&&u16>3", "((s8 == 1 || u8 < 2) && u16 > 3)" },
		{ "!s8 == 0x1 && !(u8&2)", "(!(s8 == 0x1) && !(u8 & 2))" },
		{ "text ~ '*\"x\"*'", "text ~ '*\"x\"*'" },
	};
	struct kernel *k = *state;

	for (size_t i = 0; i < countof(texts); i++) {
		struct filter *filter = NULL;
		struct err e = ERR_INIT;
		autofree char *text = NULL;

		assert_int_equal(filter_parse(&filter, texts[i].in, k->probe.format, &e), 0);
		text = filter_text(filter);
		assert_string_equal(text, texts[i].out);
		filter_free(filter);
	}
}

static struct filter *parsed(struct kernel *k, const char *text)
{
	struct filter *filter = NULL;
	struct err e = ERR_INIT;

	if (filter_parse(&filter, text, k->probe.format, &e) < 0)
		fail_msg("%s", e.text);
	return filter;
}

static void no_filter_takes_every_record(void **state)
{
	struct filter_context context = { .cpu = 0 };
	autofree char *nothing = filter_text(NULL);

	(void)state;
	assert_true(filter_match(NULL, &context, "", 0));
	assert_string_equal(nothing, "");
}

/* The kernel follows pointers that mean nothing outside of it, and never matches arrays. */
static void fields_that_no_record_holds_are_refused(void **state)
{
	static const char text[] = "name: x\nID: 5\nformat:\n"
				   "\tfield:const char * path;\toffset:8;\tsize:8;\tsigned:0;\n"
				   "\tfield:int list[4];\toffset:16;\tsize:16;\tsigned:1;\n";
	struct filter *filter = NULL;
	struct format *format = NULL;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(format_parse(&format, "test", text, &e), 0);
	assert_true(filter_parse(&filter, "path ~ \"*x*\"", format, &e) < 0);
	assert_non_null(strstr(e.text, "pointer to text"));
	assert_true(filter_parse(&filter, "list == 1", format, &e) < 0);
	assert_non_null(strstr(e.text, "cannot be compared"));
	format_free(format);
}

/* Each prefix of a record in a block of its own size, so that a sanitizer sees a byte too many. */
static void records_cut_short_are_not_read_beyond_their_end(void **state)
{
	static const char *const texts[] = { "s64 == 1",        "text == \"x\"",  "text ~ \"*x\"",
					     "text ~ \"x*\"",   "text ~ \"*x*\"", "text ~ \"[x\"",
					     "text ~ \"x?y*\"", "text != \"\"",   "u8 == 15" };
	struct filter_context context = { .cpu = 0 };
	struct kernel *k = *state;
	size_t matches = 0;

	for (size_t t = 0; t < countof(texts); t++) {
		struct filter *filter = parsed(k, texts[t]);

		for (size_t size = 0; size < 128; size++) {
			autofree uint8_t *record = malloc(size ? size : 1);

			for (int fill = 0; fill < 256; fill += 15) {
				memset(record, fill, size);
				matches += filter_match(filter, &context, record, size);
			}
		}
		filter_free(filter);
	}
	assert_true(matches > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers_pass_as_in_the_kernel),
		cmocka_unit_test(logic_passes_as_in_the_kernel),
		cmocka_unit_test(strings_pass_as_in_the_kernel),
		cmocka_unit_test(strings_of_fixed_size_pass_as_in_the_kernel),
		cmocka_unit_test(the_cpu_and_the_task_pass_as_in_the_kernel),
		cmocka_unit_test(what_the_kernel_refuses_we_refuse),
		cmocka_unit_test(text_too_long_or_too_deep_is_refused),
		cmocka_unit_test(text_keeps_its_brackets),
		cmocka_unit_test(no_filter_takes_every_record),
		cmocka_unit_test(fields_that_no_record_holds_are_refused),
		cmocka_unit_test(records_cut_short_are_not_read_beyond_their_end),
	};

	return cmocka_run_group_tests_name("filter", tests, kernel_open, kernel_close);
}
