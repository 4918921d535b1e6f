/* Makes at one instant a kernel event, a UDP packet and a line of the kernel log, --times times,
 * and says when. Each carries the same number: getpriority(77, number), 8 bytes of payload,
 * "oneclock number NUMBER". Then makes the event to stop at, a setpriority(99, 0). */
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "provoke.h"

#define PORT 19777

static void once(int packets, int kmsg, uint64_t number)
{
	char line[64];
	int size = snprintf(line, sizeof(line), "oneclock number %lu\n", (unsigned long)number);
	uint64_t at[4];

	at[0] = boot_ns();
	syscall(SYS_getpriority, 77, number);
	at[1] = boot_ns();
	packet_send(packets, number);
	at[2] = boot_ns();
	if (write(kmsg, line, size) != size)
		die_sys("cannot write to /dev/kmsg");
	at[3] = boot_ns();
	printf("once number=%lu start=%lu event=%lu packet=%lu line=%lu\n", (unsigned long)number,
	       (unsigned long)at[0], (unsigned long)at[1], (unsigned long)at[2],
	       (unsigned long)at[3]);
}

int main(int argc, char **argv)
{
	uint64_t times = argc > 1 ? number_of(argv[1]) : 3;
	int packets = packet_socket(PORT);
	int kmsg = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	uint64_t i;

	if (kmsg < 0)
		die_sys("cannot open /dev/kmsg");
	for (i = 1; i <= times; i++) {
		once(packets, kmsg, i);
		sleep_ns(50 * NS_PER_MS);
	}
	syscall(SYS_setpriority, 99, 0, 0);
	printf("stop after=%lu\n", (unsigned long)boot_ns());
	return 0;
}
