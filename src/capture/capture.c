#include "capture/capture.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct capture_name capture_instance(const struct state *state, const char *name)
{
	struct capture_name ret;

	snprintf(ret.text, sizeof(ret.text), "tracer-%s-%s", state->id, name);
	return ret;
}

int capture_add_switch(struct capture *c, int fd, bool from_start, struct err *e)
{
	struct ring_switch *grown = realloc(c->switches, (c->n_switches + 1) * sizeof(*grown));

	if (!grown) {
		close(fd);
		return err_set(e, "no memory");
	}
	c->switches = grown;
	grown[c->n_switches++] = (struct ring_switch) { .fd = fd, .from_start = from_start };
	return 0;
}

int switches_off(const struct ring_switch *switches, size_t n, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < n; i++)
		if (pwrite(switches[i].fd, "0", 1, 0) != 1 && !r)
			r = err_sys(e, "cannot turn a kernel ring off");
	return r;
}

bool switches_tripped(const struct ring_switch *switches, size_t n)
{
	char on;

	for (size_t i = 0; i < n; i++)
		if (switches[i].from_start && pread(switches[i].fd, &on, 1, 0) == 1 && on == '0')
			return true;
	return false;
}
