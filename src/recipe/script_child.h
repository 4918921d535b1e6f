/* The script process itself. */
#pragma once

#include "recipe/script_request.h"

/* Gives up all but the socket, runs the recipe, sends the result, ends. */
_Noreturn void script_child_run(const struct script_child *child);
