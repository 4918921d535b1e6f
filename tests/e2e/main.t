# The main job: the shipped scoutfs.lua, unchanged, from arming to the tarball.
. "$(dirname "$0")/../lib.sh"
need trace-cmd tshark

scoutfs_probes
netns_pair
begin server nsenter --net=/run/netns/$srv "$provoke/scoutfsd" server 10.77.0.1 19700 10.77.0.2 --clients 2 --storm 20000
server=$pid
await 5 has "$T/server.out" ready
capture_in $srv main "$top/recipes/scoutfs.lua" 10.77.0.1 19700
engine=$pid

run nsenter --net=/run/netns/$cli "$provoke/scoutfsd" client 10.77.0.2 19700 10.77.0.1 --clean-after 50
t "a client unmounts cleanly" has "$T/out" 'event=scoutfs_conn_shutdown_complete flags=0x1 '
sleep 0.5
t "that does not end the capture" kill -0 $engine

run nsenter --net=/run/netns/$cli "$provoke/scoutfsd" client 10.77.0.2 19700 10.77.0.1 --die-after 50
t "the server cuts a client off" await 10 has "$T/server.out" 'flags=0x25'
t "that ends the capture" ended $engine 30
t "a fired condition and a whole bundle are exit code 0" code 0
t "stdout is the path of the bundle and nothing else" is "$(cat "$T/main.out")" "$(ls "$T"/main/*.tar.zst)"
t "the bundle is for root alone" is "$(stat -c %a "$T"/main/*.tar.zst)" 600
t "nothing but the bundle is left in the output directory" is "$(ls -A "$T/main" | wc -l)" 1
t "the server ends too" ended $server 10

t "the bundle unpacks" unpack main || finish
t "it says what fired" manifest .stop.condition "client lost"
t "and that it was a condition" manifest .ended_by condition
before=$(said "$T/server.out" 'event=scoutfs_conn_shutdown_complete' before)
after=$(said "$T/server.out" 'event=scoutfs_conn_shutdown_complete' after)
t "and when, between the server's own two clock readings" \
	awk -v e="$(m .stop.event.boot)" -v b="$before" -v a="$after" 'BEGIN { if (e < b || e > a) { print b, e, a; exit 1 } }'
t "and the fields of the event" has <(m .stop.text) 'flags=37'
t "every source is whole" is "$(m '.sources[] | select(.outcome != "ok") | .name, .note')" ""

trace-cmd report -i "$b/trace/hot.dat" >"$T/hot" 2>"$T/trace-cmd.err"
trace-cmd report -i "$b/trace/rare.dat" >"$T/rare" 2>>"$T/trace-cmd.err"
t "trace-cmd has nothing to complain about" is "$(cat "$T/trace-cmd.err")" ""
t "the stop event is in the ring of rare events" has "$T/rare" 'scoutfs_conn_shutdown_complete:.*flags=37'
t "so is the clean unmount" has "$T/rare" 'scoutfs_conn_shutdown_complete:.*flags=1 '
t "the server's messages before the event are in the hot ring without a gap" contiguous 1 < <(
	grep 'scoutfs_net_send_message.*rid=4096 ' "$T/hot" | sed 's/.*nh_seq=\([0-9]*\).*/\1/' | sort -n | uniq)
t "heartbeats are in the packets" has <(tshark -r "$b"/packets/*.pcapng -Y 'udp.port == 19700 && ip.src == 10.77.0.1' 2>/dev/null) 'Len=32'
t "so are the messages, both ways" has <(tshark -r "$b"/packets/*.pcapng -Y 'tcp.len == 32 && ip.dst == 10.77.0.1' 2>/dev/null) 'Len=32'
t "the last moments have the event" has "$b/last.txt" 'scoutfs_conn_shutdown_complete'
t "they are in the summary's company" has "$b/summary.txt" 'client lost'
for f in summary.txt manifest.json last.txt recipe/scoutfs.lua recipe/plan.json trace/rare.txt trace/hot.txt tracer.log \
	logs/kernel.log files/stop/proc/uptime; do
	t "the bundle has $f" test -s "$b/$f"
done

# What does not come: heartbeats, once there were some.
begin server nsenter --net=/run/netns/$srv "$provoke/scoutfsd" server 10.77.0.1 19700 10.77.0.2 --clients 2
server=$pid
await 5 has "$T/server.out" ready
capture_in $srv beat "$top/recipes/scoutfs.lua" 10.77.0.1 19700 quiet=1s
sleep 1.2
run "$tracer" status
t "before the first heartbeat there is no silence" has "$T/out" 'no heartbeat none seen yet, cannot fire'
run nsenter --net=/run/netns/$cli "$provoke/scoutfsd" client 10.77.0.2 19700 10.77.0.1 --clean-after 50
t "without heartbeats for a second it ends" ended $pid 20
t "that is a fired condition" code 0
t "its bundle unpacks" unpack beat || finish
t "it says so" manifest .stop.condition "no heartbeat"
kill $server
finish
