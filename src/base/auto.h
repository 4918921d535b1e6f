/* Locals that clean themselves; ownership leaves a function only through take_ptr and take_fd. */
#pragma once

#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void auto_free(void *p)
{
	free(*(void **)p);
}

static inline void auto_close(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void auto_closedir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static inline void auto_fclose(FILE **f)
{
	if (*f)
		fclose(*f);
}

static inline void auto_json(json_t **json)
{
	json_decref(*json);
}

#define autofree __attribute__((cleanup(auto_free)))
#define autoclose __attribute__((cleanup(auto_close)))
#define autoclosedir __attribute__((cleanup(auto_closedir)))
#define autofclose __attribute__((cleanup(auto_fclose)))
#define autojson __attribute__((cleanup(auto_json)))

/* The value of *P, which the caller now owns; P is left empty. */
#define take_ptr(p)                     \
	({                              \
		typeof(p) taken_ = (p); \
		(p) = NULL;             \
		taken_;                 \
	})

static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#define countof(a) (sizeof(a) / sizeof((a)[0]))
