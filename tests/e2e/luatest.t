# Tests of a recipe: Lua functions that decide in a process of their own, what they see and remember, and what becomes
# of a capture when one of them does not work.
. "$(dirname "$0")/../lib.sh"
need trace-cmd

number() { "$provoke/numbers" --stop 1 --storm 0 --stop-which "$1" "${@:2}" >/dev/null; } # WHICH, one of them
event=syscalls:sys_enter_setpriority

# One in 100,000 passes, by what the test remembers of all that came before.
recipe many <<LUA
-- Which number goes back?
local last = {}
local function goes_back(ev)
  local before = last[ev.which]
  last[ev.which] = ev.who
  return before and ev.who < before
end
return {
  collect = t.ftrace { name = "numbers", keep = "16M", t.event { "syscalls:sys_enter_getpriority", filter = "which >= 100" } },
  stop = t.event { name = "back", "syscalls:sys_enter_getpriority", filter = "which >= 100 && which < 164", test = goes_back },
  max_time = "40s",
}
LUA
run "$tracer" check "$T/many.lua"
t "check tells that it is a test" has "$T/out" "tier 3: decided by the recipe's test.*since the kernel cannot run"
capture once "$T/many.lua"
number 95 --workers 2 --storm 100000 --rate 50000
t "once: none of 100,000 near misses ends it" watching once
"$tracer" status >"$T/out"
kill -INT $pid
ended $pid 20
t "once: that is exit code 5" code 5
capture twice "$T/many.lua"
number 95 --storm 50000 --rate 50000
number 95 --storm 0
fired twice back
t "twice: it is the event of that number" manifest .stop.text 'syscalls:sys_enter_getpriority which=100 who=1'
t "twice: nothing was lost" manifest .stop.certain true
t "twice: the manifest has the tier" manifest '.conditions[0].tier' 3

# What a test sees; as a part of another condition.
recipe sees <<LUA
-- Who goes quiet?
local first
local function known(ev)
  first = first or ev.time
  assert(ev.time >= first and ev.cpu < t.host.cpus and ev.pid == ev.common_pid)
  return ev.comm == "numbers" and ev.which == 91
end
return {
  collect = t.files "/proc/uptime",
  stop = {
    t.silence { name = "quiet", t.event { "$event", test = known }, over = "1s" },
    t.event { name = "others", "$event", filter = "which == 92", hits = 9, test = function(ev) return ev.niceval % 2 == 0 end },
    t.event { name = "none", "$event", filter = "which == 92", test = function() return nil end },
  },
}
LUA
capture sees "$T/sees.lua"
for i in 1 2 3 4 5; do number 92; done
t "sees: nobody's test fails" is "$("$tracer" status | grep -c OFF)" 0
number 91
at=$(boot_ns)
fired sees quiet
t "sees: it is the silence after what passed" within "$(m .stop.event.boot)" $((at + 950000000)) 100000000
t "sees: those that pass are counted" manifest '.conditions[] | select(.name == "others").seen' 5
t "sees: those that do not are not" manifest '.conditions[] | select(.name == "none").seen' 0

# What does not work is off, by its name and line, and the rest goes on.
recipe faults <<LUA
-- What can go wrong?
local hoard = {}
local function stop(which, test) return t.event { name = "n" .. which, "$event", filter = "which == " .. which, test = test } end
return {
  collect = t.files "/proc/uptime",
  stop = {
    stop(90, function(ev) return ev.wich == 3 end),
    stop(91, function(ev) while true do end end),
    stop(92, function(ev) while true do pcall(function() while true do end end) end end),
    stop(93, function(ev) while true do hoard[#hoard + 1] = ("x"):rep(1000000) .. #hoard end end),
    stop(94, function(ev) return require "other" end),
    stop(95, function(ev) error("\27[31mred\n") end),
    stop(96, function(ev) hoard.ev = hoard.ev or ev; return hoard.ev.which end),
    stop(97, function(ev) ev.which = 3 end),
    stop(98, function(ev) return true end),
  },
}
LUA
capture faults "$T/faults.lua"
for i in 90 91 92 94 95 97 93; do number $i; done
sleep 1.5
"$tracer" status >"$T/out"
t "faults: seven are off" is "$(grep -c 'OFF (tier 3)' "$T/out")" 7
t "faults: a wrong field" has "$T/out" "faults.lua:7: the event has no field 'wich', did you mean 'which'?"
t "faults: an endless loop" has "$T/out" 'faults.lua:8: the test takes more than 100,000 steps'
t "faults: one that pcall hides" has "$T/out" 'faults.lua:9: the test takes more than 100,000 steps'
t "faults: memory" has "$T/out" 'faults.lua:10: the test needs more than 64M'
t "faults: a module" has "$T/out" "faults.lua:11: a test cannot load module 'other': load it before"
t "faults: what it raised is clean" has "$T/out" 'faults.lua:12: .\[31mred'
t "faults: it cannot change the record" has "$T/out" 'faults.lua:14: the fields of ev cannot be changed'
t "faults: the terminal has the line" has "$T/faults.err" "faults.lua:8: .*; the condition 'n91' is off from here on, the rest goes on"
number 98
fired faults n98
t "faults: the manifest has the line" manifest '.conditions[] | select(.name == "n90").fault' \
	"faults.lua:7: the event has no field 'wich', did you mean 'which'?"
t "faults: the summary has it" has "$b/summary.txt" "'n90' WAS OFF: faults.lua:7"

# A record is there for the call only.
recipe kept <<LUA
-- What is left of a record?
local kept
return {
  collect = t.files "/proc/uptime",
  stop = {
    t.event { name = "kept", "$event", filter = "which == 96", test = function(ev) kept = kept or ev; return kept.which == 1 end },
    t.event { name = "end", "$event", filter = "which == 98" },
  },
}
LUA
capture kept "$T/kept.lua"
number 96
number 96
sleep 1.2
t "kept: it says so" has "$T/kept.err" 'kept.lua:6: ev is valid while the test runs, not after it'
number 98
fired kept end

# The process that runs them is killed, stopped, or stuck where no limit reaches: the others go on.
recipe lost <<LUA
-- What goes on without the tests?
return {
  collect = t.files "/proc/uptime",
  stop = {
    t.event { name = "tested", "$event", filter = "which >= 90 && which < 98", test = function(ev)
      return ev.which == 91 and (("a"):rep(32)):find(("a?"):rep(32) .. ("a"):rep(32) .. "b")
    end },
    t.event { name = "hits", "$event", filter = "which == 98", hits = 2 },
  },
}
LUA
for how in KILL STOP stuck; do
	capture $how "$T/lost.lua"
	engine=$pid
	script=$(pgrep -P $engine -x tracer-script)
	t "$how: there is a process for the tests" test -n "$script"
	case $how in
	stuck) number 91 ;;
	*) kill -$how "$script"; number 90 ;;
	esac
	sleep 3.5
	"$tracer" status >"$T/out"
	t "$how: the condition is off" has "$T/out" 'tested OFF'
	t "$how: since nobody answers" has "$T/out" "the process that runs the recipe's tests $([ $how = KILL ] && echo has ended || echo does not answer)"
	[ $how = STOP ] && kill -CONT "$script"
	[ $how != stuck ] || t "stuck: it does not use the CPU for ever" await 40 sh -c "! grep -q '^State:.R' /proc/$script/status"
	number 98
	number 98
	pid=$engine
	fired $how hits
	t "$how: nobody is left" sh -c "! [ -e /proc/$script ]"
done

# The process that watches is killed: its successor asks the same tests, which have forgotten nothing.
recipe watch <<LUA
-- How many were there?
local n = 0
return {
  collect = t.files "/proc/uptime",
  stop = t.event { name = "third", "$event", filter = "which == 90", test = function(ev) n = n + 1; return n == 3 end },
}
LUA
capture watch "$T/watch.lua"
engine=$pid
number 90
number 90
sleep 0.2
kill -KILL "$(pgrep -P $engine -x tracer-watch)"
sleep 1.5
number 90
pid=$engine
fired watch third

# Who agrees to a plan agrees to its tests.
run "$tracer" check --json "$T/watch.lua"
t "the plan names the code" is "$(jq -r '.code["watch.lua"]' "$T/out")" "$(sha256sum <"$T/watch.lua" | cut -d ' ' -f 1)"
hash=$("$tracer" check "$T/watch.lua" | sed -n 's/^Plan //p')
sed -i 's/n == 3/n == 4/' "$T/watch.lua"
run "$tracer" --plan "$hash" "$T/watch.lua"
t "another test is another plan" code 2
recipe collect <<LUA
-- Does it record by a test?
return { collect = t.ftrace { t.event { "$event", test = function() return true end } } }
LUA
run "$tracer" check "$T/collect.lua"
t "a test is for a stop condition" sentence "t.event: test belongs in a stop condition"
recipe number <<LUA
-- Is a number a test?
return { collect = t.files "/proc/uptime", stop = t.event { "$event", test = 3 } }
LUA
run "$tracer" check "$T/number.lua"
t "a test is a function" sentence "test must be a function"
finish
