/* The socket in a state directory by which other commands reach the engine. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "capture/state.h"

struct control;

/* Listens. *ret is the caller's. */
int control_open(struct control **ret, const struct state *state, struct err *e);

/* NULL is fine. */
void control_close(struct control *control);

/* Readable when somebody asks; -1 for NULL. */
int control_fd(const struct control *control);

/* What another command wants of the capture. */
struct wish {
	enum { WISH_STOP = 1, WISH_FIRE } what;
	char name[104]; /* of the condition to fire, "" for the first */
};

/* The next wish, if somebody has one: control_answer then. Never waits. */
bool control_next(struct control *control, struct wish *wish);

/* NULL if it is done, else the sentence that says why not. */
void control_answer(struct control *control, const char *why);

/* The other side: asks the capture in the state directory at PATH to stop, as Ctrl+C would, or to
 * take a condition for true. */
int control_stop(const char *path, struct err *e);
int control_fire(const char *path, const char *name, struct err *e);
