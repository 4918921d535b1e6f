# What `make install` puts in place works from there, with the source tree out of sight.
. "$(dirname "$0")/../lib.sh"

[ -x "$top/build/doc/reference" ] || skip_all "no $top/build/doc: run make first"
umask 077

# put DIRECTORY [NAME=VALUE...]: what is built, as it is: -o has nothing of it made anew.
put() {
	run env -u MAKEFLAGS make -C "$top" -o tracer -o manual install DESTDIR="$1" "${@:2}"
	code 0
}
files() { (cd "$1" && find . -type f -printf '%m %u %P\n' | sort -k3); }
directories() { find "$1" -mindepth 1 -type d -printf '%m %u\n' | sort -u; }
recipes() { (cd "$top/recipes" && printf '%s\n' *.lua); }

# layout PREFIX: each file with its mode and its owner.
layout() {
	{
		echo "755 root $1/bin/tracer"
		echo "644 root $1/lib/systemd/system/tracer@.service"
		echo "644 root $1/share/bash-completion/completions/tracer"
		printf "644 root $1/share/man/%s\n" man1/tracer.1 man5/tracer-bundle.5 man5/tracer-recipe.5
		recipes | sed "s,^,644 root $1/share/tracer/recipes/,"
	} | sort -k3
}

t "make install works" put "$T/root" PREFIX=/usr
t "it puts these files there" is "$(files "$T/root")" "$(layout usr)"
t "that everybody can reach" is "$(directories "$T/root")" "755 root"
t "once more" put "$T/root" PREFIX=/usr
t "without a prefix" put "$T/local"
t "it is all in /usr/local" is "$(files "$T/local")" "$(layout usr/local)"

# From here on it is installed, for this test alone, and the tree is hidden.
names=$(recipes | sed 's/\.lua$//')
cd /
if ! mount -t overlay -o "ro,lowerdir=$T/root/usr:/usr" none /usr; then
	skip "what is installed works" "needs overlayfs"
	finish
fi
at_exit umount -l /usr
mount -t tmpfs none "$top"
at_exit umount -l "$top"
tracer=/usr/bin/tracer

run $tracer list
t "it lists the installed recipes" is "$(cut -d ' ' -f 1 "$T/out")" "$names"
run $tracer check tcp-reset 10.0.0.5 443
t "and finds one by its name" code 0

renders() { # PAGE
	local section=${1#*.} name=${1%.*}

	run man --warnings=w "$section" "$name"
	code 0 && has "$T/out" "^${name^^}\\($section\\)" && is "$(cat "$T/err")" ""
}
if command -v man >/dev/null; then
	for page in tracer.1 tracer-recipe.5 tracer-bundle.5; do
		t "man finds $page and renders it without a warning" renders $page
	done
else
	skip "man finds the pages" "no man"
fi

offered() { # WORD...: by the completion, at the end of that line
	bash -c '. /usr/share/bash-completion/completions/tracer && complete -p tracer >"$0" || exit
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		_tracer && printf "%s\n" "${COMPREPLY[@]}"' "$T/complete" "$@"
}
t "completion offers the installed recipes" is "$(offered tracer check tcp-r)" tcp-reset
t "for the command tracer" has "$T/complete" '-F _tracer tracer$'

unit=/usr/lib/systemd/system/tracer@.service
if command -v systemd-analyze >/dev/null && command -v man >/dev/null; then
	run systemd-analyze verify tracer@oom.service
	t "systemd accepts the unit" code 0
	t "and has nothing to say about it" hasnt "$T/err" tracer
else
	skip "systemd accepts the unit" "no systemd-analyze or no man"
fi

# What the unit starts, with less time and into another directory.
started() { sed -n 's/^ExecStart=//p' $unit | sed -e "s,/var/lib/tracer,$T," -e 's/%i/oom/' -e 's/ 2d / 200ms /' -e 's/ \$ARGS$//'; }
run $(started)
t "what the unit starts ends in time" code 5
t "which systemd is told is a success" has $unit '^SuccessExitStatus=(.* )?5( |$)'
t "with a bundle" $tracer verify "$T"/oom-*.tar*
finish
