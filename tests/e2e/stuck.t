# The outside is stuck: the rings still end at the event, the exit is bounded.
. "$(dirname "$0")/../lib.sh"
need trace-cmd

numbers_recipe stuck
provoked() { run "$provoke/numbers" --rate 50000 --stop 2000 --storm 20000 && cp "$T/out" "$T/said"; }

# whole NAME: the bundle has the numbers up to the stop.
whole() {
	unpack "$1" || return 1
	numbers_of "$b/trace/numbers.dat" | awk '$3 == 100' >"$T/numbers"
	is "$(contiguous 4 <"$T/numbers")" "1 $(said "$T/said" stop number)"
}

# A pager that nobody scrolls: the pipe is full from the start.
recording() { grep -qx 1 "$tracefs"/instances/tracer-*numbers/tracing_on; }
mkfifo "$T/pipe"
exec 8<>"$T/pipe"
dd if=/dev/zero of="$T/pipe" bs=4096 oflag=nonblock 2>/dev/null
mkdir "$T/pager"
"$tracer" -o "$T/pager" "$T/stuck.lua" >"$T/pager.out" 2>&8 </dev/null 8<&- 9<&- &
pid=$!
await 10 recording
sleep 0.3
provoked
t "a full pipe: it ends" ended $pid 25
t "a full pipe: exit code 0" code 0
t "a full pipe: the bundle is whole" whole pager
exec 8<&-

# stderr on a file system that is frozen before the event.
loop_fs frozen ext4 16M
mkdir "$T/log"
env --default-signal=INT "$tracer" -o "$T/log" "$T/stuck.lua" >"$T/log.out" 2>"$T/frozen/log" </dev/null 9<&- &
pid=$!
await 20 grep -q "^recording " "$T/frozen/log"
sync -f "$T/frozen"
fsfreeze -f "$T/frozen"
provoked
t "a frozen log: it ends" ended $pid 25
t "a frozen log: exit code 0" code 0
t "a frozen log: the bundle is whole" whole log
thaw "$T/frozen"

# The engine does not run when it happens.
capture engine "$T/stuck.lua"
kill -STOP $pid
provoked
sleep 1
kill -CONT $pid
t "a stopped engine: it ends" ended $pid 25
t "a stopped engine: exit code 0" code 0
t "a stopped engine: the bundle is whole" whole engine

# Of each other process there is a capture in which it does not; one event ends them all.
n=1 engines=() workers=() names=()
while :; do
	before=$(tracers)
	capture "worker$n" "$T/stuck.lua"
	worker=$(tracers | grep -vxF -e $pid -e "$before" | sed -n ${n}p)
	last=$pid
	[ -n "$worker" ] || break
	engines[n]=$pid workers[n]=$worker names[n]=$(cat "/proc/$worker/comm")
	kill -STOP $worker
	n=$((n + 1))
done
provoked
for i in ${!engines[@]}; do
	pid=${engines[i]}
	await 15 gone $pid || kill -INT $pid # without watch, somebody has to say it
	t "a stopped process $i (${names[i]}): it ends" ended $pid 40
	t "it is whole or says that it is not" [ $rc = 0 -o $rc = 4 -o $rc = 5 ]
	t "its numbers end at the event" whole "worker$i"
	kill -CONT ${workers[i]} 2>/dev/null
done
t "one of which nothing was stopped ends too" ended $last 40
t "there were workers" [ $n -gt 2 ]
finish
