# What is wrong with a command, a recipe or a host is one sentence, and nothing was started.
. "$(dirname "$0")/../lib.sh"

# refused CODE SENTENCE ARGUMENT...
refused() {
	local exit_code=$1 text=$2

	shift 2
	limit=10 run "$tracer" "$@"
	code "$exit_code" && sentence "$text" && is "$(cat "$T/out")" ""
}

# lua TEXT: a recipe of that text.
lua() {
	printf '%s\n' "$1" >"$T/bad.lua"
	echo "$T/bad.lua"
}
ring='collect = { t.ftrace { "syscalls:sys_enter_getuid" } }'

cd "$T"
t "an unknown option names the nearest" refused 2 "did you mean '?--max-time" --max-tine 5s x.lua
t "an option without its value" refused 2 "max-time" x.lua --max-time
t "a duration without a unit" refused 2 "5" --max-time 5 "$(lua "return { $ring }")"
t "a recipe that is not there" refused 2 "nothere" nothere.lua
t "an unknown recipe names the nearest" refused 2 "scoutfs" scoutsf
t "a directory as a recipe" refused 2 'regular file' "$T"

t "a syntax error has file and line" refused 2 'bad\.lua:2' "$(lua $'return {\n  collect = = 1\n}')"
t "an unknown field names the nearest" refused 2 "bad\.lua:1.*'colect'.*'collect'" "$(lua 'return { colect = {} }')"
t "an unknown constructor names the nearest" refused 2 'bad\.lua:1.*t\.ftrase.*t\.ftrace' "$(lua 'return { collect = { t.ftrase {} } }')"
t "a field of a constructor too" refused 2 "bad\.lua:1.*'kep'.*'keep'" "$(lua 'return { collect = { t.ftrace { kep = "1M", "sched:sched_switch" } } }')"
t "a bare number is no size" refused 2 'bad\.lua:1.*keep' "$(lua 'return { collect = { t.ftrace { keep = 8, "sched:sched_switch" } } }')"
t "a bare number is no duration" refused 2 'bad\.lua:1.*post' "$(lua "return { $ring, post = 5 }")"
t "a long command name" refused 2 '15' "$(lua 'return { collect = { t.ftrace { comm = "a-very-long-command", "sched:sched_switch" } } }')"
t "a loop for ever" refused 2 'bad\.lua' "$(lua 'while true do end')"
t "a loop for ever in one pattern" refused 2 '.' "$(lua 'return ("a"):rep(30):find(("a*"):rep(30) .. "b")')"
t "a recipe that eats memory" refused 2 'memory' "$(lua 'local x = {} for i = 1, 1e9 do x[i] = ("x"):rep(1e5) .. i end')"
t "a recipe that returns nothing" refused 2 'bad\.lua' "$(lua 'local x = 1')"
printf '\033Lua\x54\0\x19\x93' >binary.lua
t "a recipe that is not text" refused 2 'binary\.lua' binary.lua
t "no io for recipes" refused 2 'bad\.lua:1' "$(lua 'io.open("/etc/passwd")')"
t "a module from outside" refused 2 'bad\.lua:1' "$(lua 'require "../../etc/passwd"')"

t "an unknown event names the nearest" refused 3 "bad\.lua:1.*sched:sched_swich.*sched:sched_switch" \
	"$(lua 'return { collect = { t.ftrace { "sched:sched_swich" } } }')"
t "a glob without a match" refused 3 'nosuch' "$(lua 'return { collect = { t.ftrace { "nosuch:*" } } }')"
t "an unknown field of an event" refused 2 "prev_prioo.*prev_prio" \
	"$(lua 'return { collect = { t.ftrace { t.event { "sched:sched_switch", filter = "prev_prioo > 1" } } } }')"
t "a packet filter that does not parse" refused 2 'prot' "$(lua 'return { collect = { t.packets { "prot 80" } } }')"
t "names in a packet filter" refused 2 'example' "$(lua 'return { collect = { t.packets { "host example.com" } } }')"
t "rings that do not fit" refused 3 'keep|memory|ring' "$(lua 'return { collect = { t.ftrace { keep = "900G", "sched:sched_switch" } } }')"

recipe args <<'LUA'
-- What are the arguments?
local ip, port, limit = t.args { "ip:address", "port:port", "limit:duration=2s" }
return { collect = { t.packets { host = ip, port = port } }, max_time = limit }
LUA
wrong() { # TEXT ARGUMENT...: the recipe's own usage
	local text=$1

	shift
	limit=10 run "$tracer" "$@"
	code 2 && has "$T/err" "$text" && has "$T/err" '^usage: tracer args.lua IP PORT \[limit=DURATION\]$'
}
t "a missing argument prints the recipe's usage" wrong 'port' args.lua 10.0.0.1
t "so does one too many" wrong '3|too many|unexpected' args.lua 10.0.0.1 5 6
t "and one of the wrong type" wrong '99999' args.lua 10.0.0.1 99999
t "and an unknown name" wrong "limti" args.lua 10.0.0.1 80 limti=5s

run "$tracer" args.lua --plan 0000000000000000000000000000000000000000000000000000000000000000 10.0.0.1 80
t "another plan than the one that was checked" code 2
run "$tracer" check args.lua 10.0.0.1 80
t "check says what it would do" code 0
t "with the plan's hash" has "$T/out" '[0-9a-f]{64}'
cp "$T/out" "$T/page"
run "$tracer" check args.lua port=80 ip=10.0.0.1 limit=2s
t "the same arguments by name are the same plan" is "$(grep -oE '[0-9a-f]{64}' "$T/out")" "$(grep -oE '[0-9a-f]{64}' "$T/page")"
run "$tracer" args.lua 10.0.0.1 80 --max-time 200ms -o "$T"
t "options after arguments" code 5
run "$tracer" -o "$T" --max-time 200ms -q -- args.lua 10.0.0.1 80
t "-- ends the options" code 5
t "-q says nothing but the path" is "$(cat "$T/err")" ""

chmod 755 "$T"
limit=10 run setpriv --reuid 65534 --regid 65534 --clear-groups "$tracer" "$(lua "return { $ring }")"
t "without root" code 3
t "that is one sentence" sentence 'root'
nothing() { limit=10 run unshare --mount sh -c 'umount -l "$0"; mount -t tmpfs none /sys/kernel; exec setpriv --bounding-set -sys_admin --inh-caps -sys_admin "$@"' "$tracefs" "$tracer" bad.lua; }
nothing
t "without tracefs" code 3
t "that is one sentence too" sentence 'trac'

mkdir full
mount -t tmpfs -o size=64k none full
at_exit umount "$T/full"
t "an output directory without room" refused 3 'full|room|space' -o full "$(lua 'return { collect = { t.ftrace { keep = "8M", "syscalls:sys_enter_getuid" } } }')"
mkdir fixed
mount -t tmpfs -o ro none fixed
at_exit umount "$T/fixed"
t "an output directory that cannot be written to" refused 3 'fixed.*Read-only' -o fixed "$(lua "return { $ring }")"
t "check knows it too" refused 3 'fixed.*Read-only' check -o fixed "$(lua "return { $ring }")"
mkdir tcp-reset
run "$tracer" check tcp-reset 127.0.0.1 80
t "a directory does not hide a recipe" code 0
t "a mistyped command names the nearest" refused 2 "did you mean 'status'" stauts
t "more memory than there is" refused 3 'memory left' --memory 900G "$(lua 'return { collect = { t.ftrace { keep = "800G", "syscalls:sys_enter_getuid" } } }')"
run unshare -n "$tracer" check "$(lua 'return { collect = { t.packets { interface = "lo" } } }')"
t "an interface that is down" code 3
t "is told with its line" sentence "bad.lua:1: .*'lo' is down"
streams() { "$tracer" -o "$T" --max-time 200ms "$(lua "return { $ring }")" >&- 2>&- <&-; }
streams
t "without standard streams it works" is $? 5
t "an output directory that is not there" refused 2 'nodir' -o nodir "$(lua "return { $ring }")"
loop_fs traced ext4 512M
lua 'return { collect = { t.ftrace { keep = "64K", "ext4:ext4_da_write_begin" } } }' >/dev/null
cd traced
t "the current directory on the file system that is traced" refused 3 'traced' ../bad.lua
run "$tracer" --max-time 100ms -o . ../bad.lua
t "unless it is named" code 5
cd "$T"
printf '\357\273\277-- Is it from another system?\r\nreturn { %s }' "$ring" >mark.lua
run "$tracer" check mark.lua
t "a byte order mark is no part of a recipe" code 0
mkdir lone && : >lone/backup.tar.gz && cd lone
t "a tarball of another kind is not the newest bundle" refused 1 'no bundle' show
cd "$T"
t "nothing to recover" refused 1 '01M7NOSUCH' recover 01M7NOSUCH
t "nothing to stop" refused 1 '01M7NOSUCH' stop 01M7NOSUCH
for option in --version --help; do
	run "$tracer" $option
	t "$option" code 0
done
cd /
finish
