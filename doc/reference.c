/* Prints the constructors of recipes with their fields: the part of tracer-recipe(5) that comes
 * from the program. */
#include <stdio.h>

#include "base/auto.h"
#include "recipe/script.h"

int main(void)
{
	autofree char *text = NULL;
	struct err e = ERR_INIT;

	if (script_reference(&text, &e) < 0) {
		fprintf(stderr, "reference: %s\n", e.text);
		return 1;
	}
	return fputs(text, stdout) < 0 || fflush(stdout) ? 1 : 0;
}
