/* Messages between the engine and its processes, over seqpacket sockets. */
#pragma once

#include <stdint.h>

enum message_type {
	MESSAGE_START = 1, /* engine: record, from the boot time in its text on */
	MESSAGE_STOP,      /* engine: the stop record is written; finish */
	MESSAGE_ARMED,     /* process: everything that can fail before the start has not */
	MESSAGE_HIT,       /* watch: the stop record is written */
	MESSAGE_STOPPED,   /* process: all up to the cut is in */
	MESSAGE_SAY,       /* process: a line for tracer.log */
	MESSAGE_ERROR,     /* process: why it ends */
};

struct message {
	uint32_t type;
	int32_t code; /* -errno of an error; its enum exit_code in `exit` */
	uint32_t exit;
	char text[1024];
};

/* Sends without ever blocking. Returns 0 or -errno. */
int message_send(int fd, enum message_type type, const char *text);
int message_send_error(int fd, int code, uint32_t exit, const char *text);

/* Takes one message if there is one. Returns 1, 0 if there is none, -ECONNRESET if the other side
 * is gone. */
int message_receive(int fd, struct message *message);
