# The tests' library: every .t file begins with `. "$(dirname "$0")/../lib.sh"` and ends with `finish`.
#
# A test file prints TAP: `t NAME COMMAND...` is one test, that the command succeeds. It runs in a mount namespace of
# its own, where tracefs is on $tracefs, with its own directory $T. What it makes on the machine, it makes through the
# helpers below, which undo it on every way out. `finish` proves that the machine is as it was found.

set -u
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tracer=${TRACER:-$top/tracer}
provoke=${PROVOKE:-$top/build/provoke}

skip_all() {
	echo "1..0 # SKIP $*"
	exit 0
}

if [ -z "${TEST_OUTER-}" ]; then
	[ "$(id -u)" = 0 ] || skip_all "needs root"
	TEST_OUTER=$PPID exec unshare --mount --propagation private bash "$0" "$@"
fi

# One test file at a time on this machine: what one provokes, another would see. Nothing that it starts holds the lock.
exec 9</tmp
flock -w 150 9 || skip_all "other tests are running"

T=$(mktemp -d /tmp/tracer-test.XXXXXX)
export TEST_MARK=$T # in the environment of each process that comes from this test, even if it detaches
tracefs=$T/tracefs
count=0 failed=0 rc=0 ran='' undo=()

# Ways out.

# at_exit COMMAND...: to be undone on the way out, the newest first.
at_exit() { undo+=("$(printf '%q ' "$@")"); }

undo_all() {
	local pids

	pids=$(comm -23 <(ours | sort) <(tracers | sort)) # what provokes is no leftover
	[ -z "$pids" ] || kill $pids 2>/dev/null
	while [ ${#undo[@]} -gt 0 ]; do
		local command=${undo[-1]}

		unset 'undo[-1]'
		eval "$command" >>"$T/undo.log" 2>&1
	done
}

# The processes that come from this test: all but this shell, its subshells and what runs in them.
ours() {
	local file pid

	for file in $(grep -lzxF "TEST_MARK=$T" /proc/[0-9]*/environ 2>/dev/null); do
		pid=${file//[!0-9]/}
		# a zombie is the shell's to reap
		case $(ps -o stat=,args= -p "$pid") in '' | Z* | *"bash $0"*) continue ;; esac
		echo "$pid"
	done
}

# The processes of tracer that come from this test.
tracers() {
	local pid

	for pid in $(ours); do
		case $(readlink "/proc/$pid/exe") in "$tracer" | "$tracer (deleted)") echo "$pid" ;; esac
	done
}

# named NAME: those of them that are called so.
named() {
	local pid

	for pid in $(tracers); do
		[ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$1" ] && echo "$pid"
	done
	return 0
}

# states FILE: the IDs of the state directories that machine saw.
states() { sed -nE 's,^/(run/tracer/|dev/shm/tracer-)([0-9A-Z]{26})$,\2,p' "$1" | sort; }

leave() {
	local code=$? pids id

	trap '' EXIT INT TERM HUP
	pids=$(ours)
	[ -z "$pids" ] || kill -CONT $pids 2>/dev/null
	[ -z "$pids" ] || kill -9 $pids 2>/dev/null
	undo_all
	machine >"$T/machine.after"
	for id in $(comm -13 <(states "$T/machine.before") <(states "$T/machine.after")); do
		"$tracer" recover -q -o "$T" "$id" >/dev/null 2>&1 9<&-
	done
	umount "$tracefs" 2>/dev/null
	rm -rf "$T"
	exit $code
}

trap leave EXIT
trap 'exit 130' INT TERM HUP

# Tests.

# explain COMMAND: what a failed test ran and saw, as TAP comments.
explain() {
	{
		echo "failed: $1"
		tail -n 20 "$T/check"
		[ -n "$ran" ] || return
		echo "after: $ran (exit code $rc)"
		[ -s "$T/out" ] && echo "stdout:" && tail -n 10 "$T/out"
		[ -s "$T/err" ] && echo "stderr:" && tail -n 20 "$T/err"
	} | cut -c1-400 | sed 's/^/#   /'
}

# t NAME COMMAND...: a test, named after what holds, that passes if the command succeeds.
t() {
	local name=$1

	shift
	count=$((count + 1))
	if "$@" >"$T/check" 2>&1; then
		echo "ok $count - $name"
		return 0
	fi
	failed=$((failed + 1))
	echo "not ok $count - $name"
	explain "$*"
	return 1
}

# skip NAME REASON...
skip() {
	local name=$1

	shift
	count=$((count + 1))
	echo "ok $count - $name # SKIP $*"
}

# run COMMAND...: within $limit seconds, streams to $T/out and $T/err, exit code to $rc (124, 137: it took too long).
limit=60
run() {
	ran="$*"
	timeout -k 5 "$limit" "$@" >"$T/out" 2>"$T/err" </dev/null 9<&-
	rc=$?
}

# begin NAME COMMAND...: in the background, streams to $T/NAME.out and $T/NAME.err. $pid is its process.
begin() {
	local name=$1

	shift
	: >"$T/$name.err" # before the child comes to it: what an earlier one said is not of this one
	# bash would have it ignore Ctrl+C
	env --default-signal=INT,QUIT "$@" >"$T/$name.out" 2>"$T/$name.err" </dev/null 9<&- &
	pid=$!
}

# await SECONDS COMMAND...: until the command succeeds.
await() {
	local end=$((SECONDS + $1))

	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt "$end" ] || return 1
		sleep 0.05
	done
}

# gone PID: the process has ended.
gone() { ! kill -0 "$1" 2>/dev/null; }

# ended PID SECONDS: it ends within that time; its exit code to $rc.
ended() {
	await "$2" gone "$1" || {
		echo "process $1 is still there after $2 s: $(ps -o stat=,wchan=,args= -p "$1")"
		rc=124
		return 1
	}
	wait "$1"
	rc=$?
}

# What tests say of what was run.
code() { [ "$rc" = "$1" ] || { echo "exit code $rc, not $1"; return 1; }; }
is() { [ "$1" = "$2" ] || { echo "'$1' is not '$2'"; return 1; }; }
has() { grep -qE -e "$2" "$1" || { echo "no '$2' in $1:"; tail -n 15 "$1"; return 1; }; }
hasnt() { ! grep -E -e "$2" "$1"; }
same() { diff -u "$1" "$2" >"$T/diff" || { head -n 40 "$T/diff"; return 1; }; }
# within A B MAX: two numbers are at most so far apart.
within() { awk -v a="$1" -v b="$2" -v m="$3" 'BEGIN { d = a - b; if (d < 0) d = -d; if (d > m) { print a, b; exit 1 } }'; }
not() { ! "$@"; }
# A sentence that a person can act on: one line on stderr that has the text.
sentence() {
	[ "$(grep -c . "$T/err")" = 1 ] || { echo "not one sentence:"; cat "$T/err"; return 1; }
	has "$T/err" "$1"
}

# need COMMAND...: else the file is skipped.
need() {
	local command

	for command in "$@"; do
		command -v "$command" >/dev/null || skip_all "needs $command"
	done
}

# The machine.

# What others are doing here at the same time: the IDs of captures that write elsewhere.
foreign() {
	grep -LF "\"outdir\": \"$T" /run/tracer/*/capture.json /dev/shm/tracer-*/capture.json 2>/dev/null |
		grep -oE '[0-9A-Z]{26}'
	echo tracer-test- # unit tests
}

# What must be as it was found, as text; what unit tests make meanwhile is named after them.
machine() {
	machine_all >"$T/machine.all"
	grep -vE '(filter|ring|tracefs|ledger|instance|probe)-?test' "$T/machine.all"
}

machine_all() {
	local f

	echo "instances:" && ls "$tracefs/instances" | grep -vFf <(foreign)
	# a top ring that was never used grows at the first use of any ring, to about the size that it announces
	echo "top ring:" && awk '{ sub(/.*expanded: /, ""); print int($0 / 16) * 16 }' "$tracefs/buffer_size_kb"
	for f in tracing_on current_tracer trace_clock trace_options set_event set_event_pid set_event_notrace_pid \
		dynamic_events uprobe_events kprobe_events tracing_cpumask saved_cmdlines_size; do
		[ -e "$tracefs/$f" ] || continue
		echo "$f:" && grep -vFf <(foreign) "$tracefs/$f"
	done
	sysctl kernel.core_pattern kernel.core_pipe_limit kernel.printk kernel.ftrace_enabled kernel.kptr_restrict \
		kernel.hung_task_timeout_secs kernel.hung_task_warnings kernel.hung_task_panic kernel.sched_schedstats \
		kernel.sysrq fs.suid_dumpable vm.oom_dump_tasks net.core.bpf_jit_enable net.core.rmem_max 2>/dev/null
	echo "mounts:" && cat "/proc/$TEST_OUTER/mounts"
	echo "loop devices:" && losetup -a | grep -F "$T"
	echo "state:" && ls -dA /run/tracer/* /dev/shm/tracer* 2>/dev/null | grep -vFf <(foreign)
	echo "cgroups:" && ls -d /sys/fs/cgroup/memory/tracer-test-$$ /sys/fs/cgroup/tracer-test-$$ 2>/dev/null
	echo "processes:" && ours
	return 0
}

machine_is_as_found() {
	local end=$((SECONDS + 8))

	# what the kernel or another test run takes down a little later
	while machine >"$T/machine.after"; ! cmp -s "$T/machine.before" "$T/machine.after"; do
		[ $SECONDS -lt $end ] || break
		sleep 0.3
	done
	same "$T/machine.before" "$T/machine.after" || {
		ps -o pid,ppid,stat,args -p "$(ours | paste -sd,)" 2>/dev/null
		cat "$T/undo.log" 2>/dev/null
		return 1
	}
}

# The last line of each test file.
finish() {
	undo_all
	t "the machine is as it was found" machine_is_as_found
	echo "1..$count"
	[ $failed = 0 ]
	exit
}

# Things to trace.

# Two network namespaces, $srv and $cli, with a cable: 10.77.0.1 and fd77::1 here, .2 there.
netns_pair() {
	srv=trs$$ cli=trc$$
	ip netns add $srv && at_exit ip netns del $srv
	ip netns add $cli && at_exit ip netns del $cli
	ip -n $srv link add cable type veth peer name cable netns $cli || skip_all "needs veth"
	ip -n $srv link set lo up
	ip -n $cli link set lo up
	ip -n $srv addr add 10.77.0.1/24 dev cable
	ip -n $cli addr add 10.77.0.2/24 dev cable
	ip -n $srv addr add fd77::1/64 dev cable nodad
	ip -n $cli addr add fd77::2/64 dev cable nodad
	ip -n $srv link set cable up
	ip -n $cli link set cable up
}

# A file system of its own on $T/NAME, of SIZE as truncate has it.
loop_fs() { # NAME TYPE SIZE
	local image=$T/$1.img

	truncate -s "$3" "$image"
	"mkfs.$2" -q "$image" >"$T/mkfs.log" 2>&1 || skip_all "mkfs.$2: $(head -n 1 "$T/mkfs.log")"
	mkdir "$T/$1"
	mount -o loop "$image" "$T/$1" || skip_all "needs loop devices"
	at_exit umount "$T/$1"
	at_exit thaw "$T/$1"
}

thaw() { fsfreeze -u "$1" 2>/dev/null; }

# The group scoutfs as user probes on scoutfsd.
scoutfs_probes() {
	"$provoke/scoutfsd" probes add 2>"$T/probes.log" || skip_all "no user probes here: $(cat "$T/probes.log")"
	at_exit "$provoke/scoutfsd" probes del
}

# oom_in BYTES COMMAND...: in a memory cgroup of that size.
oom_in() {
	local bytes=$1 group limit

	shift
	for limit in memory/tracer-test-$$/memory.limit_in_bytes tracer-test-$$/memory.max; do
		group=/sys/fs/cgroup/${limit%/*}
		[ -e "${group%/*}/cgroup.procs" ] || continue
		mkdir "$group" 2>/dev/null && at_exit rmdir "$group"
		echo "$bytes" 2>/dev/null >"/sys/fs/cgroup/$limit" || continue
		(echo $BASHPID >"$group/cgroup.procs" && exec "$@")
		return
	done
	return 125
}

# Captures.

# capture NAME ARGUMENT...: tracer in the background in the directory $T/NAME, until it is armed. $pid is the engine.
# Without it the rest of the file makes no sense.
capture() { capture_with "" "$@"; }

# capture_in NETNS NAME ARGUMENT...: the same in a network namespace.
capture_in() { capture_with "nsenter --net=/run/netns/$1" "${@:2}"; }

capture_with() {
	local with=$1 name=$2

	shift 2
	ran="$tracer $*"
	mkdir -p "$T/$name"
	begin "$name" $with "$tracer" -o "$T/$name" "$@"
	await 40 armed_or_gone "$name"
	armed "$name" && return
	ended $pid 1
	cp "$T/$name.err" "$T/err"
	t "capture '$name' is armed" code armed
	finish
}

# The start says that it records, and what ends it.
armed() { tr '\r' '\n' <"$T/$1.err" | grep -q '^recording '; }
armed_or_gone() { armed "$1" || gone $pid; }

# watching NAME: nothing has ended that capture so far.
watching() {
	sleep 0.3
	is "$("$tracer" status --json | jq -r ".[] | select(.id == \"$(id_of "$1")\").stage")" watch
}

# fired NAME CONDITION: the capture, whose process is $pid, has ended by that condition; $b is its bundle.
fired() {
	t "$1: it fires" ended $pid 40
	t "$1: exit code 0" code 0
	t "$1: the bundle unpacks" unpack "$1" || finish
	t "$1: the condition is '$2'" manifest .stop.condition "$2"
}

# id_of NAME: the ID that a capture said at its start.
id_of() { sed -nE 's/.*recording ([0-9A-Z]{26});.*/\1/p' "$T/$1.err" | head -n 1; }

# unpack NAME: the one bundle of a capture, unpacked below $T/NAME; its directory to $b.
unpack() {
	local bundle=("$T/$1"/*.tar*)

	b=$T/nothing
	[ ${#bundle[@]} = 1 ] && [ -f "${bundle[0]}" ] || { echo "not one bundle: ${bundle[*]}"; return 1; }
	tar -C "$T/$1" -xf "${bundle[0]}" || return 1
	b=$(find "$T/$1" -mindepth 2 -maxdepth 2 -name manifest.json -printf '%h\n')
	[ -n "$b" ] || { echo "no manifest in ${bundle[0]}"; return 1; }
}

# m FILTER: what jq finds in the manifest.
m() { jq -r "$1" "$b/manifest.json"; }
manifest() { is "$(m "$1")" "$2" || { m .sources; return 1; }; }
source_is() { manifest ".sources[] | select(.name == \"$1\") | .$2" "$3"; } # NAME FIELD VALUE
source_of() { m ".sources[] | select(.name == \"$1\") | .$2"; }
boot_ns() { awk '{ printf "%.0f\n", $1 * 1e9 }' /proc/uptime; }

# recipe NAME: the text on stdin as $T/NAME.lua.
recipe() { cat >"$T/$1.lua"; }

# The recipe that most tests use: the events and packets of tests/provoke/numbers. RING is what the ring has besides
# its events, STOP the conditions, REST what follows. $stop_events are the events of the other kind that it records.
numbers_recipe() { # NAME [RING [STOP [REST]]]
	local ring=${2:-'keep = "1M"'} stop=${3-} rest=${4-}
	local event='t.event { "syscalls:sys_enter_setpriority", filter = "which >= 90 && which < 100" }'

	[ $# -ge 3 ] || stop='t.event { name = "number", "syscalls:sys_enter_setpriority", filter = "which == 99" }'
	recipe "$1" <<-LUA
		-- Which numbers came before the stop?
		return {
		  collect = {
		    t.ftrace { name = "numbers", $ring,
		      t.event { "syscalls:sys_enter_getpriority", filter = "which >= 100 && which < 164" },
		      ${stop_events-$event},
		    },
		    t.packets { "udp", port = 19777, interface = "lo", keep = "1M" },
		    t.log { "kernel" },
		  },
		  stop = { $stop },
		  $rest
		}
	LUA
}

# What is in a trace.dat of numbers: TIME_NS CPU CLASS NUMBER a line, as trace-cmd reads it. The class is 100 for
# worker 0 and so on, 99 for the event to stop at.
numbers_of() {
	trace-cmd report -t -R -i "$1" 2>>"$T/trace-cmd.log" | awk '
	function hex(s, n, i) {
		for (i = index(s, "x") + 1; i <= length(s); i++)
			n = n * 16 + index("0123456789abcdef", substr(s, i, 1)) - 1
		return n
	}
	/which=0x/ {
		match($0, /\[[0-9]+\]/); cpu = substr($0, RSTART + 1, RLENGTH - 2) + 0
		match($0, /[0-9]+\.[0-9]+:/); time = substr($0, RSTART, RLENGTH - 1); sub(/\./, "", time)
		match($0, /which=0x[0-9a-f]+/); which = substr($0, RSTART, RLENGTH)
		match($0, /(who|niceval)=0x[0-9a-f]+/); who = substr($0, RSTART, RLENGTH)
		if (which ~ /=0x/) print time, cpu, hex(which), hex(who)
	}'
}

# The numbers of the packets in a pcapng: TIME_NS NUMBER a line.
packets_of() {
	tshark -r "$1" -T fields -e frame.time_epoch -e udp.payload 2>>"$T/tshark.log" | awk '
	function hex(s, n, i) {
		for (i = 8; i >= 1; i--) {
			n = n * 16 + index("0123456789abcdef", substr(s, 2 * i - 1, 1)) - 1
			n = n * 16 + index("0123456789abcdef", substr(s, 2 * i, 1)) - 1
		}
		return n
	}
	{ sub(/\./, "", $1); gsub(/:/, "", $2); print $1, hex($2) }'
}

# contiguous COLUMN <LINES: that column counts up by one from line to line; prints its first and last.
contiguous() {
	awk -v c="$1" '
	NR > 1 && $c != last + 1 { print "after " last " comes " $c ", in line " NR; bad = 1; exit }
	{ if (NR == 1) first = $c; last = $c }
	END { if (!NR) print "nothing"; if (bad || !NR) exit 1; print first, last }'
}

# said FILE WORD NAME: the value of NAME= in the line that a provoking program began with WORD.
said() { sed -n "s/^$2 .*\<$3=\([^ ]*\).*/\1/p" "$1" | tail -n 1; }

need ip jq timeout setpriv tar zstd losetup
[ -x "$tracer" ] || skip_all "no $tracer: run make first"
[ -x "$provoke/numbers" ] || skip_all "no $provoke: run make first"
mkdir "$tracefs"
mount -t tracefs nodev "$tracefs" 2>/dev/null || skip_all "no tracefs here"
at_exit true
machine >"$T/machine.before"
