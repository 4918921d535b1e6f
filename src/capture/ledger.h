/* What a capture makes on the machine, written down before it is made, so that anyone can undo it.
 */
#pragma once

#include "base/err.h"
#include "trace/tracing.h"

struct ledger;

/* Opens the ledger in the state directory, making it if it is not there. */
int ledger_open(struct ledger **ret, int statedir, struct err *e);
void ledger_close(struct ledger *ledger);

/* Writes down that an instance, or a dynamic event ("uprobes:GROUP/NAME"), is about to be made. */
int ledger_instance(struct ledger *ledger, const char *name, struct err *e);
int ledger_probe(struct ledger *ledger, const char *group, const char *name, struct err *e);

/* Writes down that the capture ID is about to use a global knob. */
int ledger_knob(struct ledger *ledger, const char *name, const char *id, struct err *e);

/* Removes all that was written down, newest first; what is gone already is fine. Visits everything
 * and keeps the first error. */
int ledger_undo(struct ledger *ledger, struct tracing *tracing, struct err *e);
