# One clock: what one action does in the kernel, on the network and in the log is one moment in last.txt.
. "$(dirname "$0")/../lib.sh"

recipe clock <<'LUA'
-- Do events, packets and log lines agree on the time?
return {
  collect = {
    t.ftrace { name = "numbers", keep = "1M", t.event { "syscalls:sys_enter_getpriority", filter = "which == 77" } },
    t.packets { "udp", port = 19777, interface = "lo", keep = "1M" },
    t.log { "kernel" },
  },
  stop = t.event { name = "end", "syscalls:sys_enter_setpriority", filter = "which == 99" },
}
LUA
capture clock "$T/clock.lua"
run "$provoke/oneclock" 5
cp "$T/out" "$T/said"
t "the capture ends" ended $pid 20
t "with exit code 0" code 0
t "the bundle unpacks" unpack clock || finish

# Seconds before the stop of the N-th of the last five lines of a kind: the first number with a point in the line.
moment() { grep -E "$1" "$b/last.txt" | tail -n 5 | sed -n "$2p" | grep -oE '[-+]?[0-9]+\.[0-9]+' | head -n 1; }
done=0
for i in 1 2 3 4 5; do
	start=$(said "$T/said" "once number=$i" start)
	end=$(said "$T/said" "once number=$i" line)
	[ $((end - start)) -lt 500000 ] || continue # it was interrupted, so this was not one moment
	event=$(moment 'getpriority' $i)
	packet=$(moment '19777' $i)
	line=$(moment 'oneclock number' $i)
	t "action $i: the packet is within a millisecond of the event" within "$event" "$packet" 0.001
	t "action $i: the log line is within a millisecond of the event" within "$event" "$line" 0.001
	t "action $i: the event is when it was made" \
		awk -v s="$start" -v e="$(m .stop.event.boot)" -v d="$event" 'BEGIN {
			d = d < 0 ? -d : d; x = e - d * 1e9 - s; print x; exit !(x > -2e5 && x < 1e6) }'
	done=$((done + 1))
done
t "there were moments" [ $done -gt 0 ]
finish

# Seconds before the stop of the N-th of the last three lines of a kind: the first number with a point in the line.
moment() { grep -E "$1" "$b/last.txt" | tail -n 3 | sed -n "$2p" | grep -oE '[-+]?[0-9]+\.[0-9]+' | head -n 1; }
for i in 1 2 3; do
	event=$(moment 'getpriority' $i)
	packet=$(moment '19777' $i)
	line=$(moment 'oneclock number' $i)
	t "action $i: the packet is within a millisecond of the event" within "$event" "$packet" 0.001
	t "action $i: the log line is within a millisecond of the event" within "$event" "$line" 0.001
	start=$(sed -n "s/^once number=$i start=\([0-9]*\).*/\1/p" "$T/said")
	t "action $i: the event is when it was made" \
		awk -v s="$start" -v e="$(m .stop.event.boot)" -v d="$event" 'BEGIN {
			d = d < 0 ? -d : d; x = e - d * 1e9 - s; print x; exit !(x > -2e5 && x < 1e6) }'
done
finish
