# The folders of src/ are those of the table in doc/DESIGN.md, and includes go down in it, never up, never in a circle.
. "$(dirname "$0")/../lib.sh"
need tsort

# The folders of the table, from the top down; each row has a sentence.
table() { sed -n '/^## Layout/,/^The files/s,^| `\([a-z]*\)/` | [^|]*[a-z][^|]* |$,\1,p' "$top/doc/DESIGN.md"; }

table_twice() { table | sort | uniq -d; }

# Each include of a file of ours below SRC: "FILE INCLUDED", from SRC.
includes() {
	(cd "$1" && grep -H '^#include "' -- *.c */*.[ch] | sed -E 's/^([^:]*):#include "([^"]*)".*/\1 \2/')
}

# What is wrong with the layout of SRC, a line each.
no_folder() { (cd "$1" && find . -mindepth 1 -maxdepth 1 ! -name main.c -printf '%f\n') | grep -vxFf <(table); }
no_files() { for folder in $(table); do [ -d "$1/$folder" ] || echo "$folder"; done; }
not_from_src() {
	includes "$1" | while read -r file included; do
		[ -f "$1/$included" ] || echo "$file: $included"
	done
}
upward() {
	awk 'NR == FNR { rank[$1] = NR; next }
	{ split($1, from, "/"); split($2, to, "/") }
	rank[to[1]] < rank[from[1]] { print }' <(table) <(includes "$1" | grep -v '^main\.c')
}
circles() { includes "$1" | sed 's/\.[ch]//g' | awk '$1 != $2' | tsort 2>&1 >/dev/null; }
twice() { (cd "$1" && ls -- */*.[ch]) | sed 's/\.[ch]$//' | sort -u | sed 's,.*/,,' | sort | uniq -d; }

# Names that doc/DESIGN.md says along the way of the data, and files that are not among them.
words() { sed -n '/^The files, along/,/^\*\*The state/p' "$top/doc/DESIGN.md" | grep -o '`[a-z_/]*`' | tr -d '`' | sed 's,.*/,,'; }
not_named() { (cd "$1" && ls -- */*.[ch]) | sed '/^command/d; s/\.[ch]$//; s,.*/,,' | sort -u | grep -vxFf <(words); }

no_folder_of_tests() { (cd "$top/tests/unit" && ls -d -- */ *.c 2>/dev/null) | tr -d / | grep -vxFf <(table); }

none() { [ -z "$("$@")" ] || { "$@"; return 1; }; }
finds() { is "$("${@:2}" | head -n 1)" "$1"; }

t "the table has folders" test "$(table | wc -l)" -gt 10
t "each stands there once" none table_twice
t "nothing lies in no folder" none no_folder "$top/src"
t "each folder of the table is there" none no_files "$top/src"
t "includes are written from src/" none not_from_src "$top/src"
t "no include goes up" none upward "$top/src"
t "no files include each other in a circle" none circles "$top/src"
t "no two folders have a file of one name" none twice "$top/src"
t "the design names each file" none not_named "$top/src"
t "unit tests lie in folders of those names" none no_folder_of_tests

# The same tests see what is wrong.
mkdir "$T/src" && cp -r "$top/src/." "$T/src"
echo '#include "command/command.h"' >>"$T/src/base/io.h"
t "an include that goes up is found" finds "base/io.h command/command.h" upward "$T/src"
t "a circle is found" has <(circles "$T/src") 'loop'
echo '#include "io.h"' >"$T/src/base/flat.h"
t "an include without its folder is found" finds "base/flat.h: io.h" not_from_src "$T/src"
rm "$T/src/base/flat.h"
touch "$T/src/stray.c" "$T/src/engine/io.c"
t "a file in no folder is found" finds stray.c no_folder "$T/src"
t "a name that stands twice is found" finds io twice "$T/src"
touch "$T/src/engine/unheard_of.c"
t "a file that the design does not name is found" finds unheard_of not_named "$T/src"
rm -r "$T/src/trace"
t "a folder that is not there is found" finds trace no_files "$T/src"
finish
