#include "process/sandbox.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/auto.h"

#define NOBODY 65534

/* What any process needs to go on and to end. */
static const int calls_compute[] = {
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(readv),
	SCMP_SYS(writev),
	SCMP_SYS(pread64),
	SCMP_SYS(pwrite64),
	SCMP_SYS(close),
	SCMP_SYS(lseek),
	SCMP_SYS(fstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(statx),
	SCMP_SYS(fcntl),
	SCMP_SYS(brk),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(getrandom),
	SCMP_SYS(futex),
	SCMP_SYS(sched_yield),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(getuid),
	SCMP_SYS(geteuid),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendmsg),
	SCMP_SYS(recvfrom),
	SCMP_SYS(sendto),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(setitimer),
};

/* What the owner of held descriptors needs besides. */
static const int calls_held[] = {
	SCMP_SYS(ioctl),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_create1),
	SCMP_SYS(setsockopt),
	SCMP_SYS(getsockopt),
	SCMP_SYS(getsockname),
	SCMP_SYS(nanosleep),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(timerfd_settime),
	SCMP_SYS(fsync),
	SCMP_SYS(fdatasync),
	SCMP_SYS(ftruncate),
	SCMP_SYS(fallocate),
	SCMP_SYS(dup),
	SCMP_SYS(dup2),
	SCMP_SYS(dup3),
	SCMP_SYS(eventfd2),
	SCMP_SYS(select),
	SCMP_SYS(pselect6),
	SCMP_SYS(mlock),
	SCMP_SYS(munlock),
	SCMP_SYS(splice),
};

/* What a process that opens files to read, and makes new ones, needs besides. */
static const int calls_reader[] = {
	SCMP_SYS(getdents64),
	SCMP_SYS(readlink),
	SCMP_SYS(readlinkat),
	SCMP_SYS(access),
	SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2),
	SCMP_SYS(stat),
	SCMP_SYS(lstat),
	SCMP_SYS(mkdirat),
	SCMP_SYS(fstatfs),
	SCMP_SYS(kill),
	SCMP_SYS(wait4),
	SCMP_SYS(waitid),
	SCMP_SYS(getcwd),
	SCMP_SYS(pidfd_send_signal),
	SCMP_SYS(statfs),
	SCMP_SYS(inotify_add_watch),
	SCMP_SYS(inotify_rm_watch),
	SCMP_SYS(inotify_init1),
};

static int sandbox_allow(scmp_filter_ctx filter, const int *calls, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && !r; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	return r;
}

/* Memory may be mapped, but never to be run. */
static int sandbox_allow_memory(scmp_filter_ctx filter)
{
	int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
				 SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));

	return r ? r
		 : seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
				    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
}

/* Existing files to read only, new ones only where nothing was: nothing on the machine can be
 * changed. */
static int sandbox_allow_opens(scmp_filter_ctx filter)
{
	const int writing = O_ACCMODE | O_CREAT | O_TRUNC;
	const int fresh = O_CREAT | O_EXCL | O_NOFOLLOW;
	int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
				 SCMP_A2(SCMP_CMP_MASKED_EQ, writing, O_RDONLY));

	if (!r)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
				     SCMP_A2(SCMP_CMP_MASKED_EQ, fresh, fresh));
	/* its flags lie in memory, where a filter cannot see them: callers fall back to openat */
	return r ? r : seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(openat2), 0);
}

static int sandbox_rules(scmp_filter_ctx filter, enum sandbox sandbox)
{
	int r = sandbox_allow(filter, calls_compute, countof(calls_compute));

	if (!r)
		r = sandbox_allow_memory(filter);
	if (!r && sandbox != SANDBOX_COMPUTE)
		r = sandbox_allow(filter, calls_held, countof(calls_held));
	if (!r && sandbox == SANDBOX_READER)
		r = sandbox_allow(filter, calls_reader, countof(calls_reader));
	if (!r && sandbox == SANDBOX_READER)
		r = sandbox_allow_opens(filter);
	return r;
}

/* -ENOSYS and the like from seccomp_load mean a kernel without filters: the rest has to do. */
static int sandbox_filter(enum sandbox sandbox, struct err *e)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r;

	if (!filter)
		return err_set(e, "no memory for the system call filter");
	r = sandbox_rules(filter, sandbox);
	if (!r)
		r = seccomp_load(filter);
	seccomp_release(filter);
	if (!r || r == -ENOSYS || r == -EINVAL)
		return 0;
	errno = -r;
	return err_sys(e, "cannot set the system call filter");
}

static int sandbox_nobody(struct err *e)
{
	capng_clear(CAPNG_SELECT_BOTH);
	if (capng_change_id(NOBODY, NOBODY, CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING))
		return err_sys(e, "cannot become nobody");
	return 0;
}

/* Files of all users, and of /proc what is only for their tracer. */
static int sandbox_read_all(struct err *e)
{
	capng_clear(CAPNG_SELECT_BOTH);
	capng_updatev(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_DAC_READ_SEARCH,
		      CAP_SYS_PTRACE, CAP_SYS_ADMIN, CAP_SYSLOG, -1);
	if (capng_apply(CAPNG_SELECT_BOTH))
		return err_sys(e, "cannot give up capabilities");
	return 0;
}

int sandbox_enter(enum sandbox sandbox, struct err *e)
{
	int death = 0;

	prctl(PR_GET_PDEATHSIG, &death);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(e, "cannot give up new privileges");
	if (geteuid() == 0 &&
	    (sandbox == SANDBOX_READER ? sandbox_read_all(e) : sandbox_nobody(e)) < 0)
		return e->code;
	prctl(PR_SET_PDEATHSIG, death); /* a change of uid takes it away */
	return sandbox_filter(sandbox, e);
}
