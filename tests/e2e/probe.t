# Probes: events on functions of programs and of the kernel, made for a capture and gone with it.
. "$(dirname "$0")/../lib.sh"
need trace-cmd
[ -e "$tracefs/uprobe_events" ] || skip_all "needs user probes"

case $(uname -m) in x86_64) first=%di ;; aarch64) first=%x0 ;; *) skip_all "which register holds the first argument?" ;; esac
calls="uprobe:$provoke/calls:calls_number"

# calls_recipe NAME STOP [EVENTS]: numbered calls, and STOP as it stands.
calls_recipe() {
	recipe "$1" <<-LUA
		-- Which calls came before the stop?
		local calls, first = "$calls", "arg=$first:u64"
		return {
		  collect = { t.ftrace { name = "calls", keep = "1M", t.event { calls, fetch = first }, ${3-} } },
		  stop = { $2 },
		}
	LUA
}

# calls_of FILE: TIME_NS NUMBER a line, as trace-cmd reads it.
calls_of() {
	trace-cmd report -t -i "$1" 2>>"$T/trace-cmd.log" | awk '
	/calls_number:/ { match($0, /[0-9]+\.[0-9]+:/); time = substr($0, RSTART, RLENGTH - 1); sub(/\./, "", time)
		match($0, /arg=[0-9]+/); print time, substr($0, RSTART + 4, RLENGTH - 4) }'
}

probes() { cat "$tracefs"/{uprobe,kprobe}_events 2>/dev/null | grep -F "tracer_$1" | grep -F "$provoke"; }
seven='t.event { name = "seven", calls, fetch = first, filter = "arg == 700" }'

# The stop, decided by the kernel.
calls_recipe calls "$seven" 't.event { "uprobe:'"$provoke"'/calls:calls_other", filter = "n > 500", fetch = "n='$first':u64" }'
run "$tracer" check -o "$T" "$T/calls.lua"
t "check: exit code 0" code 0
t "check: the kernel decides" has "$T/out" 'tier 1'
t "check: it says which events it makes" has "$T/out" "$calls: a breakpoint in every process"
t "check: it says when the filter is read" has "$T/out" 'if arg == 700 \(the kernel checks this filter when it is armed\)'
t "check: it makes nothing" not probes ""
capture fires "$T/calls.lua" && t "armed: its probes are there" [ "$(probes "$(id_of fires)" | wc -l)" = 2 ]
run "$provoke/calls" --calls 1000
t "it fires" ended $pid 20
t "exit code 0" code 0
t "the bundle unpacks" unpack fires || finish
t "the condition is 'seven'" manifest .stop.condition seven
t "the stop says which call" is "$(m .stop.text)" "$calls arg=700"
calls_of "$b/trace/calls.dat" >"$T/numbers"
t "the ring has all calls" contiguous 2 <"$T/numbers"
t "from the first to that of the stop" is "$(sed -n '1s/.* //p;$s/.* //p' "$T/numbers" | paste -sd-)" 1-700
t "the filter of the other probe held" is "$(grep -oE 'calls_other: .* n=[0-9]+' "$b/trace/calls.txt" | head -n 1 | sed 's/.*=//')" 501
t "the text has the same" is "$(grep -c 'calls_number: .*arg=' "$b/trace/calls.txt")" 700
t "its probes are gone" not probes "$(id_of fires)"

calls_recipe twin 't.event { name = "never", calls, fetch = first, filter = "arg == 7000" }'
capture quiet "$T/twin.lua" && run "$provoke/calls" --calls 1000
sleep 0.2
t "its twin does not fire" kill -INT $pid
t "its twin ends by Ctrl+C" ended $pid 20
t "that is exit code 5" code 5

calls_recipe third 't.event { name = "third", calls, fetch = first, filter = "arg == 500", hits = 3 }'
capture third "$T/third.lua" && run "$provoke/calls" --calls 500 --again 2
t "the third hit fires" ended $pid 20
t "the third hit: exit code 0" code 0

# refuses NAME CODE SENTENCE: it ends before anything is recorded, and leaves nothing.
refuses() {
	run "$tracer" -o "$T" -q "$T/$1.lua"
	code "$2" && sentence "$3" && not probes "" && not ls "$T"/*.tar*
}
calls_recipe typo 't.event { "uprobe:'"$provoke"'/calls:calls_nunber" }'
t "a typo names the nearest function" refuses typo 3 "typo.lua:5: .*no function 'calls_nunber', did you mean 'calls_number'"
calls_recipe nofile 't.event { "uprobe:/nowhere/at all:f" }'
t "a file with a space cannot be probed" refuses nofile 2 "white space"
calls_recipe nofile 't.event { "uprobe:/nowhere/at-all:f" }'
t "a missing file is named" refuses nofile 3 "cannot open '/nowhere/at-all': No such file"
calls_recipe field 't.event { calls, fetch = first, filter = "agr == 7" }'
t "a filter's wrong field is found when it is armed" refuses field 2 "no field 'agr', did you mean 'arg'"
calls_recipe fetch 't.event { calls, fetch = "n=%nowhere:u64" }'
t "what the kernel refuses is said in its words" refuses fetch 3 'Invalid argument \(the kernel says: '
calls_recipe twice "$seven" 't.event { calls, fetch = { first } }'
t "a probe that is named twice in a ring is refused" refuses twice 3 "named twice in ring 'calls'"
calls_recipe try "$seven" 't.try { "uprobe:'"$provoke"'/calls:nothing", t.event { calls, fetch = "n=%nowhere:u64" } }'
capture try "$T/try.lua" && run "$provoke/calls" --calls 1000
t "in t.try both are left out, and it fires" ended $pid 20
t "and is whole" code 0

if [ ! -e "$tracefs/kprobe_events" ]; then
	calls_recipe kernel 't.event { "kprobe:vfs_read" }'
	t "a kernel without kprobes is told in one sentence" refuses kernel 3 "kernel.lua:5: this kernel has no kprobes"
	calls_recipe kernel "$seven" 't.try "kprobe:vfs_read"'
	run "$tracer" check "$T/kernel.lua"
	t "in t.try it is left out" eval 'code 0 && hasnt "$T/out" vfs_read'
else
	calls_recipe kernel 't.event { "kprobe:vfs_raed" }'
	t "a typo names the nearest function of the kernel" refuses kernel 3 "did you mean 'vfs_read'"
fi

# kill -9: what was recorded is recovered, and the probes go.
calls_recipe killed 't.event { calls, fetch = first, filter = "arg == 7000" }'
capture killed "$T/killed.lua" && run "$provoke/calls" --calls 500
kill -9 $(tracers)
t "after kill -9 the probe is still there" probes "$(id_of killed)"
mv "$T/killed.lua" "$T/moved.lua"
run "$tracer" recover -o "$T/killed" "$(id_of killed)"
t "recover gives the bundle" code 5
t "recover: the bundle unpacks" unpack killed || finish
t "recover: it has all calls" is "$(calls_of "$b/trace/calls.dat" | contiguous 2)" "1 500"
t "recover: the text has them too" is "$(grep -c 'calls_number: .*arg=' "$b/trace/calls.txt")" 500
t "recover: the probe is gone" not probes ""
finish
