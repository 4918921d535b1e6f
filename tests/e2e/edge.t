# The edges of what t.expect can know: an answer that comes in the last millisecond, by a packet to an event of the
# kernel's and the other way round, one that comes just too late, and one that is in a hole.
. "$(dirname "$0")/../lib.sh"
netns_pair

# The last millisecond.
recipe last <<'LUA'
-- Which question is not answered over the other way?
local number = t.bytes { payload = 0, size = 8, order = "le" }
return {
  collect = t.files "/proc/uptime",
  stop = {
    t.expect {
      name = "event",
      on = t.event { "syscalls:sys_enter_setpriority", filter = "which == 94" },
      need = t.packet { "udp", dst = "127.0.0.1", port = 19777, interface = "lo" },
      key = { on = "who", need = number }, within = "20ms",
    },
    t.expect {
      name = "packet",
      on = t.packet { "udp", dst = "127.0.0.1", port = 19778, interface = "lo" },
      need = t.event { "syscalls:sys_enter_setpriority", filter = "which == 93" },
      key = { on = number, need = "who" }, within = "20ms",
    },
  },
}
LUA

# answered KIND: the questions of that kind were, in the last millisecond, and none has ended it. A machine with other
# things to do may be late with an answer, or with a packet: then it is tried again.
answered() {
	run "$provoke/answers" "$1" --count 100 --within 20000 --before 900
	has "$T/out" '^asked=100 late=0$' && watching "$name"
}
for kind in event packet; do
	good=
	for try in 1 2 3 4 5; do
		name=$kind-$try
		capture $name "$T/last.lua"
		engine=$pid
		answered $kind >"$T/answered" 2>&1 && good=$name && break
		kill -INT $engine
		ended $engine 20
	done
	t "$kind: 100 answers in the last millisecond are answers" is "$good" "$name" || cat "$T/answered"
	run "$provoke/answers" $kind --count 0 --within 20000 --after 300
	pid=$engine
	fired $name $kind
	t "$kind: an answer that is too late is none: the key is named" has <(m .stop.text) '^(who|payload)=1: nothing has answered within 20ms'
	t "$kind: its time is the deadline" within "$(m .stop.event.boot)" $(($(said "$T/out" missed before) + 20000000)) \
		$(($(said "$T/out" missed after) - $(said "$T/out" missed before) + 100000))
done

# watcher ENGINE: its process that watches.
watcher() { pgrep -P "$1" -x tracer-watch; }

# The answer is among events that the ring had no room for.
recipe events <<'LUA'
-- Was it answered?
local numbers = t.event { "syscalls:sys_enter_getpriority", filter = "which >= 100 && which < 164" }
return {
  collect = t.files "/proc/uptime",
  stop = {
    t.expect {
      name = "answer",
      on = t.event { "syscalls:sys_enter_setpriority", filter = "which == 90" },
      need = t.event { "syscalls:sys_enter_setpriority", filter = "which == 91" },
      within = "3s",
    },
    t.rate { name = "storm", numbers, above = 900000, per = "10ms" },
  },
}
LUA
# event WHICH NUMBER STORM ARGUMENT...: that event at that number, and so many numbers behind it.
event() { "$provoke/numbers" --stop-which "$1" --stop "$2" --storm "$3" "${@:4}" >/dev/null 9<&-; }
capture twin "$T/events.lua"
engine=$pid
event 90 1 0
event 91 2000 30000 --rate 30000
sleep 2.5
t "events: an answer before a storm is one" watching twin
kill -INT $engine
t "events: its end is that of Ctrl+C" ended $engine 20
capture events "$T/events.lua"
engine=$pid
event 90 1 0
sleep 0.2
kill -STOP "$(watcher $engine)"
event 91 2000 1500000 # the page that is being read is not overwritten
kill -CONT "$(watcher $engine)"
pid=$engine
fired events answer
t "events: what is not seen across a hole is not certain" manifest .stop.certain false
t "events: the hole is in the manifest" is "$(source_of watched-events 'holes | length > 0')" true
t "events: the summary says that it is not certain" has "$b/summary.txt" '^ *UNCERTAIN: '

# The answer is among packets that the socket had no room for; the question is not.
recipe packets <<'LUA'
-- Was it answered?
return {
  collect = t.files "/proc/uptime",
  stop = t.expect {
    name = "answer",
    on = t.packet { "udp", dst = "10.77.0.1", port = 19700, interface = "cable" },
    need = t.packet { "udp", src = "10.77.0.1", interface = "cable" },
    key = { on = t.bytes { payload = 0, size = 4 }, need = t.bytes { payload = 4, size = 4 } },
    within = "2s",
  },
}
LUA
nsenter --net=/run/netns/$srv "$provoke/replies" serve 10.77.0.1 19700 >"$T/served" 9<&- &
server=$!
asked() {
	run nsenter --net=/run/netns/$cli "$provoke/replies" ask 10.77.0.1 19700 --count 1
	has "$T/out" '^sent=1 answered=1$'
}
capture_in $cli packets "$T/packets.lua"
engine=$pid
t "packets: a question is answered" asked
sleep 2.2
t "packets: an answer that is seen is one" watching packets
kill -STOP "$(watcher $engine)"
run nsenter --net=/run/netns/$srv "$provoke/packets" udp 10.77.0.2 19777 40000 1000
t "packets: another question is answered, behind more than there is room for" asked
kill -CONT "$(watcher $engine)"
pid=$engine
fired packets answer
t "packets: the key is that of the question" has <(m .stop.text) '^payload=1: '
t "packets: what is not seen across a hole is not certain" manifest .stop.certain false
t "packets: the hole is in the manifest" is "$(source_of watched-packets 'holes | length > 0')" true
kill $server
finish
