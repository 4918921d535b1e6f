/* The socket in a state directory by which other commands reach the engine. */
#pragma once

#include <stdbool.h>

#include "err.h"
#include "state.h"

struct control;

/* Listens. *ret is the caller's. */
int control_open(struct control **ret, const struct state *state, struct err *e);

/* NULL is fine. */
void control_close(struct control *control);

/* Readable when somebody asks; -1 for NULL. */
int control_fd(const struct control *control);

/* Answers whoever asks; true if somebody wants the capture to stop. Never waits. */
bool control_serve(struct control *control);

/* The other side: asks the capture in the state directory at PATH to stop, as Ctrl+C would. */
int control_stop(const char *path, struct err *e);
