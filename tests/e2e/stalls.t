# The shipped recipes for what stands still, multiplies or dies, each provoked for real, with its twin.
. "$(dirname "$0")/../lib.sh"
need trace-cmd fsfreeze tshark

# A connection whose other side is gone, from one moment to the next.
netns_pair
nsenter --net=/run/netns/$srv "$provoke/stream" take 10.77.0.1 19700 >"$T/taken" 9<&- &
await 5 has "$T/taken" ready
capture_in $cli tcp-stall "$top/recipes/tcp-stall.lua" 10.77.0.1 19700 limit=1s
engine=$pid
nsenter --net=/run/netns/$cli "$provoke/stream" send 10.77.0.1 19700 --for 12000 >"$T/sent" 9<&- &
sender=$!
sleep 2
pid=$engine
t "tcp-stall: while all is acknowledged it goes on" watching tcp-stall
ip -n $srv addr del 10.77.0.1/24 dev cable # nobody takes what is sent
fired tcp-stall stall
t "tcp-stall: the stop names the ports" has <(m .stop.text) 'sport=[0-9]+ dport=19700: nothing has answered within 1s'
cut=$(awk -F'[= ]' -v e="$(m .stop.event.boot)" '{ if ($4 < e - 1e9 + 2e7) l = $4 } END { print l }' "$T/sent")
t "tcp-stall: a second after the first data that was not acknowledged" within "$(($(m .stop.event.boot) / 1000))" $((cut / 1000 + 1000000)) 60000
t "tcp-stall: the retransmissions are in the ring" has "$b/trace/tcp.txt" 'tcp_retransmit_skb:.*dport=19700'
kill $sender 2>/dev/null
ip -n $srv addr add 10.77.0.1/24 dev cable

# A connection whose other side is killed: what is sent then comes back as a reset.
nsenter --net=/run/netns/$srv "$provoke/stream" take 10.77.0.1 19701 >"$T/taken2" 9<&- &
taker=$!
await 5 has "$T/taken2" ready
capture_in $cli tcp-reset "$top/recipes/tcp-reset.lua" 10.77.0.1 19701
engine=$pid
nsenter --net=/run/netns/$cli "$provoke/stream" send 10.77.0.1 19701 --for 10000 >"$T/sent2" 9<&- &
sender=$!
sleep 0.5
pid=$engine
t "tcp-reset: a connection that goes well is none" watching tcp-reset
kill -9 $taker
t "tcp-reset: it fires" ended $pid 20
t "tcp-reset: exit code 0" code 0
t "tcp-reset: the bundle unpacks" unpack tcp-reset || finish
t "tcp-reset: by one of its conditions" has <(m .stop.condition) 'reset received|connection broken off'
t "tcp-reset: the reset is among the packets" has <(tshark -r "$b"/packets/connection.pcapng -Y 'tcp.flags.reset == 1 && tcp.srcport == 19701' 2>/dev/null) RST
kill $sender 2>/dev/null

# More processes than usual.
capture fork-storm "$top/recipes/fork-storm.lua" limit=150
for i in $(seq 40); do (:); done
sleep 1
t "fork-storm: some processes are none" watching fork-storm
engine=$pid
(while :; do (:); done) &
storm=$!
pid=$engine
fired fork-storm "fork storm"
kill $storm
t "fork-storm: it lasted three seconds" has <(m .stop.text) 'more than 150 in 1s, for 3s'
t "fork-storm: the ring says who it was" has "$b/trace/processes.txt" 'sched_process_fork: comm=bash '

# The end of a process.
cp "$(command -v sleep)" "$T/mortal"
capture process-died "$top/recipes/process-died.lua" mortal
engine=$pid
sleep 0.1
pid=$engine
t "process-died: the end of another is none" watching process-died
(ulimit -c 0 && exec "$T/mortal" 30) &
mortal=$!
sleep 0.3
kill -ABRT $mortal
wait $mortal 2>/dev/null
pid=$engine
fired process-died crash
t "process-died: the stop has the signal" has <(m .stop.text) 'signal:signal_deliver sig=6 '
t "process-died: its last calls are in the ring" has "$b/trace/calls.txt" 'mortal-.*sys_enter'
t "process-died: so is its end" has "$b/trace/ends.txt" "sched_process_exit: comm=mortal pid=$mortal "

# Memory that runs out in a cgroup ends it at the event, as it does oom.
capture memory-pressure "$top/recipes/memory-pressure.lua" least=1M
engine=$pid
oom_in 32M "$provoke/oom" 8388608 >/dev/null 2>&1
pid=$engine
t "memory-pressure: a task that has enough is none" watching memory-pressure
oom_in 32M "$provoke/oom" 268435456 >/dev/null 2>&1
pid=$engine
t "memory-pressure: it fires" ended $pid 40
t "memory-pressure: the bundle unpacks" unpack memory-pressure || finish
t "memory-pressure: by memory that is short" has <(m .stop.condition) 'out of memory|stall'

# A request that does not end: the disk's own file is on a file system that is frozen.
loop_fs below ext4 128M
truncate -s 32M "$T/below/disk"
disk=$(losetup -f --show "$T/below/disk")
at_exit losetup -d "$disk"
access() { dd bs=64k count=1 status=none "$@"; }
capture slow-disk "$top/recipes/slow-disk.lua" limit=2s
engine=$pid
access if=/dev/zero of="$disk" oflag=direct seek=3
pid=$engine
t "slow-disk: a request that ends is none" watching slow-disk
at_exit thaw "$T/below"
fsfreeze -f "$T/below"
access if=/dev/zero of="$disk" oflag=direct seek=100 2>/dev/null &
stuck=$!
pid=$engine
fired slow-disk "request hangs"
fsfreeze -u "$T/below"
wait $stuck
t "slow-disk: the stop names disk and sector" has <(m .stop.text) 'dev=[0-9]+ sector=12800: nothing has answered within 2s'
t "slow-disk: the request is in the ring" has "$b/trace/block.txt" 'block_rq_issue: .* 12800 \+ '
finish
