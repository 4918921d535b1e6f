/* Giving up what a process does not need. */
#pragma once

#include "base/err.h"

enum sandbox {
	SANDBOX_COMPUTE, /* nobody; memory, read and write on held descriptors, exit: nothing else
			  */
	SANDBOX_HELD,   /* nobody; the same and poll, send, recv, ioctl, mmap of held descriptors */
	SANDBOX_READER, /* root that opens files to read: no writing opens, no sockets, no exec, no
			   changes */
};

/* For good: uid and gid, capabilities, new privileges, system calls. There is no way back. Where
 * the kernel lacks seccomp filters the rest still holds. */
int sandbox_enter(enum sandbox sandbox, struct err *e);
