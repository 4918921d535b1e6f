# tracer check --measure: a trial, which nothing ends and which leaves nothing.
. "$(dirname "$0")/../lib.sh"
need trace-cmd jq

event=syscalls:sys_enter_getpriority
filter='which >= 100 && which < 164'
recipe trial <<LUA
-- What would it cost?
return {
  collect = {
    t.ftrace { name = "numbers", keep = "1M", t.event { "$event", filter = "$filter" } },
    t.ftrace { name = "roomy", keep = "64M", t.event { "$event", filter = "$filter" } },
    t.packets { "udp", port = 19777, interface = "lo", keep = "1M" },
    t.files { every = "100ms", "/proc/uptime" },
  },
  stop = {
    t.event { name = "kernel", "syscalls:sys_enter_setpriority", filter = "which == 95" },
    t.event { name = "never", "syscalls:sys_enter_setpriority", filter = "which == 94" },
    t.rate { name = "often", t.event { "$event", filter = "$filter" }, above = 1000, per = "1s" },
    t.rate { name = "very often", t.event { "$event", filter = "$filter" }, above = 900000, per = "1s" },
  },
}
LUA
"$provoke/numbers" --workers 1 --rate 5000 --packet-every 100 --max-time 8 >"$T/provoker.out" 9<&- &
provoker=$!
(for i in 1 2 3; do sleep 0.7; "$provoke/numbers" --stop 1 --stop-which 95 --storm 1; done) >/dev/null 9<&- &
run "$tracer" check --measure 4s --json "$T/trial.lua"
wait $provoker
t "a trial succeeds" code 0
t "and prints one object" is "$(jq -s length "$T/out")" 1
q() { jq -r "$1" "$T/out"; }
source_q() { q ".sources[] | select(.name == \"$1\").$2"; }
condition_q() { q ".conditions[] | select(.name == \"$1\").$2"; }
made=$(sed -n 's/.*numbers=\([0-9]*\).*ns=\([0-9]*\).*/\1 \2/p' "$T/provoker.out" | awk '{ print $1 * 1e9 / $2 }')
t "it takes the time that was asked for" within "$(q .took)" 4000000000 400000000
t "events come at the rate at which they are made" within "$(source_q numbers per_s)" "$made" "$(awk -v r="$made" 'BEGIN { print r * 0.25 }')"
t "packets too" within "$(source_q packets per_s)" "$(awk -v r="$made" 'BEGIN { print r / 100 }')" "$(awk -v r="$made" 'BEGIN { print r / 200 + 5 }')"
t "samples come ten times a second" within "$(source_q files per_s)" 10 3
t "how far a ring reaches goes by its size" awk -v a="$(source_q numbers reach)" -v b="$(source_q roomy reach)" 'BEGIN { exit !(a > 0 && b / a > 40 && b / a < 90) }'
# 1M on each record of getpriority, which takes some 40 bytes
t "and by the rate" awk -v a="$(source_q numbers reach)" -v r="$made" 'BEGIN { n = 1048576 / (a / 1e9 * r); exit !(n > 20 && n < 80) }'
t "a condition of the kernel's would have fired each time" is "$(condition_q kernel fired)" 3
t "it would have been decided at once" is "$(condition_q kernel late)" 0
t "its twin would not" is "$(condition_q never fired)" 0
t "one of tracer's would" awk -v n="$(condition_q often fired)" 'BEGIN { exit !(n >= 1) }'
t "its twin would not either" is "$(condition_q "very often" fired)" 0
t "an event costs something" awk -v n="$(q .event_cost)" 'BEGIN { exit !(n > 5 && n < 100000) }'
t "and so does tracer" awk -v n="$(q .cpu)" 'BEGIN { exit !(n > 0) }'
run "$tracer" status
t "nothing of it is left" has "$T/out" '^no capture runs here, and nothing was left behind$'

run "$tracer" check --measure 300ms "$T/trial.lua"
t "as a page: a trial succeeds" code 0
t "as a page: with the plan first" has "$T/out" '^What it reads'
t "as a page: what the rings hold" has "$T/out" '^  numbers +[0-9.]+ records/s; its 1M hold'
t "as a page: what would not have fired" has "$T/out" "^  'never' would not have fired"
t "as a page: what an event costs" has "$T/out" 'an event costs about [0-9]+ ns here'
begin early "$tracer" check --measure 60s "$T/trial.lua"
await 20 grep -q '^trying' "$T/early.err"
run "$tracer" fire
t "a trial cannot be fired" sentence 'only a trial'
kill -INT $pid
t "Ctrl+C ends it early" ended $pid 20
t "and it tells what it has" has "$T/early.out" "^  'never' would not have fired"
run "$tracer" check --measure 1s --host "$T" "$T/trial.lua"
t "a trial of another host is refused" code 2
t "in one sentence" sentence 'a trial is of this host'
finish
