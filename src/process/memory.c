#include "process/memory.h"

#include <iconv.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

/* Who is nobody later must be allowed to map more, or could not go on; where that cannot be had,
 * as without CAP_SYS_RESOURCE, what it maps later is not locked. */
int memory_lock(struct err *e)
{
	const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	int later = setrlimit(RLIMIT_MEMLOCK, &all) == 0 ? MCL_FUTURE : 0;

	return mlockall(MCL_CURRENT | later) < 0 ? err_sys(e, "cannot lock memory") : 0;
}

void memory_open_library(void)
{
	iconv_t sets = iconv_open("UTF-8", "ISO-8859-1");

	if ((intptr_t)sets != -1)
		iconv_close(sets);
	tzset();
}
