# Replay: over a bundle, at a desk, each condition fires when it did, and a changed one when it would have; what a bundle
# does not have is said. Check against the host of a bundle.
. "$(dirname "$0")/../lib.sh"
need trace-cmd tshark

netns_pair
number() { "$provoke/numbers" --stop 1 --storm 0 --stop-which "$1" "${@:2}" >/dev/null; } # WHICH, one of them
event=syscalls:sys_enter_setpriority

# at_desk COMMAND...: as a user without any right, in another network namespace, where tracefs is not.
desk=$T/desk
mkdir -m 777 "$desk"
chmod 755 "$T"
at_desk() { TMPDIR=$desk run setpriv --reuid 65534 --regid 65534 --clear-groups "$tracer" "$@"; }
# bundle_of NAME: its tarball, for everybody to read.
bundle_of() {
	tarball=$(echo "$T/$1"/*.tar*)
	chmod 755 "$T/$1" && chmod 644 "$tarball"
}
# of CONDITION FILTER: what the replay's JSON says of it.
of() { jq -r ".[] | select(.name == \"$1\") | $2" "$T/out"; }

recipe all <<LUA
-- Which of them ends it?
local n = 0
return {
  collect = {
    t.ftrace { name = "numbers", keep = "4M", "$event", t.event { "syscalls:sys_enter_getpriority", filter = "which == 100" } },
    t.packets { "udp", interface = "cable", keep = "4M" },
    t.files { "/proc/loadavg", every = "200ms" },
    t.log { "kernel" },
  },
  stop = {
    t.event { name = "first", "$event", filter = "which == 90" },
    t.event { name = "third", "$event", filter = "which == 91", hits = 3 },
    t.expect { name = "pair", on = t.event { "$event", filter = "which == 92" }, need = t.event { "$event", filter = "which == 93" },
      key = "who", within = "300ms" },
    t.silence { name = "quiet", t.event { "$event", filter = "which == 94" }, over = "700ms" },
    t.event { name = "tested", "$event", filter = "which == 95", test = function(ev) n = n + 1; return n == 2 end },
    t.packet { name = "packets", "udp and port 19700", interface = "cable", hits = 4 },
    t.gauge { name = "gauge", "$T/number", above = 10, every = "50ms" },
    t.line { name = "line", text = "replayed-$$" },
    t.appears { name = "appears", "$T/appeared*", every = "50ms" },
  },
}
LUA
echo 3 >"$T/number"

# provoke NAME: makes that condition happen, and others nearly.
provoke() {
	for i in 91 91 95; do number $i; done
	nsenter --net=/run/netns/$cli bash -c 'for i in 1 2 3; do echo x >/dev/udp/10.77.0.1/19700; done'
	case $1 in
	first) number 90 ;;
	third) number 91 ;;
	pair) number 92; number 93; number 92 ;;
	quiet) number 94; sleep 0.4; number 94 ;;
	tested) number 95 ;;
	packets) nsenter --net=/run/netns/$cli bash -c 'echo x >/dev/udp/10.77.0.1/19700' ;;
	gauge) echo 11 >"$T/number" ;;
	line) echo "replayed-$$" >/dev/kmsg ;;
	appears) : >"$T/appeared.1" ;;
	esac
}
for name in first third pair quiet tested packets gauge line appears; do
	echo 3 >"$T/number"
	rm -f "$T"/appeared*
	capture_in $cli $name "$T/all.lua"
	sleep 0.3
	provoke $name
	fired $name $name
	bundle_of $name
	at_desk replay --json "$tarball" "$T/all.lua"
	t "$name: it is replayed" code 0
	t "$name: it fires once" is "$(of $name .times)" 1
	t "$name: when it did" is "$(of $name '.fired[0].boot')" "$(m .stop.event.boot)"
	t "$name: for the same reason" is "$(of $name '.fired[0].text')" "$(m .stop.text)"
	t "$name: the others do not fire" is "$(jq -r '.[] | select(.times > 0).name' "$T/out")" "$name"
done
pid=
t "what conditions looked at opens as events" sh -c "[ \$(trace-cmd report -i '$b/watched/events.dat' 2>/dev/null | grep -c 'which:') -ge 3 ]"
t "and as packets" is "$(tshark -r "$b/watched/packets.pcapng" 2>/dev/null | wc -l)" 3

# The bundle unpacked is one, too.
at_desk replay "$tarball" "$T/all.lua"
t "it says when" has "$T/out" "'appears' \(all.lua:[0-9]+\): would have fired"
t "that it was the stop" has "$T/out" "at the stop of the recording"
t "and over what" has "$T/out" "over [0-9.]+m?s, watched/readings.jsonl"
chmod -R a+rX "$(dirname "$b")"
at_desk replay "$b" "$T/all.lua"
t "a directory is replayed" has "$T/out" "'third' \(all.lua:[0-9]+\): would not have fired"

# Another recipe: what it would have seen.
recipe other <<LUA
-- When would another have ended?
return {
  collect = t.files "/proc/uptime",
  stop = {
    t.event { name = "two", "$event", filter = "which > 90 && which < 92", hits = 2 },
    t.event { name = "some", "syscalls:sys_enter_getpriority", filter = "who == 1" },
    t.rate { name = "rate", t.packet { "udp and port 19700", interface = "cable" }, above = 2, per = "10s" },
    t.packet { name = "elsewhere", "udp and port 19701" },
    t.gauge { name = "load", "/proc/loadavg", column = 1, above = 100000 },
    t.line { name = "log", regex = "replayed-[0-9]+" },
    t.event { name = "absent", "sched:sched_process_hang" },
    t.hung { name = "hung", over = "10s" },
    t.all { name = "both", within = "10s", t.event { "$event", filter = "which == 91" }, t.event { "$event", filter = "which == 95" } },
  },
}
LUA
bundle_of line
at_desk replay --json "$tarball" "$T/other.lua"
t "what is missing is exit code 3" code 3
t "two: from the ring, though another filter was watched" is "$(of two '.times, .of')" "1
trace/numbers.dat"
t "some: it says that only some was recorded" of some '.of | test("only some of .* if which == 100")'
t "rate: from the packets" is "$(of rate '.times')" 1
t "elsewhere: not seen" is "$(of elsewhere '.times')" 0
t "load: from the samples" is "$(of load '.of')" "samples/proc/loadavg"
t "log: a line of the log" is "$(of log '.times')" 1
t "log: it is that line" of log ".fired[0].text | test(\"replayed-$$\")"
t "absent: no such event was recorded" of absent '.missing | test("sched:sched_process_hang")'
t "hung: nobody looked at tasks" of hung '.missing | test("tasks")'
t "both: fires" is "$(of both '.times')" 1
at_desk replay "$tarball" "$T/other.lua"
t "in words: what is missing" has "$T/out" "'hung' \(other.lua:[0-9]+\): the bundle does not have what it needs"

# A ring in which the oldest is overwritten: only the time is judged for which all is there.
recipe small <<LUA
-- Is the beginning there?
return {
  collect = t.ftrace { name = "numbers", keep = "64K", "syscalls:sys_enter_getpriority" },
  stop = t.event { name = "end", "$event", filter = "which == 90" },
}
LUA
capture small "$T/small.lua"
number 90 --stop 100000
fired small end
bundle_of small
recipe early <<LUA
-- Which number is there?
return {
  collect = t.files "/proc/uptime",
  stop = {
    t.event { name = "early", "syscalls:sys_enter_getpriority", filter = "who == 5" },
    t.event { name = "late", "syscalls:sys_enter_getpriority", filter = "who == 99990" },
    t.event { name = "bad", "syscalls:sys_enter_getpriority", test = function(ev) return ev.whom end },
  },
}
LUA
at_desk replay --json "$tarball" "$T/early.lua"
t "early: it is not there any more" is "$(of early .times)" 0
t "early: the window is what the ring held" of early ".window.from > $(m .started.boot)"
t "late: it is there" is "$(of late .times)" 1
t "bad: its test failed, with its line" of bad '.fault | test("early.lua:7: the event has no field .whom., did you mean .who.")'

# What goes wrong.
at_desk replay "$T/nothing.tar.zst" "$T/all.lua"
t "no bundle is exit code 2" code 2
t "and said" sentence "cannot open '.*nothing.tar.zst'"
head -c 3000 "$tarball" >"$desk/cut.tar.zst"
at_desk replay "$desk/cut.tar.zst" "$T/all.lua"
t "half a bundle is refused" code 2
t "in one sentence" sentence 'cut.tar.zst'
echo hello >"$desk/text.tar.zst"
at_desk replay "$desk/text.tar.zst" "$T/all.lua"
t "what is no bundle is refused" sentence 'text.tar.zst.*this is no whole bundle'
at_desk replay "$tarball"
t "without a recipe it says how it is used" sentence 'tracer replay BUNDLE RECIPE'
recipe typo <<LUA
-- Has it a typo?
return { collect = t.files "/proc/uptime", stop = t.event { "$event", filter = "whch == 3" } }
LUA
at_desk replay "$tarball" "$T/typo.lua"
t "a filter that is wrong is told" sentence "typo.lua:2: .*no field 'whch', did you mean 'which'"
at_desk check --host "$tarball" "$T/typo.lua"
t "check says so, too" sentence "typo.lua:2: .*'whch'.*did you mean 'which'"
t "with exit code 2" code 2
at_desk check --host "$tarball" "$T/small.lua"
t "check at a desk" code 0
t "tells which host that is" has "$T/out" "Checked against the events of $(hostname), kernel $(uname -r)"
t "and the plan" has "$T/out" "Plan $(m .recipe.plan_sha256)"
recipe swich <<LUA
-- Is there such an event?
return { collect = t.ftrace { "sched:sched_swich" } }
LUA
at_desk check --host "$tarball" "$T/swich.lua"
t "an event that the host lacks is exit code 3" code 3
t "with the nearest" sentence "did you mean 'sched:sched_switch'"
t "nothing is left at the desk" is "$(ls -A "$desk" | grep -v tar.zst)" ""
finish
