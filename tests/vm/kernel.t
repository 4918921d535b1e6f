# What a kernel has to give, on one that has it all: kprobes, and function names in stacks. Runs in a virtual machine.
. "$(dirname "$0")/../lib.sh"
need trace-cmd
[ "$(uname -m)" = x86_64 ] || skip_all "the arguments of system calls are where x86-64 has them"
uname -r | sed 's/^/# kernel /'

setpriority='"syscalls:sys_enter_setpriority"'
provoked() { run "$provoke/numbers" --rate 500 --stop 200 --storm 300 --packet-every 10 "$@" && cp "$T/out" "$T/said"; }

# fires NAME CONDITION ARGUMENT...: the recipe NAME ends by that condition, and the ring is whole up to it.
fires() {
	local name=$1 condition=$2

	shift 2
	capture "$name" "$T/$name.lua" && provoked "$@"
	t "$name: it fires" ended $pid 60
	t "$name: exit code 0" code 0
	t "$name: the bundle unpacks" unpack "$name" || finish
	t "$name: the condition is '$condition'" manifest .stop.condition "$condition"
	t "$name: every source is whole" is "$(m '[.sources[] | select(.outcome != "ok")] | length')" 0
	numbers_of "$b/trace/numbers.dat" >"$T/numbers"
	awk '$3 == 100' "$T/numbers" >"$T/worker"
	t "$name: its numbers have no gap" contiguous 4 <"$T/worker"
}
ends_at_stop() { is "$(awk '{ n = $4 } END { print n }' "$T/worker")" "$(said "$T/said" stop number)"; }

# A tracepoint stops it; all sources, with stacks.
recipe all <<-LUA
	-- Which numbers came before the stop?
	return {
	  collect = {
	    t.ftrace { name = "numbers", keep = "1M",
	      t.event { "syscalls:sys_enter_getpriority", filter = "which >= 100 && which < 164" },
	      t.event { $setpriority, filter = "which >= 90 && which < 100" },
	    },
	    t.ftrace { name = "stacks", keep = "1M", stack = true, t.event { "sched:sched_switch", filter = "prev_comm == \"numbers\"" } },
	    t.packets { "udp", port = 19777, interface = "lo", keep = "1M" },
	    t.files { every = "100ms", "/proc/meminfo", "/proc/stat" },
	    t.files { at = "both", "/proc/self/mounts", t.try "/proc/nothing" },
	    t.log { "kernel" },
	  },
	  stop = { t.event { name = "number", $setpriority, filter = "which == 99" } },
	}
LUA
capture before "$T/all.lua"
kill -INT $pid
ended $pid 60
t "Ctrl+C: exit code 5" code 5
(sleep 1; echo "tracer-vm was here" >/dev/kmsg) &
fires all number
t "all: the ring ends at the event" ends_at_stop
t "all: the packets are there" is "$(source_of packets records)" "$(said "$T/said" stop packets)"
t "all: the packet filter's file is not empty" [ -s "$b/packets/packets.pcapng" ]
t "all: samples were taken" grep -r MemFree "$b/samples"
t "all: files were kept" ls "$b"/files/start/proc/self/mounts "$b"/files/stop/proc/self/mounts
t "all: the kernel log has the line" has "$b/logs/kernel.log" 'tracer-vm was here'
t "all: stacks have function names" has "$b/trace/stacks.txt" 'schedule'
trace-cmd report -i "$b/trace/stacks.dat" >"$T/stacks" 2>&1
t "all: so they have for trace-cmd" has "$T/stacks" 'schedule'

# With post it goes on.
numbers_recipe after 'keep = "1M"' "t.event { name = \"number\", $setpriority, filter = \"which == 99\" }" 'post = "200ms",'
fires after number
t "after: it goes on for 200 ms" within "$(awk '{ n = $1 } END { printf "%.0f", n / 1000 }' "$T/worker")" \
	$(($(m .stop.event.boot) / 1000 + 200000)) 20000
t "after: the seam is a hole in the manifest" has <(m '.sources[] | select(.name == "numbers") | .holes[].what') seam

# With pids, the ring has only theirs.
mkfifo "$T/gate"
exec 8<>"$T/gate"
"$provoke/numbers" --gate 1 --rate 500 --stop 200 --storm 300 <&8 >"$T/said" 9<&- 8<&- &
await 20 has "$T/said" pid=
numbers_recipe pids "keep = \"1M\", pids = $(said "$T/said" worker=0 pid)"
capture pids "$T/pids.lua" && "$provoke/numbers" --rate 500 --stop 50 --stop-which 98 --storm 1 >/dev/null
echo >&8
t "pids: it fires" ended $pid 60
t "pids: exit code 0" code 0
t "pids: the bundle unpacks" unpack pids || finish
numbers_of "$b/trace/numbers.dat" | awk '$3 == 100' >"$T/worker"
t "pids: its numbers have no gap, and no other's are between" contiguous 4 <"$T/worker"

# A function of the kernel, of which the first argument is the registers of the caller: rdi is at 112.
probe='"kprobe:__x64_sys_setpriority", fetch = { "which=+112(%di):s32", "who=+104(%di):s32" }'
stop_events="t.event { $probe }" numbers_recipe kprobe 'keep = "1M"' "t.event { name = \"call\", $probe, filter = \"which == 99\" }"
run "$tracer" check "$T/kprobe.lua"
t "kprobe: the kernel decides" has "$T/out" 'tier 1'
fires kprobe call
t "kprobe: the ring ends at the event" ends_at_stop
t "kprobe: the stop says its arguments" has <(m .stop.text) "^kprobe:__x64_sys_setpriority which=99 who=$(said "$T/said" stop number)$"
t "kprobe: the text has it" has "$b/trace/numbers.txt" '__x64_sys_setpriority: .*which=99'
t "kprobe: it is gone" not grep tracer_ "$tracefs/kprobe_events"
numbers_recipe quiet 'keep = "1M"' "t.event { name = \"call\", $probe, filter = \"which == 99\" }"
capture quiet "$T/quiet.lua" && provoked --stop-which 98
kill -INT $pid
t "kprobe: its twin does not fire" ended $pid 60
t "kprobe: that is exit code 5" code 5

# kprobe_refused NAME EVENT SENTENCE
kprobe_refused() {
	numbers_recipe "$1" 'keep = "1M"' "t.event { \"kprobe:$2\" }"
	run "$tracer" -q -o "$T" "$T/$1.lua"
	code 3 && sentence "$3"
}
t "a function of the kernel with a typo names the nearest" kprobe_refused typo vfs_raed "did you mean 'vfs_read'"
t "several functions of one name are refused" kprobe_refused several "$(
	awk '$2 ~ /[tT]/ && NF == 3 && n[$3]++ { print $3; exit }' /proc/kallsyms)" 'a probe cannot tell them apart'
mount -t debugfs debug /sys/kernel/debug
forbidden=$(awk '{ print $2 }' /sys/kernel/debug/kprobes/blacklist | grep -Fxf - <(awk '$2 ~ /[tT]/ { print $3 }' /proc/kallsyms) |
	sort | uniq -u | head -n 1)
t "a function that the kernel protects is refused by name" kprobe_refused forbidden "$forbidden" "the kernel allows no probe in"
umount /sys/kernel/debug
t "and without its list, in the kernel's words" kprobe_refused forbidden "$forbidden" 'cannot make the probe .*the kernel says|Invalid argument'

# kill -9.
capture killed "$T/quiet.lua" && provoked --stop-which 98
kill -9 $(tracers)
t "killed: its probe is still there" grep -F "tracer_$(id_of killed)" "$tracefs/kprobe_events"
run "$tracer" recover -o "$T/killed" "$(id_of killed)"
t "killed: recover gives its bundle" [ $rc = 5 -o $rc = 4 ] # the last packets may be missing
t "killed: the bundle unpacks" unpack killed || finish
numbers_of "$b/trace/numbers.dat" | awk '$3 == 100' >"$T/worker"
t "killed: its numbers have no gap" contiguous 4 <"$T/worker"
t "killed: the probe is gone" not grep tracer_ "$tracefs/kprobe_events"
finish
