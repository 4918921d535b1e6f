# Ground truth: numbered events and packets, as fast as they go, and a storm of ten times the ring after the stop.
. "$(dirname "$0")/../lib.sh"
need trace-cmd tshark

numbers_recipe truth 'keep = "2M"'
capture truth "$T/truth.lua"
engine=$pid
run "$provoke/numbers" --workers 2 --stop 1500000 --storm 600000 --packet-every 100
cp "$T/out" "$T/said"
t "the capture ends at the number" ended $engine 40
t "with exit code 0" code 0
t "the bundle unpacks" unpack truth || finish

numbers_of "$b/trace/numbers.dat" >"$T/numbers"
awk '$3 == 100' "$T/numbers" >"$T/worker0"
awk '$3 == 101' "$T/numbers" >"$T/worker1"
stop=$(said "$T/said" stop number)
t "worker 0's numbers are contiguous" contiguous 4 <"$T/worker0" || finish
read -r first0 last0 < <(contiguous 4 <"$T/worker0")
t "up to the stop and not beyond" is "$last0" "$stop"
t "its last event is the one to stop at" is "$(awk '$2 == 0 { l = $3 " " $4 } END { print l }' "$T/numbers")" "99 $stop"
t "worker 1's numbers are contiguous" contiguous 4 <"$T/worker1" || finish
read -r first1 _ < <(contiguous 4 <"$T/worker1")
t "and none is after the stop" awk -v e="$(m .stop.event.boot)" '{ l = $1 } END { print e, l; exit l > e + 2e5 }' "$T/worker1"
t "the numbers that are missing are as many as the manifest states" \
	is $((first0 - 1 + first1 - 1)) "$(source_of numbers overwritten)"
t "those that are there too" is "$(wc -l <"$T/numbers")" "$(source_of numbers records)"
t "nothing is lost" source_is numbers lost 0
t "at 300,000 events a second and more" awk '{ if (NR == 1) { t = $1 } n++; e = $1 } END {
	rate = n * 1e9 / (e - t); print rate; exit rate < 300000 }' "$T/worker0"
t "the manifest has the moment of the event" within "$(m .stop.event.boot)" "$(awk '$3 == 99 { print $1 }' "$T/numbers")" 50000

packets_of "$b"/packets/*.pcapng >"$T/packets"
t "the packets are contiguous" contiguous 2 <"$T/packets" || finish
read -r first last < <(contiguous 2 <"$T/packets")
t "up to the stop and not beyond" is "$last" "$(said "$T/said" stop packets)"
t "the packets that are missing are as many as the manifest states" is $((first - 1)) "$(source_of packets overwritten)"
t "those that are there too" is "$(wc -l <"$T/packets")" "$(source_of packets records)"
t "no packet is lost" source_is packets lost 0

# Records that leave no room in their pages for the number of those before them.
recipe reads <<'LUA'
-- How many were there before?
return {
  collect = t.ftrace { name = "numbers", keep = "256K", "syscalls:sys_enter_read", "syscalls:sys_exit_read" },
  stop = t.event { name = "number", "syscalls:sys_enter_setpriority", filter = "which == 99" },
}
LUA
for i in 1 2 3; do
	capture reads$i "$T/reads.lua"
	dd if=/dev/zero of=/dev/null bs=1 count=200000 status=none
	run "$provoke/numbers" --stop 1 --storm 0
	t "records of odd sizes: the capture ends" ended $pid 20
	t "the bundle unpacks" unpack reads$i || finish
	overrun=$(trace-cmd report --stat -i "$b/trace/numbers.dat" 2>/dev/null | awk '/^ *overrun: / { n += $2 } END { print n }')
	t "what was overwritten is what the kernel says" is "$(source_of numbers overwritten)" "$overrun"
	t "and that is much" [ "$overrun" -gt 300000 ]
done
finish
