# Each kind of condition in a stream of 100,000 near misses, and then the one that it waits for.
. "$(dirname "$0")/../lib.sh"
need trace-cmd

cp "$provoke/threads" "$T/pool"
cp "$provoke/signals" "$T/handler"
recipe misses <<LUA
-- Which one in 100,000 is it?
local set, get = "syscalls:sys_enter_setpriority", "syscalls:sys_enter_getpriority"
local function number(which, filter)
  return t.event { set, filter = "which == " .. which .. (filter and " && " .. filter or "") }
end
return {
  collect = t.ftrace { name = "ring", keep = "256K", "sched:sched_process_exec" },
  stop = {
    t.event { name = "event", set, filter = "which == 80 && who == 100001" },
    t.event { name = "hits", set, filter = "which == 81", hits = 3, within = "300us" },
    t.rate { name = "rate", number(82), above = 20000, per = "100ms" },
    t.silence { name = "silence", number(83), over = "3s" },
    t.sequence { name = "sequence", number(84), number(85), within = "300us" },
    t.sequence { name = "keyed", number(86), number(87), key = "who" },
    t.all { name = "all", number(88), number(89, "who == 7") },
    t.packet { name = "packet", "udp[8:4] = 0xa1860100", port = 19779, interface = "lo" }, -- the number 100001, the least byte first
    t.exit { name = "exit", exe = "$T/pool" },
    t.crash { name = "crash", comm = "handler" },
  },
}
LUA

# calls WHICH N [WHO [EVERY_US [THEN]]]: so many calls of setpriority(WHICH, WHO or the number), then one of THEN.
calls() { "$provoke/priorities" "$@" >/dev/null 9<&-; }

capture quiet "$T/misses.lua"
engine=$pid
calls 80 100000
calls 81 25000 0 200
calls 83 1
for part in 1 2 3 4 5; do calls 82 20000 && sleep 0.15 && calls 83 1; done
calls 83 1
calls 84 0
for part in 1 2 3 4; do calls 85 12500 && calls 84 1; sleep 0.01; done
calls 85 50000
calls 87 100000
calls 83 1
calls 88 100000
"$provoke/packets" udp 127.0.0.1 19779 100000 >/dev/null 9<&-
calls 83 1
"$provoke/threads" 1 0 </dev/null >/dev/null 9<&-
mkfifo "$T/pool.in"
(exec 9<&- && exec "$T/pool" 100000 0 <"$T/pool.in" >"$T/pool.out") &
pool=$!
exec 8>"$T/pool.in"
for i in $(seq 200); do calls 83 1; grep -q ready "$T/pool.out" && break; sleep 0.3; done
"$T/handler" 100000 11 live >/dev/null 9<&-
calls 83 1
sleep 0.3
t "none of them ends it" is "$("$tracer" status --json | jq -r ".[] | select(.id == \"$(id_of quiet)\").stage")" watch
run "$tracer" status
cp "$T/out" "$T/status"
kill -INT $engine
t "it ends by Ctrl+C" ended $engine 20
t "and says that this is what ended it" code 5
t "nothing was lost on the way" hasnt "$T/status" 'LOST'
echo >&8
exec 8>&-
wait $pool

# hit NAME COMMAND...: that one is it.
hit() {
	local name=$1

	shift
	capture "$name" "$T/misses.lua"
	"$@"
	fired "$name" "$name"
}
hit_rate() { calls 82 30000; }
hit_silence() { calls 83 1; }
hit_sequence() { calls 84 1 0 0 85; }
hit_keyed() { calls 86 1 5 && calls 87 10 5; }
hit_all() { calls 88 1 && calls 89 10; }
hit_exit() { (exec 9<&- && "$T/pool" 10 0 </dev/null >/dev/null); }
hit_crash() { "$T/handler" 1 11 die >/dev/null 2>&1 9<&-; }
hit event calls 80 1 100001
hit hits calls 81 3
hit rate hit_rate
hit silence hit_silence
hit sequence hit_sequence
hit keyed hit_keyed
hit all hit_all
hit packet "$provoke/packets" udp 127.0.0.1 19779 100001
hit exit hit_exit
hit crash hit_crash
t "crash: in the kernel" manifest .stop.tier 1
finish
