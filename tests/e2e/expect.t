# What must follow has not: a reply that is dropped among many, between two namespaces and in the kernel, and the twins
# in which each comes in time.
. "$(dirname "$0")/../lib.sh"
need trace-cmd tshark

netns_pair

# serving ARGUMENT...: the server of the requests, in its namespace. $server is its process.
serving() {
	nsenter --net=/run/netns/$srv "$provoke/replies" serve 10.77.0.1 19700 "$@" >"$T/served" 9<&- &
	server=$!
	sleep 0.2
}
asked() { run nsenter --net=/run/netns/$cli "$provoke/replies" ask 10.77.0.1 19700 "$@"; }

# A packet is answered by a packet with the same number elsewhere in it.
recipe packets <<'LUA'
-- Which request is not answered?
local ip, port = t.args { "ip:address", "port:port" }
return {
  collect = {
    t.packets { host = ip, port = port, interface = "cable", keep = "16M" },
    t.ftrace { name = "events", keep = "1M", "syscalls:sys_enter_setpriority" },
  },
  stop = t.expect {
    name = "reply",
    on = t.packet { "udp", dst = ip, port = port, interface = "cable" },
    need = t.packet { "udp", src = ip, port = port, interface = "cable" },
    key = { on = t.bytes { payload = 0, size = 4 }, need = t.bytes { payload = 4, size = 4 } },
    within = "200ms",
  },
}
LUA
serving --drop 90000
capture_in $cli packets "$T/packets.lua" 10.77.0.1 19700
asked --count 100000
t "a reply that is dropped among 100,000 ends it" ended $pid 20
t "with exit code 0" code 0
t "the bundle unpacks" unpack packets || finish
t "the key is that of the request" has <(m .stop.text) '(^| )payload=90000: '
t "nothing was lost on the way" manifest .stop.certain true
request=$(tshark -r "$b"/packets/*.pcapng -Y 'udp.dstport == 19700 && udp.payload[0:4] == 00:01:5f:90' -T fields -e frame.number 2>/dev/null)
t "the request is in the bundle" [ -n "$request" ]
t "the stop is 200 ms after it" within "$(($(m .stop.event.boot) / 1000))" "$(($(said "$T/served" dropped at) / 1000 + 200000))" 20000
kill $server

# One that is late, but in time, is an answer.
serving --late 90000 --by 150
capture_in $cli late "$T/packets.lua" 10.77.0.1 19700
asked --count 100000
t "all are answered" is "$(sed -n 's/.*answered=//p' "$T/out")" 100000
sleep 0.3
t "one that comes within the time does not end it" kill -INT $pid
t "its end is that of Ctrl+C" ended $pid 20
t "with exit code 5" code 5
kill $server

# A packet is answered by an event of the kernel's.
recipe mixed <<'LUA'
-- Which request did the kernel not see?
return {
  collect = t.ftrace { name = "numbers", keep = "4M", "syscalls:sys_enter_setpriority" },
  stop = t.expect {
    name = "seen",
    on = t.event { "syscalls:sys_enter_setpriority", filter = "which >= 90 && which < 100" },
    need = t.packet { "udp", dst = "127.0.0.1", port = 19777, interface = "lo" },
    within = "100ms",
  },
}
LUA
capture mixed "$T/mixed.lua"
run "$provoke/numbers" --stop 2000 --storm 3000 --packet-every 1 --rate 20000
sleep 0.3
t "an event that a packet follows does not end it" kill -INT $pid
t "its end is that of Ctrl+C" ended $pid 20
t "with exit code 5" code 5
capture unmixed "$T/mixed.lua"
run "$provoke/numbers" --stop 2000 --storm 3000
t "without the packet it does" ended $pid 20
t "with exit code 0" code 0
t "the bundle unpacks" unpack unmixed || finish
t "the condition is that" manifest .stop.condition seen
t "its time is the deadline" within "$(($(m .stop.event.boot) / 1000))" "$(($(said "$T/out" stop before) / 1000 + 100000))" 2000

# An interface that is removed holds no other condition up, and none of its own is certain.
recipe gone <<'LUA'
-- Is it still there?
return {
  collect = t.files "/proc/uptime",
  stop = {
    t.silence { name = "packets", t.packet { "udp", interface = "gone" }, over = "2s", from = "start" },
    t.silence { name = "events", t.event { "syscalls:sys_enter_setpriority", filter = "which == 90" }, over = "1500ms", from = "start" },
  },
}
LUA
for name in gone back; do
	ip -n $cli link add gone type veth peer name other
	ip -n $cli link set other up
	ip -n $cli link set gone up
	capture_in $cli $name "$T/gone.lua"
	engine=$pid
	ip -n $cli link $([ $name = gone ] && echo del gone || echo set gone down)
	[ $name = gone ] || ip -n $cli link set gone up
	before=$(cat /proc/$(pgrep -P $engine -x tracer-watch)/stat | cut -d ' ' -f 14)
	sleep 1
	spent=$(($(cat /proc/$(pgrep -P $engine -x tracer-watch)/stat | cut -d ' ' -f 14) - before))
	t "$name: nobody spins" [ $spent -lt 20 ]
	pid=$engine
	fired $name events
done

# Silence begins with the first that was seen.
recipe silence <<'LUA'
-- When did the numbers end?
return {
  collect = t.ftrace { name = "numbers", keep = "1M",
    t.event { "syscalls:sys_enter_getpriority", filter = "which >= 100 && which < 164" } },
  stop = t.silence { name = "quiet", t.event { "syscalls:sys_enter_getpriority", filter = "which >= 100 && which < 164" }, over = "300ms" },
}
LUA
capture silence "$T/silence.lua"
sleep 0.8
run "$tracer" status
t "what has not begun cannot be silent" has "$T/out" 'none seen yet, cannot fire'
run "$provoke/numbers" --rate 5000 --stop 3000 --storm 2000
t "what has ended is" ended $pid 20
t "with exit code 0" code 0
t "the bundle unpacks" unpack silence || finish
numbers_of "$b/trace/numbers.dat" >"$T/numbers"
t "300 ms after the last number" within "$(($(m .stop.event.boot) / 1000))" "$(awk '{ l = $1 } END { printf "%.0f", l / 1000 + 300000 }' "$T/numbers")" 100

# A rate, from both sides of the limit.
recipe rate <<'LUA'
-- When were there too many?
return {
  collect = t.ftrace { name = "numbers", keep = "1M",
    t.event { "syscalls:sys_enter_getpriority", filter = "which >= 100 && which < 164" } },
  stop = t.rate { name = "many", t.event { "syscalls:sys_enter_getpriority", filter = "which >= 100 && which < 164" }, above = 3000, per = "100ms" },
}
LUA
capture slow "$T/rate.lua"
run "$provoke/numbers" --rate 20000 --stop 10000 --storm 10000
t "20,000 a second are not more than 3,000 in 100 ms" kill -INT $pid
t "its end is that of Ctrl+C" ended $pid 20
t "with exit code 5" code 5
capture fast "$T/rate.lua"
run "$provoke/numbers" --rate 40000 --stop 10000 --storm 10000
t "40,000 are" ended $pid 20
t "with exit code 0" code 0
t "the bundle unpacks" unpack fast || finish
numbers_of "$b/trace/numbers.dat" >"$T/numbers"
at=$(m .stop.event.boot)
t "3,001 of them are in the last 100 ms before it" within "$(awk -v at="${at%???}" '{ t = $1 / 1000 } t > at - 100000 && t <= at + 0.9' "$T/numbers" | wc -l)" 3001 3 # microseconds

# A wrong field is named, with the nearest.
sed 's/key = .*/key = { on = "whoo", need = t.bytes { payload = 0 } },/; s/on = t.packet .*/on = t.event "syscalls:sys_enter_setpriority",/' "$T/packets.lua" >"$T/typo.lua"
run nsenter --net=/run/netns/$cli "$tracer" check "$T/typo.lua" 10.77.0.1 19700
t "a field that the event lacks is refused" code 2
t "with the nearest" sentence "did you mean 'who'"
finish
