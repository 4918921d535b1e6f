# The stop matrix: each way to stop, beside its twin that must not fire.
. "$(dirname "$0")/../lib.sh"
need trace-cmd

setpriority='"syscalls:sys_enter_setpriority"'

# provoked ARGUMENT...: a few thousand numbers at an even pace, some of them after the stop.
provoked() { run "$provoke/numbers" --rate 20000 --stop 2000 --storm 3000 "$@" && cp "$T/out" "$T/said"; }

# fires NAME CONDITION ARGUMENT...: the recipe NAME ends by that condition.
fires() {
	local name=$1 condition=$2

	shift 2
	capture "$name-$condition" "$T/$name.lua" && provoked "$@"
	t "$name: it fires" ended $pid 20
	t "$name: exit code 0" code 0
	t "$name: the bundle unpacks" unpack "$name-$condition" || finish
	t "$name: the condition is '$condition'" manifest .stop.condition "$condition"
	numbers_of "$b/trace/numbers.dat" >"$T/numbers"
}

# quiet NAME ARGUMENT...: it does not, and Ctrl+C ends it.
quiet() {
	local name=$1

	shift
	capture "$name-quiet" "$T/$name.lua" && provoked "$@"
	sleep 0.2
	t "$name: its twin does not fire" kill -INT $pid
	t "$name: its twin ends by Ctrl+C" ended $pid 20
	t "$name: that is exit code 5" code 5
}

# ends_at_stop NAME: the ring's last number is that of the stop event.
ends_at_stop() {
	t "$1: the ring ends at the event" is "$(awk '$3 == 100 { n = $4 } END { print n }' "$T/numbers")" \
		"$(said "$T/said" stop number)"
}

stop_events="t.event { $setpriority, filter = \"which == 1\" }" numbers_recipe rejecting
fires rejecting number
ends_at_stop rejecting
t "rejecting: the stop event itself is not in the ring" is "$(awk '$3 == 99' "$T/numbers")" ""
quiet rejecting --stop-which 98

stop_events='"syscalls:sys_enter_getuid"' numbers_recipe elsewhere
fires elsewhere number
ends_at_stop elsewhere
quiet elsewhere --stop-which 98

numbers_recipe either 'keep = "1M"' "t.event { name = \"first\", $setpriority, filter = \"which == 99\" },
	t.event { name = \"second\", $setpriority, filter = \"which == 97\" }"
fires either first
ends_at_stop either
fires either second --stop-which 97
ends_at_stop either
quiet either --stop-which 98

numbers_recipe thrice 'keep = "1M"' "t.event { name = \"third\", $setpriority, filter = \"which == 99\", hits = 3 }"
fires thrice third --hits 3
t "thrice: three hits are in the ring" is "$(awk '$3 == 99' "$T/numbers" | wc -l)" 3
quiet thrice --hits 2

# A ring with a pid set has no trigger of the kernel's: it is stopped from user space, after the event.
mkfifo "$T/gate"
exec 8<>"$T/gate"
"$provoke/numbers" --gate 1 --rate 20000 --max-time 30 <&8 >"$T/gated.out" 9<&- 8<&- &
gated=$!
await 5 has "$T/gated.out" pid=
worker=$(said "$T/gated.out" worker=0 pid)
numbers_recipe pids "keep = \"1M\", pids = $worker"
capture pids-fires "$T/pids.lua"
echo >&8
provoked
t "pids: a stop by a task outside the set fires" ended $pid 20
t "pids: exit code 0" code 0
t "pids: the bundle unpacks" unpack pids-fires || finish
numbers_of "$b/trace/numbers.dat" >"$T/numbers"
t "pids: the ring ends soon after the event" awk -v e="$(m .stop.event.boot)" '{ l = $1 } END { print e, l; exit !(l > e - 5e6 && l < e + 5e6) }' "$T/numbers"
quiet pids --stop-which 98
kill $gated

# The stop event has its stack, though it ends the ring; so has each other event, and what the filter rejects has none.
numbers_recipe stacks 'keep = "1M", stack = true'
fires stacks number
t "stacks: the stop event's is the last in the ring" \
	has <(awk '/^ .*setpriority/ { n = NR } { line[NR] = $0 } END { print line[n + 1] }' "$b/trace/numbers.txt") 'kernel_stack|stack trace'
recipe one-stack <<-'LUA'
	-- Whose stack is it?
	return {
	  collect = t.ftrace { name = "numbers", keep = "1M",
	    t.event { "syscalls:sys_enter_getpriority", filter = "which == 100 && who == 7", stack = true } },
	  stop = t.event { name = "number", "syscalls:sys_enter_setpriority", filter = "which == 99" },
	}
LUA
fires one-stack number
t "one-stack: what the filter rejects has no stack" is "$(grep -cE 'kernel_stack|stack trace' "$b/trace/numbers.txt")" 1

numbers_recipe after 'keep = "1M"' "t.event { name = \"number\", $setpriority, filter = \"which == 99\" }" 'post = "50ms",'
fires after number
t "after: it goes on for 50 ms" within "$(awk '$3 == 100 { n = $1 } END { printf "%.0f", n / 1000 }' "$T/numbers")" \
	$(($(m .stop.event.boot) / 1000 + 50000)) 2000
t "after: the seam is a hole in the manifest" has <(m '.sources[] | select(.name == "numbers") | .holes[].what') seam
quiet after --stop-which 98

# It is hit again and again while it is arming.
"$provoke/numbers" --rate 100000 --stop 1 --hits 1000000 --storm 10000000 --max-time 20 >/dev/null 9<&- &
hammer=$!
numbers_recipe arming
capture arming-fires "$T/arming.lua"
t "arming: hits while it is arming end it at once" ended $pid 20
t "arming: exit code 0" code 0
t "arming: the bundle unpacks" unpack arming-fires || finish
t "arming: the ring ends at the event" within \
	"$(numbers_of "$b/trace/numbers.dat" | awk '{ n = $1 } END { print n }')" "$(m .stop.event.boot)" 50000
kill $hammer
"$provoke/numbers" --rate 100000 --stop 1 --hits 1000000 --storm 10000000 --max-time 20 --stop-which 98 >/dev/null 9<&- &
hammer=$!
quiet arming --stop-which 98
kill $hammer
finish
