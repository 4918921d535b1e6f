# Conditions on what tracer itself looks at: numbers in files, the kernel's pressure, paths that appear, and processes
# that crash; each with its twin.
. "$(dirname "$0")/../lib.sh"
need trace-cmd

# goes_on NAME: it has not fired.
goes_on() {
	t "$1: its twin does not fire" kill -INT $pid
	t "$1: its twin ends by Ctrl+C" ended $pid 20
	t "$1: that is exit code 5" code 5
}

recipe gauge <<LUA
-- When is the number too high?
return {
  collect = t.files { "/proc/uptime", every = "100ms" },
  stop = {
    t.gauge { name = "queue", "$T/gauges", line = "queue", above = 100, every = "50ms", hold = "300ms" },
    t.gauge { name = "room", "$T/gauges", line = "room", below = "1M", every = "50ms" },
    t.gauge { name = "third", "$T/gauges", regex = "third=([0-9.]+)", above = 2.5, every = "50ms" },
  },
}
LUA
gauges() { printf 'queue %s\nroom: %s kB\nfirst=1 third=%s\n' "$@" >"$T/gauges.new" && mv "$T/gauges.new" "$T/gauges"; }
gauges 7 4096 1.25
capture quiet "$T/gauge.lua"
gauges 101 1024 2.5
sleep 0.15
gauges 100 1024 2.5
sleep 0.5
run "$tracer" status
t "the status has the numbers" has "$T/out" 'third 2.5, above 2.5'
goes_on gauge
gauges 7 4096 1.25
capture queue "$T/gauge.lua"
at=$(boot_ns)
gauges 101 4096 1.25
fired queue queue
t "queue: it has held for 300 ms" within "$(m .stop.event.boot)" $((at + 325000000)) 75000000
gauges 7 4096 1.25
capture room "$T/gauge.lua"
gauges 7 1023 1.25
fired room room
gauges 7 4096 1.25
capture third "$T/gauge.lua"
gauges 7 4096 2.51
fired third third
gauges 7 1 1
run "$tracer" check "$T/gauge.lua"
t "what is true already is refused" code 3
t "by its name and its number" sentence "'room' is true already: the number is 1024"
rm "$T/gauges"
run "$tracer" check "$T/gauge.lua"
t "a file that is not there is refused" code 3
t "with its line" sentence 'gauge.lua:[0-9]+: .*absent|No such file'

mkdir "$T/dumps"
: >"$T/dumps/core.1"
recipe appears <<LUA
-- Which dump came first?
return { collect = t.files "/proc/uptime", stop = t.appears { "$T/dumps/core.*", every = "50ms" } }
LUA
capture appears-quiet "$T/appears.lua"
: >"$T/dumps/core.1"
: >"$T/dumps/other"
sleep 0.3
goes_on appears
capture appears "$T/appears.lua"
: >"$T/dumps/core.2"
fired appears "$T/dumps/core.*"
t "appears: its name is in the summary" has "$b/summary.txt" 'dumps/core.2 has appeared'

cp "$(command -v sleep)" "$T/crasher"
recipe crash <<'LUA'
-- Of what does it die?
return {
  collect = t.ftrace { name = "signals", keep = "256K", "signal:*" },
  stop = t.crash { comm = "crasher" },
}
LUA
dies_of() { # SIGNAL
	(ulimit -c 0 && exec "$T/crasher" 30) &
	sleep 0.2
	kill -$1 $!
	wait $! 2>/dev/null
}
handles() { bash -c 'trap : SEGV; exec -a crasher sleep 0.2 & kill -SEGV $$; wait' 2>/dev/null; }
capture crash-quiet "$T/crash.lua"
dies_of TERM
handles
sleep 0.2
goes_on crash
capture crash "$T/crash.lua"
dies_of SEGV 2>/dev/null
fired crash 'crash of crasher'
t "crash: the kernel has decided it" manifest .stop.tier 1
t "crash: the signal is there" has <(m .stop.text) 'sig=11'
sed 's/comm = "crasher"/comm = "crasher", signals = { "ABRT", "QUIT" }/' "$T/crash.lua" >"$T/killed.lua"
capture killed "$T/killed.lua"
dies_of SEGV 2>/dev/null
t "crash: another signal than those is none" watching killed
dies_of ABRT 2>/dev/null
fired killed 'crash of crasher'
sed 's/comm = "crasher"/comm = "crasher", signals = "any"/' "$T/crash.lua" >"$T/any.lua"
capture any "$T/any.lua"
handles
t "crash: what is handled is none of any" watching any
dies_of TERM 2>/dev/null
fired any 'crash of crasher'
sed 's/comm = "crasher"/signals = "SEGVV"/' "$T/crash.lua" >"$T/wrong.lua"
run "$tracer" check "$T/wrong.lua"
t "crash: a signal that there is not is refused" code 2
t "crash: with the nearest" sentence "did you mean 'SEGV'"

if [ -w /proc/pressure/cpu ]; then
	recipe pressure <<'LUA'
-- Who waits for it?
local what = t.args { "what:string" }
return { collect = t.files "/proc/loadavg", stop = t.pressure { name = "busy", what, some = "1s", per = "2s" } }
LUA
	capture pressure-quiet "$T/pressure.lua" memory # of which nobody takes more
	sleep 0.5
	goes_on pressure
	capture pressure "$T/pressure.lua" cpu
	for i in $(seq $(($(nproc) * 3))); do
		timeout 8 sh -c 'while :; do :; done' &
	done
	fired pressure busy
	kill $(jobs -p) 2>/dev/null
	wait
else
	skip "pressure" "this kernel does not tell of it"
fi

# A task that hangs: it writes to a file system that is frozen.
recipe hung <<'LUA'
-- Who hangs, and where?
return {
  collect = t.files { every = "200ms", "/proc/loadavg" },
  stop = t.hung { name = "hung", over = "1s", comm = "dd" },
}
LUA
loop_fs ice ext4 64M
at_exit thaw "$T/ice"
capture hung-quiet "$T/hung.lua"
(exec -a dd sleep 1.5) & # asleep, but it can be woken
sleeper=$!
fsfreeze -f "$T/ice"
timeout 20 dd if=/dev/zero of="$T/ice/file" bs=4k count=1 conv=fsync 2>/dev/null &
writer=$!
sleep 0.6
fsfreeze -u "$T/ice"
wait $writer $sleeper
sleep 0.8
goes_on hung
capture hung "$T/hung.lua"
fsfreeze -f "$T/ice"
timeout 20 dd if=/dev/zero of="$T/ice/file2" bs=4k count=1 conv=fsync 2>/dev/null &
writer=$!
at=$(boot_ns)
fired hung hung
fsfreeze -u "$T/ice"
wait $writer
t "hung: it names the task and what it waits for" has <(m .stop.text) '^task dd \(pid=[0-9]+\) hangs for 1[0-9]{3} ms: .*(freeze|rwsem|percpu)'
t "hung: it took no longer than that and a look or two" within "$(($(m .stop.event.boot) / 1000000))" $((at / 1000000 + 1300)) 350

# The end of a process, by its pid and by its exit code.
sleep 30 &
watched=$!
recipe exit <<'LUA'
-- When does it end?
local pid = t.args { "pid:pid" }
return {
  collect = t.ftrace { name = "ends", keep = "256K", "sched:sched_process_exit" },
  stop = { t.exit { pid = pid }, t.exit { name = "seven", comm = "seven", code = 7 } },
}
LUA
mkdir "$T/bin"
cp "$(command -v bash)" "$T/bin/seven"
capture exit-quiet "$T/exit.lua" $watched
"$T/bin/seven" -c 'exit 6'
bash -c 'exit 7'
sleep 0.2
goes_on exit
capture exit "$T/exit.lua" $watched
kill $watched
fired exit "end of $watched"
capture seven "$T/exit.lua" 1
"$T/bin/seven" -c 'exit 7'
fired seven seven

# Of a name, a program, a cgroup: its last thread counts, and no other process.
cp "$provoke/threads" "$T/bin/pool"
recipe ends <<LUA
-- Which of them ended?
local by, code = t.args { "by:string", "code:string=" }
local which = { comm = "pool", exe = "$T/bin/pool", cgroup = "/tracer-test-$$" }
return {
  collect = t.ftrace { name = "ends", keep = "1M", "sched:sched_process_exit" },
  stop = t.exit { name = by, [by] = which[by], code = code ~= "" and math.tointeger(tonumber(code)) or nil },
}
LUA
# pool NAME N CODE: begins one, and waits until its threads have come and gone.
pool() {
	mkfifo "$T/$1.in"
	(exec 9<&-; "$T/bin/pool" "$2" "$3" <"$T/$1.in" >"$T/$1.out" 2>&1; echo "code=$?" >>"$T/$1.out") &
	exec 8>"$T/$1.in"
	await 20 grep -q ready "$T/$1.out"
}
let_go() { echo >&8; exec 8>&-; }
for by in comm exe; do
	pool $by-before 10 0 # before the capture begins
	capture $by "$T/ends.lua" $by
	await 5 sh -c "'$tracer' status | grep -q '1 process there'"
	t "$by: the status tells how many there are" has <("$tracer" status) '1 process there'
	"$T/bin/seven" -c 'exit 0'
	(exec 9<&-; "$provoke/threads" 10000 0 </dev/null >/dev/null) # 10,000 threads of another one
	t "$by: the ends of others do not end it" watching $by
	let_go
	fired $by $by
	t "$by: it names the process" has <(m .stop.text) "^process $(sed -n 's/.*pid=//p' "$T/$by-before.out" | head -n 1) of $by "
	capture $by-new "$T/ends.lua" $by
	await 5 sh -c "'$tracer' status | grep -q 'no such process'"
	pool $by-after 10000 0
	t "$by: the ends of its own threads do not end it" watching $by-new
	let_go
	fired $by-new $by
done
capture code "$T/ends.lua" exe code=5
pool code-other 1 6
let_go
await 5 grep -q code=6 "$T/code-other.out"
t "code: another code does not end it" watching code
pool code-this 1 5
let_go
fired code exe
groups=/sys/fs/cgroup/tracer-test-$$
[ -e /sys/fs/cgroup/cgroup.procs ] || groups=/sys/fs/cgroup/memory/tracer-test-$$
if mkdir "$groups" 2>/dev/null; then
	at_exit rmdir "$groups"
	capture cgroup "$T/ends.lua" cgroup
	pool group-other 1 0
	let_go
	t "cgroup: one outside does not end it" watching cgroup
	pool group 1 0
	sed -n 's/.*pid=//p' "$T/group.out" | head -n 1 >"$groups/cgroup.procs"
	await 5 sh -c "'$tracer' status | grep -q '1 process there'"
	let_go
	fired cgroup cgroup
else
	skip "the end of a process in a cgroup" "no cgroup can be made here"
fi
finish
