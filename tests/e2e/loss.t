# Loss is loud: packets that the kernel had no room for are counted, to the last one.
. "$(dirname "$0")/../lib.sh"
need tshark

netns_pair
recipe loss <<'LUA'
-- How many packets are lost while nobody takes them?
return {
  collect = { t.packets { "udp", port = 19777, interface = "cable", payload = "all", keep = "64M" } },
  stop = t.event { name = "number", "syscalls:sys_enter_setpriority", filter = "which == 95" },
}
LUA
capture_in $srv loss "$T/loss.lua"
packets=$(for p in $(tracers); do [ "$(cat "/proc/$p/comm")" != tracer-packets ] || echo "$p"; done)
t "packets have a process" test -n "$packets"
send() { run nsenter --net=/run/netns/$cli "$provoke/packets" udp 10.77.0.1 19777 "$@"; }

send 10
sleep 0.3
kill -STOP $packets
send 40000 1000 # more than twice what the kernel has room for
from=$(boot_ns)
kill -CONT $packets
sleep 0.5
send 10
sleep 0.3
run "$provoke/numbers" --stop 10 --storm 1 --stop-which 95
t "the capture ends" ended $pid 20
t "the bundle unpacks" unpack loss || finish
kept=$(packets_of "$b/packets/packets.pcapng" | wc -l)
t "there are packets from before and after" [ "$kept" -gt 20 ]
t "fewer than were sent" [ "$kept" -lt 40020 ]
t "those that are missing are as many as the manifest states" is "$(source_of packets lost)" $((40020 - kept))
t "it states when" is "$(m '.sources[] | select(.name == "packets") | .holes[0] | "\(.what) \(.count)"')" \
	"kernel drops $((40020 - kept))"
t "the summary says so" has "$b/summary.txt" "$((40020 - kept))"
finish
