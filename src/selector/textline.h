/* What t.line of the journal or a file looks for. */
#pragma once

#include "selector/linetext.h"
#include "selector/reading.h"

struct textline {
	struct reading_selector reading; /* its path is the log */
	struct linetext text;
};
