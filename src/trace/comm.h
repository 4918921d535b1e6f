/* The names of tasks. */
#pragma once

#include <stddef.h>

#define COMM_SIZE 16

/* Looks PID up in the kernel's list of recorded names, by a descriptor of saved_cmdlines; empty if
 * it is not there. */
void comm_recorded(char comm[COMM_SIZE], int saved_cmdlines, int pid);

/* The same, first of all from /proc: for a process that may open files. */
void comm_find(char comm[COMM_SIZE], int saved_cmdlines, int pid);
