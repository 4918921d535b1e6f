# The manual and the README name what the program has, and nothing else; what they show can be run.
. "$(dirname "$0")/../lib.sh"

manual=${MANUAL:-$top/build/doc}
[ -x "$manual/reference" ] || skip_all "no $manual: run make first"

# plain PAGE: its text, without fonts and without the breaks of lines.
plain() { groff -man -Tascii -P-c -rLL=500n -rHY=0 "$manual/$1" 2>/dev/null | sed -e 's/.\x08//g' -e 's/  */ /g'; }
options() { "$tracer" --help | grep -oE -- '--[a-z][a-z-]*' | sort -u; }
commands() { "$tracer" --help | sed -nE 's/^  tracer ([a-z]+).*/\1/p'; }

# names FILE WORD...: each of them stands in the file as a word.
names() {
	local file=$1 word bad=0

	shift
	[ $# -gt 0 ] || { echo "no words to look for"; return 1; }
	for word; do
		grep -qE -- "(^|[^A-Za-z0-9_-])$word([^A-Za-z0-9_-]|\$)" "$file" || { echo "$word is not in $file"; bad=1; }
	done
	return $bad
}

# only FILE: it has no option that the program does not have.
only() { is "$(grep -oE -- '(^|[^-A-Za-z])--[a-z][a-z-]*' "$1" | grep -oE -- '--[a-z].*' | sort -u | comm -23 - "$T/options")" ""; }
renders() {
	run groff -man -ww -Tutf8 "$manual/$1"
	code 0 && is "$(cat "$T/err")" ""
}

options >"$T/options"
t "--help has options" test -s "$T/options"

pages="tracer.1 tracer-recipe.5 tracer-bundle.5"
if command -v groff >/dev/null; then
	for page in $pages; do
		t "$page renders without a warning" renders $page
		plain $page >"$T/$page"
	done
	t "tracer.1 names each option" names "$T/tracer.1" $(options)
	t "and each command" names "$T/tracer.1" $(commands | sed 's/^/tracer[[:blank:]]/')
	t "and each exit code" grep -qzE 'EXIT STATUS.* 0 .* 5 .* 4 .* 1 .* 2 .* 3 ' "$T/tracer.1"
	for page in $pages; do
		[ $page = tracer-bundle.5 ] || t "$page has no other option" only "$T/$page"
	done
else
	skip "the pages render" "no groff"
fi

t "the README names each option" names "$top/README.md" $(options)
t "and each command" names "$top/README.md" $(commands | sed 's/^/tracer[[:blank:]]/')

# The constructors, from the program, are in the page as they are now.
run "$manual/reference"
t "the program tells its constructors" has "$T/out" '^\.SS t\.ftrace'
cp "$T/out" "$T/reference"
constructors() { sed -nE 's/^\.SS (t\..*)/\1/p' "$T/reference"; }
fields() { sed -nE 's/^\.B ([a-z_]+) = .*/\1/p' "$T/reference" | sort -u; }
contained() { awk 'NR == FNR { have[$0]; next } !($0 in have) { print "missing: " $0; bad = 1 } END { exit bad }' "$manual/tracer-recipe.5" "$T/reference"; }
t "tracer-recipe.5 has all of it" contained
own_pages() { ! grep -iE 'see tracer[^ ]*-recipe' "$manual/tracer-recipe.5" "$T/reference" "$T/tracer-recipe.5"; }
t "and does not refer to itself" own_pages

# begins CONSTRUCTOR...: each with one sentence, a synopsis and an example.
begins() {
	local each bad=0

	for each; do
		awk -v name="$each" '
			/^\.S[SH] / { n = 0; inside = $0 == ".SS " name }
			inside { line[n++] = $0 }
			inside && /^\.EE$/ { exit }
			END {
				sentence = line[1] ~ /^[A-Z].*[.]$/ && line[1] !~ /[.] /
				synopsis = line[2] == ".SY " name && line[3] ~ /^[{] .* [}]$/ && line[4] == ".YS"
				exit !(sentence && synopsis && line[7] == ".EX" && line[n - 1] == ".EE" && n > 9)
			}' "$manual/tracer-recipe.5" || { echo "$each does not begin so"; bad=1; }
	done
	return $bad
}
t "each constructor begins with a sentence, a synopsis and an example" begins $(constructors)

# complete: each synopsis has all fields of its section.
complete() {
	awk '
		/^\.SS/ { name = $2; synopsis = "" }
		before == ".SY " name { synopsis = $0 }
		{ before = $0 }
		synopsis && /^\.B [a-z_]+ = / && !index(synopsis, "\\fB" $2 "\\fR") { print name ": no " $2; bad = 1 }
		END { exit bad }' "$T/reference"
}
t "a synopsis has each field of its constructor" complete
t "what all conditions share is said once" is "$(grep -cE '^\.B (hits|arm_after) = ' "$T/reference")" 2

placeholders() { sed -n '/^\.SY/{n;p}' "$T/reference" | grep -oE '\\fI[A-Z]+' | sed 's/^...//' | sort -u; }
explained() { awk '/^\.SH CONSTRUCTORS/ { on = 1 } /^\.SH SOURCES/ { exit } on && tag { print } { tag = on && /^\.TP/ }' "$manual/tracer-recipe.5" >"$T/tags"; names "$T/tags" "$@"; }
t "the values in a synopsis are explained" explained $(placeholders)

# in_recipe CONSTRUCTOR: the example of its section as a recipe.
in_recipe() {
	echo "-- What does the manual show of $1?"
	echo "return {"
	awk -v name="$1" '
		/^\.S[SH] / { inside = $0 == ".SS " name }
		inside && /^\.EE/ { print ","; exit }
		on { print }
		inside && /^\.EX/ { on = 1 }' "$manual/tracer-recipe.5" |
		sed -e 's/\\-/-/g' -e "s/\\\\(aq/'/g" -e 's/\\(ti/~/g' -e 's/\\(ha/^/g' -e 's/\\(ga/`/g' -e 's/^\\&//' -e 's/\\e/\\/g' >"$T/part"
	grep -q '^collect = ' "$T/part" || echo 'collect = t.log "kernel",'
	cat "$T/part"
	echo "}"
}
for each in $(constructors); do
	in_recipe "$each" >"$T/shown.lua"
	run "$tracer" check "$T/shown.lua"
	t "the example of $each passes check" code 0
	t "and shows it" has "$T/shown.lua" "${each/./[.]}[ {\"]"
done
t "the README has each constructor" names "$top/README.md" $(constructors | sed 's/\./[.]/')
[ ! -s "$T/tracer-recipe.5" ] || t "and the page each field" names "$T/tracer-recipe.5" $(fields)

# What it shows can be run.
shown() { # FILE: each of its lines
	local line

	sed -e 's/  */ /g' -e 's/^ //' "$1" | while read -r line; do
		grep -qF -e "$line" "$T/tracer-recipe.5" || { echo "not in the page: $line"; return 1; }
	done
}
exampled() { # CONSTRUCTOR...
	local each bad=0

	for each; do grep -rqF "$each" "$top/doc/examples" || { echo "no example of $each"; bad=1; }; done
	return $bad
}
t "each constructor has an example" exampled $(constructors)
: >"$T/log"
for recipe in "$top"/doc/examples/*.lua; do
	name=$(basename "$recipe")
	args=$(sed -nE "s/^--   tracer (--allow-exec )?$name *//p" "$recipe" | sed -e 's/ *\[.*//' -e 's/PID/1/' -e 's/HOST/10.0.0.5/' -e 's/PORT/443/' -e "s,LOG,$T/log,")
	[ ! -s "$T/tracer-recipe.5" ] || t "example $name is in the page" shown "$recipe"
	run "$tracer" check "$recipe" $args
	t "and passes check" code 0
done
t "each example of the page is a file here" is "$(sed -nE 's/^@example //p' "$top/doc/tracer-recipe.5.in" | sort)" \
	"$(cd "$top/doc" && find examples -name '*.lua' | sort)"

# Every name in a real manifest is explained.
recipe seen <<'LUA'
-- What names does a manifest have?
return {
  collect = {
    t.ftrace { keep = "64K", "syscalls:sys_enter_setpriority" },
    t.packets { keep = "1s", port = 9, interface = "lo" },
    t.log "kernel",
    t.files { max = "16B", "/proc/version" },
  },
  stop = t.event { "syscalls:sys_enter_setpriority", filter = "niceval == 3" },
  post = "50ms",
}
LUA
capture seen "$T/seen.lua"
nice -n 3 true
t "a capture ends" ended $pid 30
t "a file that was cut makes it partial" code 4
t "its bundle unpacks" unpack seen || finish
keys() { jq -r '[paths | .[] | strings] | unique | .[]' <<<"$(jq 'del(.recipe.args)' "$b/manifest.json")"; }
[ ! -s "$T/tracer-bundle.5" ] || t "tracer-bundle.5 names all that is in its manifest" names "$T/tracer-bundle.5" $(keys)
top_files() { (cd "$b" && ls); }
t "and all that is in its directory" names "$top/doc/tracer-bundle.5" $(top_files | sed 's/[.]/[.]/')

completed() { # WORD...: what is offered at its end
	PATH=$(dirname "$tracer"):$PATH bash -c '. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tracer; printf "%s\n" "${COMPREPLY[@]}"' \
		"$top/contrib/completion/tracer.bash" "$@"
}
t "completion offers each option" is "$(completed tracer -- | sort)" "$(options)"
t "and each command" is "$(completed tracer '' | grep -xF "$(commands)" | sort)" "$(commands | sort)"
finish
