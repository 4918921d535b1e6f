#include "members.h"

#include <stdlib.h>

struct member {
	int tid, pid;
	uint64_t looked; /* boot clock: when it was last known to be there */
};

struct members {
	size_t n, max;
	uint64_t left_out;
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

void members_add(struct members *m, int tid, int pid, uint64_t now)
{
	struct member *member = members_find(m, tid);

	if (!member && m->n == m->max) {
		m->left_out++;
		return;
	}
	if (!member)
		member = &m->list[m->n++];
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

int members_remove(struct members *m, int tid)
{
	struct member *member = members_find(m, tid);
	int pid = member ? member->pid : 0;

	if (!member)
		return 0;
	*member = m->list[--m->n];
	return members_have_process(m, pid) ? 0 : pid;
}

void members_expire(struct members *m, uint64_t then)
{
	for (size_t i = 0; i < m->n;) {
		if (m->list[i].looked < then)
			m->list[i] = m->list[--m->n];
		else
			i++;
	}
}

size_t members_threads(const struct members *m)
{
	return m->n;
}

/* By their first threads, or any if that has ended. */
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
