# Each process keeps only the privilege that it needs.
. "$(dirname "$0")/../lib.sh"

: >"$T/log"
recipe sandbox <<LUA
-- Who runs as whom?
return {
  collect = {
    t.ftrace { "syscalls:sys_enter_getpriority" },
    t.packets { "udp", port = 19777, interface = "lo", keep = "1M" },
    t.log { "kernel" },
    t.files { at = "both", "/proc/uptime" },
    t.tasks {},
    t.log "$T/log",
  },
}
LUA
capture sandbox "$T/sandbox.lua"
engine=$pid

# status_of PID: user, effective capabilities, no new privileges, system call filter.
status_of() { sed -nE 's/^(Uid|CapEff|NoNewPrivs|Seccomp):\t([0-9a-f]+).*/\2/p' "/proc/$1/status" | paste -sd' '; }
reads="0 0000000400280004 1 2" # of root no more than to read: dac_read_search, sys_ptrace, sys_admin, syslog

seen=
for p in $(tracers | grep -vx "$engine"); do
	name=$(cat "/proc/$p/comm")
	seen="$seen $name"
	case $name in
	tracer-files | tracer-helper | tracer-follow) want=$reads ;;
	tracer-tasks) want=$reads ;;
	*) want="65534 0000000000000000 1 2" ;;
	esac
	t "process $name keeps what it needs" is "$(status_of "$p")" "$want"
	t "process $name is not the engine's group" not is "$(ps -o pgid= -p "$p")" "$(ps -o pgid= -p $engine)"
done
for name in tracer tracer-watch tracer-packets tracer-kernel tracer-files tracer-tasks tracer-helper tracer-log tracer-follow; do
	t "there was a process $name" has <(echo "$seen ") " $name "
done
kill -INT $engine
t "the capture ends" ended $engine 20
finish
