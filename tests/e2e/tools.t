# Other tools agree: trace-cmd with the kernel, tshark with what was sent, tar and sha256sum with the manifest.
. "$(dirname "$0")/../lib.sh"
need trace-cmd tshark sha256sum

netns_pair
ip -n $srv addr add 10.77.0.3/24 dev cable
recipe tools <<'LUA'
-- Do other tools see the same?
local four, six, vlan, port = t.args { "four:address", "six:address", "vlan:address", "port:port" }
return {
  collect = {
    t.ftrace { name = "sched", keep = "2M", "sched:sched_switch", "sched:sched_waking", "irq:softirq_*" },
    t.ftrace { name = "rare", keep = "64K", "syscalls:sys_enter_setpriority" },
    t.packets { host = { four, six, vlan }, port = port, interface = "cable", keep = "4M" },
    t.log { "kernel" },
    t.files { at = "both", "/proc/uptime" },
  },
  stop = t.event { name = "end", "syscalls:sys_enter_setpriority", filter = "which == 99" },
}
LUA
capture_in $srv tools "$T/tools.lua" 10.77.0.1 fd77::1 10.78.0.1 19700

from() { # NETNS ARGUMENT...
	local ns=$1

	shift
	nsenter --net=/run/netns/$ns "$provoke/packets" "$@" >>"$T/sent"
}
from $cli udp 10.77.0.1 19700 20
from $cli udp fd77::1 19700 21
from $cli udp 10.77.0.1 19701 5
from $cli udp 10.77.0.3 19700 5
from $cli udp fd77::1 19699 5
from $cli tagged cable 10.78.0.1 19700 22
from $cli tagged cable 10.78.0.1 19701 5
from $srv udp 10.77.0.2 19700 23
from $srv udp 10.77.0.2 19702 5
sleep 0.3

# The kernel's own view of the halted ring, while none of ours can touch it.
kill -STOP $(tracers)
run "$provoke/numbers" --stop 10 --storm 1
ring=$(ls -d "$tracefs"/instances/tracer-*sched)
t "the kernel has halted the ring" is "$(cat "$ring/tracing_on")" 0
cat "$ring/trace" >"$T/kernel.trace"
kill -CONT $(tracers)
t "the capture ends" ended $pid 30
t "with exit code 0" code 0
t "the bundle unpacks" unpack tools || finish

# CPU, microseconds, task and event of each line, in each CPU's own order.
events_in() {
	sed -nE 's/^ *(.*)-([0-9]+) +\(?[^[]*\[([0-9]+)\] +([^ 0-9][^ ]* +)?([0-9]+\.[0-9]{6})[0-9]*: +([a-z_]+):.*/\3 \5 \2 \6/p' "$1" | sort -s -k1,1n
}
trace-cmd report -N -i "$b/trace/sched.dat" >"$T/trace-cmd.text" 2>"$T/trace-cmd.err"
events_in "$T/kernel.trace" >"$T/kernel.events"
events_in "$T/trace-cmd.text" >"$T/trace-cmd.events"
events_in "$b/trace/sched.txt" >"$T/our.events"
t "there are events" [ "$(wc -l <"$T/kernel.events")" -gt 100 ]
t "trace-cmd report has those of the kernel's trace file, per CPU" same "$T/kernel.events" "$T/trace-cmd.events"
t "so has our own text" same "$T/kernel.events" "$T/our.events"
t "the text of each event is the kernel's" same \
	<(grep -v '^#' "$T/kernel.trace" | grep -c 'prev_comm=.* ==> next_comm=') \
	<(grep -v '^#' "$b/trace/sched.txt" | grep -c 'prev_comm=.* ==> next_comm=')
t "trace-cmd has nothing to complain about" is "$(cat "$T/trace-cmd.err")" ""
t "the manifest has as many records" is "$(wc -l <"$T/kernel.events")" "$(source_of sched records)"

found() { tshark -r "$b"/packets/*.pcapng -Y "$1" 2>/dev/null | wc -l; }
sent() { found "udp && !icmp && !icmpv6 && ($1)"; } # not the ICMP errors that quote them
t "tshark finds the packets to the IPv4 address" is "$(sent 'ip.dst == 10.77.0.1 && udp.port == 19700')" 20
t "those to the IPv6 address" is "$(sent 'ipv6.dst == fd77::1 && udp.port == 19700')" 21
t "those inside a VLAN" is "$(sent 'ip.dst == 10.78.0.1 && udp.port == 19700')" 22
t "none of another port" is "$(sent '!(udp.port == 19700)')" 0
t "none of another host" is "$(found 'ip.addr == 10.77.0.3')" 0
t "none that only goes from a third to a fourth" is "$(found 'ip.src == 10.77.0.2 && ip.dst == 10.77.0.3')" 0
t "packets the other way too" is "$(sent 'ip.src == 10.77.0.1 && ip.dst == 10.77.0.2 && udp.port == 19700')" 23
t "the ICMP errors that quote them are there" [ "$(found 'icmp.type == 3')" -gt 0 ]
t "the interface is named" has <(tshark -r "$b"/packets/*.pcapng -T fields -e frame.interface_name 2>/dev/null | sort -u) '^cable$'
t "the manifest has as many records" is "$(found frame)" "$(source_of packets records)"

tar -tf "$T"/tools/*.tar.zst >"$T/list"
t "tar lists the first three first" is "$(grep -v '/$' "$T/list" | head -n 3 | sed 's,.*/,,' | paste -sd,)" "summary.txt,manifest.json,last.txt"
t "nobody else may look into what it unpacks" is "$(tar -tvf "$T"/tools/*.tar.zst | cut -c1-10 | sort -u | paste -sd,)" "-rw-------,drwx------"
t "zstd finds it whole" zstd -qt "$T"/tools/*.tar.zst
m '.files[] | "\(.sha256)  \(.path)"' >"$T/sums"
t "sha256sum agrees with the manifest" env -C "$b" sha256sum --quiet --strict -c "$T/sums"
t "the sizes agree" same <(m '.files[] | "\(.size) \(.path)"' | sort) <(cd "$b" && find . -type f ! -name manifest.json -printf '%s %P\n' | sort)
run "$tracer" verify "$T"/tools/*.tar.zst
t "so does tracer verify" code 0
cp "$T"/tools/*.tar.zst "$T/bad.tar.zst"
printf 'x' | dd of="$T/bad.tar.zst" bs=1 seek=$(($(stat -c %s "$T/bad.tar.zst") / 2)) conv=notrunc 2>/dev/null
run "$tracer" verify "$T/bad.tar.zst"
t "and not with a byte changed" code 1
run "$tracer" show "$T"/tools/*.tar.zst
t "tracer show prints the summary" same "$T/out" "$b/summary.txt"
finish
