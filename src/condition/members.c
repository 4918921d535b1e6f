#include "condition/members.h"

#include <stdlib.h>

#define MEMBERS_LEFT 1024 /* that are remembered after they have left */

struct member {
	int tid, pid;
	uint64_t known; /* boot clock: when it was last known to be there, or to have left */
};

struct members {
	size_t n, max;
	uint64_t left_out;
	struct member left[MEMBERS_LEFT]; /* the oldest makes room */
	size_t n_left;
	struct member list[];
};

int members_create(struct members **ret, size_t max, struct err *e)
{
	*ret = calloc(1, sizeof(**ret) + max * sizeof((*ret)->list[0]));
	if (!*ret)
		return err_set(e, "no memory");
	(*ret)->max = max;
	return 0;
}

static struct member *members_find(const struct members *m, int tid)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->list[i].tid == tid)
			return (struct member *)&m->list[i];
	return NULL;
}

static bool members_have_left(const struct members *m, int tid, uint64_t since)
{
	for (size_t i = 0; i < MEMBERS_LEFT; i++)
		if (m->left[i].tid == tid && m->left[i].known >= since)
			return true;
	return false;
}

void members_add(struct members *m, int tid, int pid, uint64_t now)
{
	struct member *member = members_find(m, tid);

	if (members_have_left(m, tid, now))
		return;
	if (!member && m->n == m->max) {
		m->left_out++;
		return;
	}
	if (!member)
		member = &m->list[m->n++];
	else if (member->known > now)
		now = member->known;
	*member = (struct member) { tid, pid, now };
}

int members_process(const struct members *m, int tid)
{
	const struct member *member = members_find(m, tid);

	return member ? member->pid : 0;
}

static bool members_have_process(const struct members *m, int pid)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->list[i].pid == pid)
			return true;
	return false;
}

/* Returns its process if that was the last of it. */
static int members_take_out(struct members *m, struct member *member)
{
	int pid = member->pid;

	*member = m->list[--m->n];
	return members_have_process(m, pid) ? 0 : pid;
}

/* Also one that is none: who looked before may think that it is. */
int members_remove(struct members *m, int tid, uint64_t now)
{
	struct member *member = members_find(m, tid);

	m->left[m->n_left++ % MEMBERS_LEFT] = (struct member) { .tid = tid, .known = now };
	return member ? members_take_out(m, member) : 0;
}

void members_remove_process(struct members *m, int pid, uint64_t now)
{
	for (size_t i = m->n; i-- > 0;)
		if (i < m->n && m->list[i].pid == pid)
			members_remove(m, m->list[i].tid, now);
}

int members_expire(struct members *m, uint64_t then)
{
	for (size_t i = m->n; i-- > 0;) {
		int pid = m->list[i].known < then ? members_take_out(m, &m->list[i]) : 0;

		if (pid)
			return pid;
	}
	return 0;
}

/* Counted by the first thread of each that stands in the list. */
size_t members_processes(const struct members *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n; i++) {
		size_t j = 0;

		while (m->list[j].pid != m->list[i].pid)
			j++;
		n += i == j;
	}
	return n;
}

uint64_t members_left_out(const struct members *m)
{
	return m->left_out;
}
