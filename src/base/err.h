/* A failure as one sentence that a person can act on, made where the facts are. */
#pragma once

/* How the program ends; the numbers are a contract (README.md, "Exit codes"). */
enum exit_code {
	EXIT_FIRED = 0,   /* a stop condition fired, the bundle is complete */
	EXIT_FAILED = 1,  /* it did not work */
	EXIT_USAGE = 2,   /* the words or the recipe are wrong; nothing was started */
	EXIT_HOST = 3,    /* this host cannot run it; nothing was started */
	EXIT_PARTIAL = 4, /* a bundle, but a source is not whole */
	EXIT_ENDED = 5,   /* complete, ended by the user or the time limit */
};

struct err {
	enum exit_code exit; /* EXIT_FAILED unless err_exit said otherwise */
	int code;            /* -errno, what the failing function returned */
	char text[1000];     /* the sentence, without a final stop or newline */
};

#define ERR_INIT                    \
	{                           \
		.exit = EXIT_FAILED \
	}

/* Sets the sentence; returns -EINVAL. */
int err_set(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Sets the sentence and appends what errno says; returns -errno. */
int err_sys(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts "CONTEXT: " before the sentence; returns the code that it already has. */
int err_wrap(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Sets how the program shall end for this failure; returns the code. */
int err_exit(struct err *e, enum exit_code exit);
