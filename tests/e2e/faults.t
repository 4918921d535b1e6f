# A process of a capture is killed or stopped in each stage: the end is bounded, there is a bundle or recover makes
# one, it says what is missing, and nothing is left. A sample of all; FAULTS=all for each one.
. "$(dirname "$0")/../lib.sh"
need trace-cmd

# The stage, who it is, and what happens to it: a line each. `all` is every process.
sample="arm engine KILL
halt engine KILL
watch follow KILL
save save KILL
save all KILL
convert converter KILL
seal writer KILL
seal all KILL"

every() {
	local stage who signal
	local -A processes=(
		[arm]="engine console packets kernel files tasks lines all"
		[watch]="engine console watch packets kernel files tasks lines helper follow all"
		[halt]="engine console watch packets kernel files tasks lines helper follow all"
		[save]="engine console save numbers packets kernel files all"
		[convert]="engine console convert converter all"
		[seal]="engine console seal writer all")

	for stage in arm watch halt save convert seal; do
		for who in ${processes[$stage]}; do
			for signal in KILL STOP; do
				[ "$who $signal" = "all STOP" ] || echo "$stage $who $signal"
			done
		done
	done
}

# faults_recipe NAME [REST]
faults_recipe() {
	recipe "$1" <<-LUA
		-- Is it whole, whoever is gone?
		return {
		  collect = {
		    t.ftrace { name = "numbers", keep = "32M", t.event { "syscalls:sys_enter_getpriority", filter = "which == 100" } },
		    t.packets { "udp", port = 19777, interface = "lo", keep = "1M" },
		    t.log { "kernel" },
		    t.files { every = "100ms", "/proc/uptime" },
		    t.tasks { at = "both", comm = "tracer" },
		    t.log { name = "lines", "$T/lines" },
		  },
		  stop = t.event { name = "number", "syscalls:sys_enter_setpriority", filter = "which == 95" },
		  ${2-}
		}
	LUA
}
: >"$T/lines"
faults_recipe faults
faults_recipe faults-post 'post = "500ms",' # halting takes that long

# The processes below one, itself first: "PID NAME OF-WHOM" a line. All by the shell itself: stages are short.
family() { # PID NAME-OF-PARENT
	local child name children

	read -r name 2>/dev/null <"/proc/$1/comm" || return
	echo "$1 ${name#tracer-} $2"
	children=
	read -r children 2>/dev/null <"/proc/$1/task/$1/children" # which does not end its line
	for child in $children; do
		family "$child" "${name#tracer-}"
	done
}

# named WHO: the PIDs, in the order of the family. The writer is seal, once there is a tarball.
named() {
	case $1 in
	engine) echo "$engine" ;;
	console) family "$engine" - | awk '$2 == "tracer" && $3 == "tracer" { print $1; exit }' ;;
	converter) family "$engine" - | awk '$2 == "convert" && $3 == "convert" { print $1; exit }' ;;
	writer) [ -z "$(compgen -G "$out/*.tar*")" ] || named seal ;;
	all) family "$engine" - | awk '{ print $1 }' ;;
	*) family "$engine" - | awk -v who="$1" '$2 == who { print $1; exit }' ;;
	esac
}

# The stage on the board: the fifth byte. (`tracer status --json` says it too, but later.)
names=(arm watch halt save convert seal done)
stage_now() {
	local bytes

	mapfile -d '' -n 4 -t bytes 2>/dev/null <"$state/board" || return
	[ ${#bytes[@]} = 4 ] || return
	printf -v stage %d "'${bytes[3]}"
	stage=${names[$stage]-done}
}

# hit STAGE WHO SIGNAL: as soon as it is there in that stage. $hit are the PIDs.
hit() {
	local end=$((SECONDS + 10))

	hit=
	until [ -n "$hit" ]; do
		gone "$engine" && return 1
		[ $SECONDS -lt $end ] || return 1
		[ -n "$state" ] || state=$(state_of_engine)
		stage=
		stage_now
		[ "$stage" = "$1" ] && hit=$(named "$2")
	done
	kill "-$3" $hit
}

# The state directory of the engine that has just begun.
state_of_engine() {
	local fd

	for fd in "/proc/$engine/fd"/*; do
		fd=$(readlink "$fd") || continue
		case $fd in */lock) echo "${fd%/lock}" && return ;; esac
	done
}

# The event: a ring that takes a while to save, to convert and, with more in it, to seal; packets and the stop.
provoked() { "$provoke/numbers" --stop $numbers --storm 10000 --packet-every 200 --stop-which 95 >"$T/said" 9<&-; }

# finished: the engine ends within bounds: by itself, or after what a user does about it.
finished() {
	local i

	await "$patience" gone "$engine" && return
	for i in 1 2 3; do
		kill -INT "$engine"
		await 3 gone "$engine" && return
	done
	ps -o pid,stat,wchan,args -p "$(tracers | paste -sd,)"
	return 1
}

bundles() { find "$out" -maxdepth 1 -name '*.tar.*' ! -name '*.partial'; }
bundles_verify() { [ -z "$(bundles)" ] || "$tracer" verify "$(bundles)"; }
left() { [ -n "$id" ] && ls -d "/run/tracer/$id" "/dev/shm/tracer-$id" 2>/dev/null; }
nobody() { [ -z "$(tracers)" ]; }

# recovered: what is left is a bundle then; those that are still at it are waited for.
recovered() {
	local i

	for i in $(seq 40); do
		run "$tracer" recover -o "$out" "$id"
		cat "$T/err"
		[ $rc = 1 ] && grep -q 'alive\|no interrupted' "$T/err" || break
		[ -n "$(left)" ] || break
		sleep 0.25
	done
	code 0 || code 4 || code 5
}

# The bundle says it if a source is not what it should be.
tells() {
	local lost

	lost=$(m '.sources[] | select(.outcome != "ok") | .name + ": " + (.note // "")')
	[ -z "$lost" ] || manifest .whole false
	! grep -q ': $' <<<"$lost" || { echo "without a word why: $lost"; return 1; }
	case "$1 $2 $3" in
	# who records and does not live is missed
	"watch packets KILL" | "watch kernel KILL" | "watch files KILL" | "watch tasks KILL" | "watch lines KILL" | "save numbers KILL")
		has <(echo "$lost") "^$2" ;;
	"watch follow KILL") has <(echo "$lost") "^lines" ;;
	"convert converter KILL") has <(m '.conversions[] | .outcome') 'failed' ;;
	esac
}

# numbers_whole: without a gap, up to the stop if the event came to pass.
numbers_whole() {
	numbers_of "$b/trace/numbers.dat" | awk '$3 == 100' >"$T/numbers"
	[ $name = faults ] || behind_the_event_is_post
	contiguous 4 <"$T/numbers"
}
# What was recorded behind the event is another ring's, behind a seam.
behind_the_event_is_post() {
	awk -v stop="$(said "$T/said" stop number)" '$4 <= stop' "$T/numbers" >"$T/numbers.before"
	mv "$T/numbers.before" "$T/numbers"
}
up_to_the_stop() { is "$(awk 'END { print $4 }' "$T/numbers")" "$(said "$T/said" stop number)"; }

# begin_until STAGE WHO SIGNAL: a capture that gets so far, and what happens to it there.
begin_until() {
	local compress=zstd

	state= provoker= numbers=150000 name=faults
	case $1 in # what takes its time
	halt) name=faults-post ;;
	save) numbers=900000 ;;
	seal) compress=gzip numbers=600000 ;;
	esac
	out=$(mktemp -d "$T/out.XXXXXX")
	: >"$T/said"
	begin faults "$tracer" --compress $compress -o "$out" "$T/$name.lua"
	engine=$pid
	if [ "$1" != arm ]; then
		await 20 armed faults
		[ "$1" = watch ] || { provoked & provoker=$!; }
	fi
	hit "$@"
}

# give_up: the stage was over too soon, on a busy machine.
give_up() {
	kill -INT "$engine" 2>/dev/null
	await 30 gone "$engine"
	[ -z "$provoker" ] || wait $provoker
	rm -rf "$out"
}

# go_on STAGE WHO SIGNAL: what happens to it happens; the event too, if it has not yet.
go_on() {
	[ "$2 $3" != "engine STOP" ] || { sleep 1 && kill -CONT "$engine"; }
	[ "$1" != arm ] || await 35 armed_or_gone faults
	[ "$1" != watch ] || sleep 0.2
	[ -n "$provoker" ] || gone "$engine" || provoked
	[ -z "$provoker" ] || wait $provoker
}

fault() { # STAGE WHO SIGNAL
	local what="$1: $2 $3" state engine provoker numbers name id tries=1 code

	until begin_until "$@"; do
		give_up
		[ $((tries++)) -lt 6 ] || { skip "$what" "it was not met" && return; }
	done
	id=${state##*[/-]}
	go_on "$@"
	t "$what: it ends" finished
	wait "$engine" 2>/dev/null
	code=$?
	[ "$3" = KILL ] || kill -CONT $hit 2>/dev/null
	t "$what: no bundle is half a bundle" bundles_verify
	[ -z "$(left)" ] || t "$what: recover finishes it" recovered
	t "$what: nobody is left" await 10 nobody
	t "$what: no state is left" is "$(left)" ""
	t "$what: no rings are left" is "$(ls "$tracefs/instances" | grep -F "$id")" ""
	t "$what: nothing but bundles is left" is "$(ls -A "$out" | grep -vE '\.tar\.(zst|gz)$')" ""
	if [ "$1" = arm ] && [ -z "$(bundles)" ]; then
		t "$what: nothing was recorded, and it did not say otherwise" not [ $code = 0 -o $code = 5 ]
	else
		t "$what: there is a bundle" is "$(bundles | wc -l)" 1 && bundle_of "$@"
	fi
	rm -rf "$out"
}

# The bundle is what it says.
bundle_of() { # STAGE WHO SIGNAL
	run "$tracer" verify "$(bundles)"
	t "$what: it verifies" code 0
	tar -C "$out" -xf "$(bundles)"
	b=$(find "$out" -mindepth 2 -maxdepth 2 -name manifest.json -printf '%h\n')
	t "$what: it says what is missing" tells "$@"
	numbers_are "$@"
}

# What was in the kernel's ring is whole and ends at the event, unless its own saving process is what was hit, or
# nobody was there at the event.
numbers_are() { # STAGE WHO SIGNAL
	case "$*" in
	arm\ * | save\ numbers\ * | save\ save\ * | save\ all\ * | watch\ engine\ KILL | watch\ all\ KILL) return ;;
	esac
	t "$what: the numbers have no gap" numbers_whole
	t "$what: they end at the event" up_to_the_stop
}

patience=6
case ${FAULTS-} in
'') list=$sample ;;
all) list=$(every) ;;
*) list=$FAULTS ;;
esac
while read -r -u 7 stage_wanted who signal; do
	fault "$stage_wanted" "$who" "$signal"
done 7<<<"$list"
finish
