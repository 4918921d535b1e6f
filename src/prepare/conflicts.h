/* Who could hold up a freeze, or its thaw, on this host. */
#pragma once

#include <stdio.h>

/* A sentence a line to OUT: about who decides on what others open (fanotify), about databases and
 * scanners by their names, about file systems in files of others, and about the output in OUTDIR.
 */
void conflicts_write(FILE *out, const char *outdir);
