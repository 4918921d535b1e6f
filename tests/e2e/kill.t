# kill -9, of all processes and of one: what was recorded is recovered, and nobody else notices.
. "$(dirname "$0")/../lib.sh"
need trace-cmd tshark

# Another tool's instance, in use.
other=$tracefs/instances/other-$$
mkdir "$other"
at_exit rmdir "$other"
echo 64 >"$other/buffer_size_kb"
echo 1 >"$other/events/syscalls/sys_enter_getuid/enable"
echo 'traceoff:1 if common_pid == 1' >"$other/events/syscalls/sys_enter_getuid/trigger"
other_state() { cat "$other"/{tracing_on,trace_clock,set_event,buffer_size_kb,events/syscalls/sys_enter_getuid/trigger}; }
other_state >"$T/other.before"

# recover NAME: its bundle, with its numbers and packets; what is whole is 5, what is not is 4.
recover() {
	run "$tracer" recover -o "$T/$1" "$(id_of "$1")"
	cat "$T/err"
	{ code 5 || code 4; } && unpack "$1" || return 1
	numbers_of "$b/trace/numbers.dat" | awk '$3 == 100' >"$T/numbers"
	packets_of "$b"/packets/*.pcapng >"$T/packets"
}

# Wall to boot clock, from the manifest's last anchor, in whole us: awk has no 64 bits.
packets_until() {
	local wall boot

	read -r wall boot < <(m '.clocks.anchors[-1] | "\(.wall / 1000 | floor) \(.boot / 1000 | floor)"')
	awk -v wall="$wall" -v boot="$boot" '{ t = substr($1, 1, length($1) - 3) } END { printf "%.0f\n", t - wall + boot }' "$T/packets"
}

numbers_recipe killed 'keep = "32M"'
numbers_recipe living
begin provoker "$provoke/numbers" --rate 30000 --packet-every 10 --max-time 50
provoker=$pid

# All of a capture, while another lives.
capture living "$T/living.lua"
living=$pid
tracers | sort >"$T/theirs"
capture killed "$T/killed.lua"
tracers | sort | comm -13 "$T/theirs" - >"$T/mine"
sleep "0.$((RANDOM % 9 + 1))"
kill -9 $(cat "$T/mine")
at=$(boot_ns)
run "$tracer" status
t "status names the capture that was killed" has "$T/out" 'recover'
t "recover gives its bundle" recover killed
t "of numbers without a gap" contiguous 4 <"$T/numbers"
t "up to the kill" awk -v at="$at" '{ l = $1 } END { print at, l; exit l < at - 2e7 }' "$T/numbers"
t "of packets without a gap" contiguous 2 <"$T/packets"
t "up to one packet block before the kill" [ "$(packets_until)" -gt $((at / 1000 - 250000)) ]
t "it says that it was killed" manifest .ended_by killed
run "$tracer" recover -o "$T" "$(id_of killed)"
t "then there is nothing to recover of it" code 1
t "and it says so" sentence "$(id_of killed)"
t "the other capture lives" kill -0 $living
kill -INT $living
t "and ends as if nothing had been" ended $living 20
t "whole" code 5

# The engine alone: the others keep their rings, and leave.
capture engine "$T/killed.lua"
sleep 0.3
kill -9 $pid
at=$(boot_ns)
nobody() { [ -z "$(tracers)" ]; }
t "without the engine the workers leave" await 10 nobody
t "recover gives the bundle" recover engine
t "of numbers without a gap" contiguous 4 <"$T/numbers"
t "up to the kill" awk -v at="$at" '{ l = $1 } END { print at, l; exit l < at - 2e7 }' "$T/numbers"

# The engine, just when there is a tarball: recover has no more to do than to name it, wherever it is told to put one.
kill $provoker
capture sealed --compress gzip "$T/killed.lua" # which takes its time
state=$(ls -d /run/tracer/"$(id_of sealed)" /dev/shm/tracer-"$(id_of sealed)" 2>/dev/null)
"$provoke/numbers" --stop 1000000 --storm 10 >"$T/said" 9<&-
partial() { ls "$T"/sealed/*.partial; }
await 20 partial
kill -STOP $pid
t "behind its back there is a tarball" await 20 test -e "$state/sealed"
kill -9 $pid
await 10 nobody # who removes the raw data goes on
mkdir "$T/elsewhere"
run "$tracer" recover -o "$T/elsewhere" "$(id_of sealed)"
t "recover names it" [ -f "$(cat "$T/out")" ]
t "where it is" is "$(dirname "$(cat "$T/out")")" "$T/sealed"
t "that was a stop by its condition" code 0
t "it is all that is left" is "$(find "$T/sealed" "$T/elsewhere" -mindepth 1 | wc -l)" 1

# Each other process alone, at a random instant: the numbers are whole up to their stop.
n=1
while :; do
	capture "one$n" "$T/killed.lua"
	worker=$(tracers | grep -vx $pid | sed -n ${n}p)
	if [ -z "$worker" ]; then
		kill -INT $pid
		ended $pid 20
		break
	fi
	what=$(tr '\0' ' ' <"/proc/$worker/comm")
	sleep "0.0$((RANDOM % 9 + 1))"
	kill -9 $worker
	run "$provoke/numbers" --rate 30000 --stop 2000 --storm 2000 --packet-every 10
	gone $pid || kill -INT $pid
	t "without process $n ($what) it ends" ended $pid 30
	t "it is whole, or says that it is not" [ $rc = 0 -o $rc = 4 -o $rc = 5 ]
	t "its bundle unpacks" unpack "one$n" || finish
	numbers_of "$b/trace/numbers.dat" | awk '$3 == 100' >"$T/numbers"
	t "its numbers have no gap" contiguous 4 <"$T/numbers"
	n=$((n + 1))
done
t "there were workers" [ $n -gt 2 ]
t "another tool's instance is as it was" same "$T/other.before" <(other_state)
finish
