#!/bin/sh
# Prints a C file that holds the files named as arguments.
set -eu

bytes()
{
	od -An -v -tx1 "$1" | sed 's/ \(..\)/0x\1,/g'
}

echo '#include "recipe/embedded.h"'
i=0
for file in "$@"; do
	printf 'static const unsigned char embedded_%d[] = {\n' "$i"
	bytes "$file"
	echo '0x00 };'
	i=$((i + 1))
done

echo 'const struct embedded embedded_lua[] = {'
i=0
for file in "$@"; do
	printf '{ "%s", (const char *)embedded_%d, sizeof(embedded_%d) - 1 },\n' "${file##*/}" "$i" "$i"
	i=$((i + 1))
done
echo '{ NULL, NULL, 0 } };'
