/* Inside each sandbox: what it is for works, and nothing else does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/io.h"
#include "process/sandbox.h"
#include "scratch.h"

#define COMPUTE (1 << SANDBOX_COMPUTE)
#define HELD (1 << SANDBOX_HELD)
#define READER (1 << SANDBOX_READER)
#define ALL (COMPUTE | HELD | READER)

/* Opened before the sandbox; all that is tried in it is tried on these. */
struct bench {
	struct scratch dir; /* with the files `old` and `secret`, which is another user's */
	int held;           /* `old`, for reading and writing */
	int pair[2];
	void *page;
};

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct err e = ERR_INIT;

	scratch_open(&b->dir);
	assert_int_equal(io_create_file(b->dir.fd, "old", "old", 3, &e), 0);
	assert_int_equal(io_create_file(b->dir.fd, "secret", "secret", 6, &e), 0);
	assert_int_equal(fchownat(b->dir.fd, "secret", 12345, 12345, 0), 0);
	b->held = openat(b->dir.fd, "old", O_RDWR | O_CLOEXEC);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, b->pair), 0);
	b->page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	close(b->held);
	close(b->pair[0]);
	close(b->pair[1]);
	munmap(b->page, 4096);
	scratch_close(&b->dir);
	free(b);
	return 0;
}

/* What is tried. Each returns what a system call returns. */

static long write_held(const struct bench *b)
{
	return pwrite(b->held, "x", 1, 0);
}

static long read_held(const struct bench *b)
{
	char c;

	return pread(b->held, &c, 1, 0);
}

static long speak(const struct bench *b)
{
	struct pollfd pollfd = { .fd = b->pair[1], .events = POLLIN };

	if (send(b->pair[0], "x", 1, MSG_NOSIGNAL) < 0)
		return -1;
	return poll(&pollfd, 1, 0) == 1 ? 0 : -1;
}

static long have_memory(const struct bench *b)
{
	char *p = malloc(3 << 20);

	(void)b;
	if (!p)
		return -1;
	memset(p, 1, 3 << 20);
	free(p);
	return 0;
}

static long sync_held(const struct bench *b)
{
	return ftruncate(b->held, 3) < 0 ? -1 : fsync(b->held);
}

static long sleep_shortly(const struct bench *b)
{
	const struct timespec moment = { .tv_nsec = 1000 };

	(void)b;
	return nanosleep(&moment, NULL);
}

static long open_to_read(const struct bench *b)
{
	return openat(b->dir.fd, "old", O_RDONLY | O_CLOEXEC);
}

static long open_of_another_user(const struct bench *b)
{
	return openat(b->dir.fd, "secret", O_RDONLY | O_CLOEXEC);
}

static long make_new(const struct bench *b)
{
	return openat(b->dir.fd, "new", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

static long open_to_write(const struct bench *b)
{
	return openat(b->dir.fd, "old", O_WRONLY | O_CLOEXEC);
}

static long open_to_read_and_write(const struct bench *b)
{
	return openat(b->dir.fd, "old", O_RDWR | O_CLOEXEC);
}

static long open_to_truncate(const struct bench *b)
{
	return openat(b->dir.fd, "old", O_RDONLY | O_TRUNC | O_CLOEXEC);
}

static long make_or_open(const struct bench *b)
{
	return openat(b->dir.fd, "new-too", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
}

static long open_by_openat2(const struct bench *b)
{
	struct open_how how = { .flags = O_WRONLY };

	return syscall(SYS_openat2, b->dir.fd, "old", &how, sizeof(how));
}

static long list_directory(const struct bench *b)
{
	char entries[1024];

	return syscall(SYS_getdents64, b->dir.fd, entries, sizeof(entries));
}

static long remove_file(const struct bench *b)
{
	return unlinkat(b->dir.fd, "old", 0);
}

static long rename_file(const struct bench *b)
{
	return renameat(b->dir.fd, "old", b->dir.fd, "young");
}

static long change_mode(const struct bench *b)
{
	return fchmod(b->held, 0666);
}

static long make_socket(const struct bench *b)
{
	(void)b;
	return socket(AF_INET, SOCK_DGRAM, 0);
}

static long make_process(const struct bench *b)
{
	long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	(void)b;
	if (pid == 0)
		_exit(0);
	return pid;
}

static long run_program(const struct bench *b)
{
	char *const argv[] = { "true", NULL };

	(void)b;
	return execv("/bin/true", argv);
}

static long trace_parent(const struct bench *b)
{
	(void)b;
	return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}

static long signal_parent(const struct bench *b)
{
	(void)b;
	return kill(getppid(), 0);
}

static long make_code_of_data(const struct bench *b)
{
	return mprotect(b->page, 4096, PROT_READ | PROT_EXEC);
}

static long map_code(const struct bench *b)
{
	(void)b;
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
			       MAP_FAILED
		       ? -1
		       : 0;
}

static long become_root(const struct bench *b)
{
	(void)b;
	return syscall(SYS_setuid, 0);
}

static long mount_something(const struct bench *b)
{
	return mount("none", b->dir.path, "tmpfs", 0, NULL);
}

static long have_new_namespace(const struct bench *b)
{
	(void)b;
	return syscall(SYS_unshare, 0x10000000); /* of users */
}

static long read_another_memory(const struct bench *b)
{
	(void)b;
	return syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0);
}

static const struct attempt {
	const char *name;
	long (*run)(const struct bench *b);
	unsigned allowed; /* in which */
} attempts[] = {
	{ "write to a held file", write_held, ALL },
	{ "read a held file", read_held, ALL },
	{ "speak over a held socket", speak, ALL },
	{ "have memory", have_memory, ALL },
	{ "sync a held file", sync_held, HELD | READER },
	{ "sleep", sleep_shortly, HELD | READER },
	{ "open to read", open_to_read, READER },
	{ "open another user's", open_of_another_user, READER },
	{ "make a new file", make_new, READER },
	{ "list a directory", list_directory, READER },
	{ "signal another process", signal_parent, READER },
	{ "open to write", open_to_write, 0 },
	{ "open to read and write", open_to_read_and_write, 0 },
	{ "open to truncate", open_to_truncate, 0 },
	{ "make a file or open an old one", make_or_open, 0 },
	{ "open by openat2", open_by_openat2, 0 },
	{ "remove a file", remove_file, 0 },
	{ "rename a file", rename_file, 0 },
	{ "change a mode", change_mode, 0 },
	{ "make a socket", make_socket, 0 },
	{ "make a process", make_process, 0 },
	{ "run a program", run_program, 0 },
	{ "trace another process", trace_parent, 0 },
	{ "read another process's memory", read_another_memory, 0 },
	{ "make code of data", make_code_of_data, 0 },
	{ "map code", map_code, 0 },
	{ "become root", become_root, 0 },
	{ "mount", mount_something, 0 },
	{ "have a new namespace", have_new_namespace, 0 },
};

/* In a process of its own. Returns 0 or an errno; 255 if the sandbox itself could not be entered.
 */
static int try_in(const struct bench *b, enum sandbox sandbox, const struct attempt *attempt)
{
	struct err e = ERR_INIT;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (sandbox_enter(sandbox, &e) < 0)
			_exit(255);
		_exit(attempt->run(b) < 0 ? errno : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status))
		fail_msg("%s: signal %d", attempt->name, WTERMSIG(status));
	return WEXITSTATUS(status);
}

static void assert_sandbox(const struct bench *b, enum sandbox sandbox)
{
	for (size_t i = 0; i < countof(attempts); i++) {
		int error = try_in(b, sandbox, &attempts[i]);

		if ((attempts[i].allowed & 1 << sandbox) && error)
			fail_msg("cannot %s: %s", attempts[i].name, strerror(error));
		if (!(attempts[i].allowed & 1 << sandbox) && error != EPERM && error != ENOSYS)
			fail_msg("can %s: %d", attempts[i].name, error);
	}
}

static void who_computes_can_only_use_what_it_holds(void **state)
{
	assert_sandbox(*state, SANDBOX_COMPUTE);
}

static void who_holds_descriptors_can_use_them_and_open_none(void **state)
{
	assert_sandbox(*state, SANDBOX_HELD);
}

static void who_reads_can_open_anything_and_change_nothing(void **state)
{
	assert_sandbox(*state, SANDBOX_READER);
}

/* Without a sandbox all of it works but for a few: else the tests above would prove nothing. */
static void outside_most_of_it_works(void **state)
{
	static const char *const harmless[] = { "open to write",     "make a socket",
						"make a process",    "run a program",
						"make code of data", "map code",
						"become root",       "change a mode" };

	for (size_t i = 0; i < countof(attempts); i++) {
		pid_t pid;
		int status;
		bool chosen = attempts[i].allowed != 0;

		for (size_t j = 0; j < countof(harmless); j++)
			chosen |= !strcmp(attempts[i].name, harmless[j]);
		if (!chosen)
			continue;
		pid = fork();
		if (pid == 0)
			_exit(attempts[i].run(*state) < 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (status)
			fail_msg("%s", attempts[i].name);
	}
}

/* What /proc says of a process that sits in that sandbox; the caller's to free. */
static char *status_in(enum sandbox sandbox)
{
	char path[64], *text = NULL;
	struct err e = ERR_INIT;
	int ready[2], over[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe(ready) | pipe(over), 0);
	pid = fork();
	if (pid == 0) {
		close(over[1]);
		if (sandbox_enter(sandbox, &e) < 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		_exit(read(over[0], &c, 1) != 0);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	assert_int_equal(io_read_file(AT_FDCWD, path, 65536, &text, NULL, &e), 0);
	close(over[1]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(over[0]);
	close(ready[0]);
	close(ready[1]);
	return text;
}

static void nobody_has_no_capability_and_the_reader_four(void **state)
{
	static const struct {
		enum sandbox sandbox;
		const char *lines[5];
	} rows[] = {
		{ SANDBOX_COMPUTE,
		  { "Uid:\t65534\t65534\t65534\t65534\n", "Gid:\t65534\t65534\t65534\t65534\n",
		    "Groups:\t \n", "CapPrm:\t0000000000000000\n",
		    "CapBnd:\t0000000000000000\n" } },
		{ SANDBOX_HELD,
		  { "Uid:\t65534\t65534\t65534\t65534\n", "Gid:\t65534\t65534\t65534\t65534\n",
		    "Groups:\t \n", "CapPrm:\t0000000000000000\n",
		    "CapBnd:\t0000000000000000\n" } },
		/* to read and search, to look into processes, at the log, and at what only an
		   administrator sees */
		{ SANDBOX_READER,
		  { "CapPrm:\t0000000400280004\n", "CapEff:\t0000000400280004\n" } },
	};

	(void)state;
	for (size_t i = 0; i < countof(rows); i++) {
		autofree char *text = status_in(rows[i].sandbox);

		assert_non_null(strstr(text, "NoNewPrivs:\t1\n"));
		assert_non_null(strstr(text, "Seccomp:\t2\n"));
		for (size_t j = 0; j < countof(rows[i].lines) && rows[i].lines[j]; j++)
			if (!strstr(text, rows[i].lines[j]))
				fail_msg("no '%s' in sandbox %d: %s", rows[i].lines[j],
					 rows[i].sandbox, text);
	}
}

/* A change of user would take away the wish to die with the parent. */
static void who_dies_with_its_parent_still_does(void **state)
{
	int alive[2];
	pid_t pid;
	char c;

	(void)state;
	assert_int_equal(pipe(alive), 0);
	pid = fork();
	if (pid == 0) {
		struct err e = ERR_INIT;

		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (sandbox_enter(SANDBOX_HELD, &e) < 0 || write(alive[1], "x", 1) != 1)
				_exit(1);
			for (;;)
				poll(NULL, 0, 60000);
		}
		pause();
	}
	close(alive[1]);
	assert_int_equal(read(alive[0], &c, 1), 1);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	{
		struct pollfd pollfd = { .fd = alive[0], .events = POLLIN };

		assert_int_equal(poll(&pollfd, 1, 5000), 1);
	}
	assert_int_equal(read(alive[0], &c, 1), 0);
	close(alive[0]);
}

#define SANDBOX_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SANDBOX_TEST(who_computes_can_only_use_what_it_holds),
		SANDBOX_TEST(who_holds_descriptors_can_use_them_and_open_none),
		SANDBOX_TEST(who_reads_can_open_anything_and_change_nothing),
		SANDBOX_TEST(outside_most_of_it_works),
		cmocka_unit_test(nobody_has_no_capability_and_the_reader_four),
		cmocka_unit_test(who_dies_with_its_parent_still_does),
	};

	return cmocka_run_group_tests_name("sandbox", tests, NULL, NULL);
}
