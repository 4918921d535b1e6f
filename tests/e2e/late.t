# Nobody of ours runs at the event: the kernel ends each ring at it all the same, and packets that came before
# the decision but after the event are not kept.
. "$(dirname "$0")/../lib.sh"
need trace-cmd tshark

recipe late <<'LUA'
-- What came before the event, if it is learnt of late?
local numbers = { "syscalls:sys_enter_getpriority", filter = "which == 100" }
return {
  collect = {
    t.ftrace { name = "first", keep = "1M", t.event(numbers) },
    t.ftrace { name = "second", keep = "1M", t.event(numbers) },
    t.packets { "udp", port = 19777, interface = "lo", keep = "1M" },
  },
  stop = t.event { name = "number", "syscalls:sys_enter_setpriority", filter = "which == 95" },
}
LUA
capture late "$T/late.lua"
# the process of the packets goes on
others=$(for p in $(tracers); do [ "$(cat "/proc/$p/comm")" = tracer-packets ] || echo "$p"; done)
kill -STOP $others
run "$provoke/numbers" --rate 50000 --stop 5000 --storm 10000 --packet-every 10 --stop-which 95
cp "$T/out" "$T/said"
sleep 0.2
for ring in first second; do
	t "the kernel has ended the ring '$ring'" is "$(cat "$tracefs/instances/tracer-$(id_of late)-$ring/tracing_on")" 0
done
# watch first, that it decides
for p in $others; do [ "$(cat "/proc/$p/comm")" != tracer-watch ] || kill -CONT "$p"; done
sleep 0.2
kill -CONT $others
t "the capture ends" ended $pid 20
t "with exit code 0" code 0
t "the bundle unpacks" unpack late || finish
for ring in first second; do
	t "the ring '$ring' ends at the event" is \
		"$(numbers_of "$b/trace/$ring.dat" | awk 'END { print $4 }')" "$(said "$T/said" stop number)"
done
t "so do the packets" is "$(packets_of "$b/packets/packets.pcapng" | awk 'END { print $2 }')" "$(said "$T/said" stop packets)"
finish
