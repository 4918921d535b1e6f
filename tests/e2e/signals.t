# Signals: the first stops early and leaves a full bundle, more are more impatient; a terminal may go.
. "$(dirname "$0")/../lib.sh"
need script

numbers_recipe signals 'keep = "64M"'
begin provoker "$provoke/numbers" --rate 200000 --packet-every 100 --max-time 50
provoker=$pid

for signal in INT TERM QUIT; do
	capture $signal "$T/signals.lua"
	sleep 0.3
	kill -$signal $pid
	t "SIG$signal ends it" ended $pid 30
	t "with exit code 5" code 5
	t "and a bundle" unpack $signal || finish
	t "that says so" manifest .ended_by user
	t "and is whole" manifest .whole true
	t "with text" test -s "$b/trace/numbers.txt"
done

capture USR1 "$T/signals.lua"
for signal in USR2 ALRM XFSZ HUP; do
	kill -$signal $pid
done
lines=$(wc -l <"$T/USR1.err")
kill -USR1 $pid
more() { [ "$(wc -l <"$T/USR1.err")" -gt "$lines" ]; }
t "SIGUSR1 prints the status" await 5 more
t "and does not end it" kill -0 $pid
sleep 2
kill -INT $pid
sleep 0.15
kill -INT $pid 2>/dev/null
t "a second SIGINT ends it too" ended $pid 30
t "with a bundle" unpack USR1 || finish
t "of the raw data" test -s "$b/trace/numbers.dat"

capture thrice "$T/signals.lua"
sleep 2
for i in 1 2 3; do
	kill -INT $pid 2>/dev/null
	sleep 0.02
done
t "a third leaves it" ended $pid 10
run "$tracer" recover -o "$T/thrice" "$(id_of thrice)"
t "for recover" unpack thrice || finish

# In each stage of the start.
kill $provoker
for delay in 0.005 0.02 0.05 0.1 0.2 0.4; do
	mkdir "$T/at$delay"
	begin early "$tracer" -o "$T/at$delay" "$T/signals.lua"
	sleep $delay
	kill -INT $pid 2>/dev/null
	t "SIGINT after $delay s ends it" ended $pid 20
	t "with a bundle, or nothing was started" [ $rc = 5 -o $rc = 4 -o $rc = 1 -o $rc = 130 ]
	[ $rc = 5 ] || t "and nothing is left" is "$(ls -A "$T/at$delay")" ""
done

# A terminal that goes away.
mkdir "$T/terminal"
script -qfc "exec '$tracer' -o '$T/terminal' '$T/signals.lua'" "$T/terminal.err" >/dev/null 2>&1 </dev/null 9<&- &
terminal=$!
armed_there() { "$tracer" status --json | grep -q "$(id_of terminal)"; }
await 15 armed terminal
t "a capture on a terminal is in the status" armed_there
kill -9 $terminal
sleep 1
t "when the terminal is gone, it still is" armed_there
run "$tracer" stop "$(id_of terminal)"
t "tracer stop ends it" code 0
nobody() { [ -z "$(tracers)" ]; }
t "it leaves" await 20 nobody
t "its bundle" unpack terminal || finish
t "that says who ended it" manifest .ended_by user
finish
